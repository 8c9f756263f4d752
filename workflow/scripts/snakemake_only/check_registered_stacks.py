"""End the run with an error if a registered stack that was asked for could not be written.

In: the receipts of the stacks, and the summary of all cycles. Out: nothing. Not a command: there
may be more receipts than a command line holds.
"""

import sys
from pathlib import Path
from typing import Any

# Snakemake runs a copy from another folder, but `__file__` names this one.
sys.path.insert(0, str(Path(__file__).parents[1]))

from crossreg.fiducial.summary.cycle_summary import read_summaries
from crossreg.workflow_support.for_scripts.script_main import in_one_sentence
from crossreg.workflow_support.for_scripts.unwritten_stacks import check_all_written

given: Any = globals()["snakemake"]

with in_one_sentence():
    summaries = read_summaries(given.input.summary) if given.input.receipts else []
    check_all_written(
        given.input.receipts, {(one.roi, one.cycle) for one in summaries if one.has_failed}
    )
