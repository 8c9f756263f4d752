"""Summarise all cycles: a line per cycle with drift, statuses of blocks, quality.

In: the sheet of samples and the tables of the cycles (ROI/CYCLE.ecsv). Out: a TSV, ROI by ROI in
the order of their numbers, and in each in the order of imaging, which is that of the run numbers in
the file names, then of the cycles' names; if asked for, also the table that ends a run. Cycles that
could not be registered, or whose table is damaged, have a line that says why, as have those that
have no stack; these stand where other ROIs have them.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossreg.fiducial.experiment.parameter_options import add_options
from crossreg.fiducial.experiment.roi_numbers import numbers_of_rois
from crossreg.fiducial.experiment.sample import Sample
from crossreg.fiducial.summary.closing_table import summary_text
from crossreg.fiducial.summary.copied_cycles import copies_doubted
from crossreg.fiducial.summary.cycle_summary import CycleSummary, missing_cycle, write_summaries
from crossreg.fiducial.summary.order_of_imaging import in_order_of_imaging, with_gaps
from crossreg.fiducial.summary.precision import Scale
from crossreg.fiducial.summary.summaries import summaries_of_roi
from crossreg.io.cycle_tables import read_global_row, read_local_table
from crossreg.io.ecsv import Table
from crossreg.io.errors import UserError
from crossreg.io.files import write_text
from crossreg.io.missing_notes import refuse_missing
from crossreg.io.sheet import ALL_COLUMNS, read_sheet
from crossreg.workflow_support.for_scripts.marks_to_remake import ask_if_damaged
from crossreg.workflow_support.for_scripts.script_main import add_tolerance_option, new_parser, run
from crossreg.workflow_support.inputs.gaps import read_gaps


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="sheet of all samples (.tsv)")
    parser.add_argument("--reference", required=True, help="name of the reference cycle")
    parser.add_argument(
        "--global-shifts", type=Path, required=True, help="folder with tables ROI/CYCLE.ecsv"
    )
    parser.add_argument(
        "--local-shifts", type=Path, help="folder with tables ROI/CYCLE.ecsv, if any"
    )
    parser.add_argument("--output", type=Path, required=True, help="summary to write (.tsv)")
    parser.add_argument("--text", type=Path, help="table for reading to write (.txt)")
    parser.add_argument("--gaps", type=Path, help="cycles that have no stack (.tsv)")
    add_tolerance_option(parser)
    add_options(parser, ("pixelSizeXY", "pixelSizeZ", "zBinning"))
    return parser


def main(options: argparse.Namespace) -> None:
    """Read the tables in the order of imaging, summarise, write; a reference has no line."""
    by_roi: dict[str, list[Sample]] = {}
    for sample in read_sheet(options.samples, ALL_COLUMNS):
        if sample.cycle != options.reference:
            by_roi.setdefault(sample.roi, []).append(sample)
    missing: dict[str, dict[str, str]] = {}
    for gap in read_gaps(options.gaps):
        missing.setdefault(gap.roi, {})[gap.cycle] = gap.reason
    ordered = {roi: in_order_of_imaging(samples) for roi, samples in by_roi.items()}
    numbers = numbers_of_rois([*by_roi, *missing])
    summaries = [
        one
        for roi in sorted(numbers, key=numbers.__getitem__)
        for one in summaries_with_gaps(options, roi, ordered, missing.get(roi, {}))
    ]
    write_summaries(options.output, summaries)
    if options.text:
        write_text(options.text, f"{summary_text(summaries)}\n")


def summaries_with_gaps(
    options: argparse.Namespace,
    roi: str,
    ordered: Mapping[str, Sequence[str]],
    missing: Mapping[str, str],
) -> list[CycleSummary]:
    """Return the summaries of a ROI's cycles, and of those that are `missing` (cycle -> reason).

    `ordered` are the cycles of each ROI in the order of imaging.
    """
    names, reasons = ordered.get(roi, ()), dict(missing)
    rows: dict[str, Mapping[str, Any]] = {}
    tables: dict[str, Table] = {}
    for name in names:
        try:
            row, table = tables_of_cycle(options, roi, name)
            rows[name] = row
            if table:
                tables[name] = table
        except UserError as error:
            ask_if_damaged(error)
            reasons[name] = str(error)
    scale = Scale(
        1000 * options.pixelSizeXY,
        1000 * options.pixelSizeZ * options.zBinning,
        options.tolerance_nm and tuple(options.tolerance_nm),
    )
    tables = copies_doubted(tables)
    cycles = [(name, row, tables.get(name)) for name, row in rows.items()]
    known = {summary.cycle: summary for summary in summaries_of_roi(roi, cycles, scale)}
    return [
        known.get(name) or missing_cycle(roi, name, reasons[name])
        for name in with_gaps(names, missing, ordered.values())
    ]


def tables_of_cycle(
    options: argparse.Namespace, roi: str, cycle: str
) -> tuple[Mapping[str, Any], Table | None]:
    """Return the global shift and, if asked for, the table of local shifts of a cycle.

    Raises UserError if one of them is damaged, or a note that the cycle could not be registered.
    """
    name = Path(roi, f"{cycle}.ecsv")
    paths = [folder / name for folder in (options.global_shifts, options.local_shifts) if folder]
    refuse_missing(*paths)
    row = read_global_row(paths[0])
    return row, read_local_table(paths[1]) if options.local_shifts else None


if __name__ == "__main__":
    sys.exit(run(parser(), main))
