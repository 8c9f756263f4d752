"""Summarise the cycles of one ROI: a line per cycle with drift, statuses of blocks, quality.

In: the sheet of samples and the tables of the ROI's cycles (ROI/CYCLE.ecsv). Out: a TSV in the
order of imaging, which is that of the run numbers in the file names, then of the cycles' names.
Cycles that could not be registered, or whose table is damaged, have a line that says why, as have
those that have no stack; these stand where other ROIs have them.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossreg.fiducial.experiment.parameters import add_options
from crossreg.fiducial.experiment.sample import Sample
from crossreg.fiducial.precision import Scale
from crossreg.fiducial.summary import (
    in_order_of_imaging,
    missing_cycle,
    summaries_of_roi,
    with_gaps,
    write_summaries,
)
from crossreg.io.cycle_tables import read_global_row, read_local_table
from crossreg.io.ecsv import Table
from crossreg.io.errors import UserError
from crossreg.io.sheet import ALL_COLUMNS, read_sheet
from crossreg.workflow_support.for_scripts.marks_to_remake import ask_if_damaged
from crossreg.workflow_support.for_scripts.missing_notes import refuse_missing
from crossreg.workflow_support.for_scripts.script_main import add_tolerance_option, new_parser, run
from crossreg.workflow_support.inputs.gaps import read_gaps


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
    parser.add_argument("--gaps", type=Path, help="cycles that have no stack (.tsv)")
    add_tolerance_option(parser)
    add_options(parser, ("pixelSizeXY", "pixelSizeZ", "zBinning"))
    return parser


def main(options: argparse.Namespace) -> None:
    """Read the tables in the order of imaging, summarise, write."""
    by_roi: dict[str, list[Sample]] = {options.roi: []}
    for sample in read_sheet(options.samples, ALL_COLUMNS):
        if sample.cycle != options.reference:
            by_roi.setdefault(sample.roi, []).append(sample)
    ordered = in_order_of_imaging(by_roi[options.roi])
    gaps = [gap for gap in read_gaps(options.gaps) if gap.roi == options.roi]
    missing = {gap.cycle: gap.reason for gap in gaps}
    cycles = []
    for name in ordered:
        try:
            cycles.append((name, *tables_of_cycle(options, name)))
        except UserError as error:
            ask_if_damaged(error)
            missing[name] = str(error)
    scale = Scale(
        1000 * options.pixelSizeXY,
        1000 * options.pixelSizeZ * options.zBinning,
        options.tolerance_nm and tuple(options.tolerance_nm),
    )
    known = {summary.cycle: summary for summary in summaries_of_roi(options.roi, cycles, scale)}
    others = [in_order_of_imaging(samples) for samples in by_roi.values()] if gaps else []
    names = with_gaps(ordered, missing, others)
    write_summaries(
        options.output,
        [known.get(name) or missing_cycle(options.roi, name, missing[name]) for name in names],
    )


def tables_of_cycle(
    options: argparse.Namespace, cycle: str
) -> tuple[Mapping[str, Any], Table | None]:
    """Return the global shift and, if asked for, the table of local shifts of a cycle.

    Raises UserError if one of them is damaged, or a note that the cycle could not be registered.
    """
    name = Path(options.roi, f"{cycle}.ecsv")
    paths = [folder / name for folder in (options.global_shifts, options.local_shifts) if folder]
    refuse_missing(*paths)
    row = read_global_row(paths[0])
    return row, read_local_table(paths[1]) if options.local_shifts else None


if __name__ == "__main__":
    sys.exit(run(parser(), main))
