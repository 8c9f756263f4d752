"""Write what the main process of a run found out about the stacks, for jobs and people.

In: the texts, as a parameter of the rule. Out: the sheet of samples, and the cycles that are
missing. The log says what was written, by which a later run sees if it was changed since. Not a
command: Snakemake alone knows the texts.
"""

import hashlib
import sys
from pathlib import Path
from typing import Any

# Snakemake runs a copy from another folder, but `__file__` names this one.
sys.path.insert(0, str(Path(__file__).parents[1]))

from crossreg.io.files import write_text
from crossreg.workflow_support.for_scripts.script_main import in_one_sentence

given: Any = globals()["snakemake"]

with in_one_sentence():
    written = []
    for path, text in zip(given.output, given.params.texts, strict=True):
        write_text(path, text, durable=False)
        written.append(f"{hashlib.sha256(text.encode()).hexdigest()} {Path(path).name}\n")
    write_text(given.log[0], "".join(written), durable=False)
