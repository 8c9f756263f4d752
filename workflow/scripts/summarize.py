"""Summarise the cycles of one ROI: a line a cycle with drift, statuses of blocks, quality.

In: the sheet of samples and the tables of the ROI's cycles (ROI/CYCLE.ecsv). Out: a TSV in the
order of imaging, which is that of the runNumber in the file names, then of the cycles' names.
With --missing, cycles that could not be registered, or whose table is damaged, have a line that
says why.
"""

import argparse
import sys
from pathlib import Path

from crossreg.fiducial.experiment.parameters import add_options
from crossreg.fiducial.summary import (
    in_order_of_imaging,
    missing_cycle,
    summaries_of_roi,
    write_summaries,
)
from crossreg.io.errors import UserError
from crossreg.io.sheet import read_sheet
from crossreg.io.tables import read_global_row, read_local_table
from crossreg.workflow_support.command import new_parser, run
from crossreg.workflow_support.missing import add_missing_option, read_missing


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="sheet of all samples (.tsv)")
    parser.add_argument("--reference", required=True, help="name of the reference cycle")
    parser.add_argument("--roi", required=True, help="name of the ROI")
    parser.add_argument(
        "--global-shifts", type=Path, required=True, help="folder with tables ROI/CYCLE.ecsv"
    )
    parser.add_argument(
        "--local-shifts", type=Path, help="folder with tables ROI/CYCLE.ecsv, if any"
    )
    parser.add_argument("--output", type=Path, required=True, help="summary to write (.tsv)")
    add_missing_option(parser)
    add_options(parser, ("fileNameRegExp",))
    return parser


def main(options: argparse.Namespace) -> None:
    """Read the tables in the order of imaging, summarise, write."""
    samples = [
        sample
        for sample in read_sheet(options.samples)
        if sample.roi == options.roi and sample.cycle != options.reference
    ]
    ordered = in_order_of_imaging(
        [sample.cycle for sample in samples],
        [sample.path for sample in samples],
        options.fileNameRegExp,
    )
    missing = read_missing(options.missing)
    cycles = []
    for name, _ in ordered:
        if (options.roi, name) in missing:
            continue
        table = f"{options.roi}/{name}.ecsv"
        local = options.local_shifts
        try:
            row = read_global_row(options.global_shifts / table)
            cycles.append((name, row, read_local_table(local / table) if local else None))
        except UserError as error:
            if not options.missing:
                raise
            missing[options.roi, name] = str(error)
    known = {summary.cycle: summary for summary in summaries_of_roi(options.roi, cycles)}
    summaries = [
        known.get(name) or missing_cycle(options.roi, name, missing[options.roi, name])
        for name, _ in ordered
    ]
    write_summaries(options.output, summaries)


if __name__ == "__main__":
    sys.exit(run(parser(), main))
