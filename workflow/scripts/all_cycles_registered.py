"""Exit with status 1 if a stack could not be registered, else write that all are.

In: the summary of all ROIs, the cycles that have no stack, and the merged tables, which
have to be whole: somebody may have cut one since. Out: a file that says how many cycles are
registered. The table that ends a run is printed if asked for.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from crossreg.fiducial.summary.cycle_summary import CycleSummary, read_summaries
from crossreg.io.cycle_tables import check_whole
from crossreg.io.files import read_text, write_text
from crossreg.io.plurals import counted
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run
from crossreg.workflow_support.inputs.gaps import read_gaps


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--summary", type=Path, required=True, help="summary of all ROIs (.tsv)")
    parser.add_argument("--gaps", type=Path, help="cycles that have no stack (.tsv)")
    parser.add_argument(
        "--tables", type=Path, nargs="*", default=[], help="merged tables (.ecsv, .json)"
    )
    parser.add_argument("--table", type=Path, help="table to print, as summarize wrote it")
    parser.add_argument("--output", type=Path, required=True, help="file to write if all is well")
    return parser


def main(options: argparse.Namespace) -> int:
    """Count; a cycle that only other ROIs have is no error."""
    summaries = read_summaries(options.summary)
    if options.table:
        print(read_text(options.table), end="", flush=True)
    allowed = {(gap.roi, gap.cycle) for gap in read_gaps(options.gaps) if not gap.is_fault}
    missing = [one for one in summaries if one.missing and (one.roi, one.cycle) not in allowed]
    if missing:
        log.error(
            "%s could not be registered, such as ROI %s, cycle %s: %s; %s names all: correct or"
            " remove their stacks (of a sheet: their rows) and run again.",
            counted(len(missing), "cycle"),
            missing[0].roi,
            missing[0].cycle,
            missing[0].missing.removesuffix("."),
            options.summary,
        )
        return 1
    for path in options.tables:
        check_whole(path)
    write_text(options.output, told(summaries))
    return 0


def told(summaries: Sequence[CycleSummary]) -> str:
    """Return how many cycles are registered, and how many failed or are missing, in one line."""
    failed = sum(one.has_failed for one in summaries)
    missing = sum(bool(one.missing) for one in summaries)
    text = f"{counted(len(summaries) - failed - missing, 'cycle')} registered"
    others = {"failed": failed, "missing": missing}
    return ", ".join([text, *(f"{n} {word}" for word, n in others.items() if n)]) + ".\n"


if __name__ == "__main__":
    sys.exit(run(parser(), main))
