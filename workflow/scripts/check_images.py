"""Read the headers of all stacks, tabulate what they are, and report every problem at once.

In: the sheet of samples, and the cycles that have no fiducial stack. Out: a table (.tsv) with a
line a stack: format, shape, channels, the fiducial that would be taken, pixel size, z step,
problems. The exit status is 1 if there is one.
"""

import argparse
import csv
import io
import sys
from pathlib import Path

from crossreg.fiducial.experiment.image_checks import (
    COLUMNS,
    CheckedStack,
    checked_stacks,
    kinds_in_words,
)
from crossreg.fiducial.experiment.parameter_options import add_options, add_pixel_size_options
from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.files import write_text
from crossreg.io.plurals import counted
from crossreg.io.sheet import ALL_COLUMNS, read_sheet
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run
from crossreg.workflow_support.inputs.gaps import Gap, read_gaps

PARAMETERS = ("blockSizeXY",)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="sheet of all samples (.tsv)")
    parser.add_argument("--reference", required=True, help="name of the reference cycle")
    parser.add_argument("--gaps", type=Path, help="cycles that have no fiducial stack (.tsv)")
    parser.add_argument("--output", type=Path, help="table to write (.tsv)")
    add_pixel_size_options(parser)
    add_options(parser, PARAMETERS)
    return parser


def main(options: argparse.Namespace) -> int:
    """Check all stacks, write the table, and say what kinds of stacks and problems there are."""
    samples = read_sheet(options.samples, ALL_COLUMNS)
    checked = checked_stacks(samples, options.reference, vars(options))
    checked = sorted([*checked, *map(missing_stack, read_gaps(options.gaps))], key=roi_and_cycle)
    if options.output:
        write_text(options.output, table_text(checked))
    for line in kinds_in_words(one for one in checked if one.sample.path):
        print(line)
    problems = 0
    for one in checked:
        for problem in one.problems:
            names_file = one.sample.path and problem.startswith(one.sample.path)
            where = "" if names_file else f"ROI {one.sample.roi}, cycle {one.sample.cycle}: "
            log.error("%s%s", where, problem)
            problems += 1
        for remark in one.remarks:
            log.info("ROI %s, cycle %s: %s", one.sample.roi, one.sample.cycle, remark)
    missing = sum(not one.sample.path for one in checked)
    not_there = f", {missing} missing" if missing else ""
    print(f"{counted(len(samples), 'stack')} checked{not_there}, {counted(problems, 'problem')}.")
    return 1 if problems else 0


def missing_stack(gap: Gap) -> CheckedStack:
    """Return the line of a cycle that has no fiducial stack."""
    note = f"{gap.reason[0].upper()}{gap.reason[1:]}"
    notes = {"problems" if gap.is_fault else "remarks": [note]}
    return CheckedStack(Sample(gap.roi, gap.cycle, ""), None, **notes)


def roi_and_cycle(one: CheckedStack) -> tuple[str, str]:
    """Return ROI and cycle, by which the table is sorted."""
    return one.sample.roi, one.sample.cycle


def table_text(checked: list[CheckedStack]) -> str:
    """Return the table as text, separated by tabs."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(one.row() for one in checked)
    return text.getvalue()


if __name__ == "__main__":
    sys.exit(run(parser(), main))
