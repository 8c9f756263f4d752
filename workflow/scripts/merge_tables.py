"""Merge the tables of all cycles into one, sorted by ROI, cycle and block.

In: the sheet of samples and the folder with one table per cycle (ROI/CYCLE.ecsv). Out: the merged
table (ECSV) and, for global shifts, the same as JSON. Rows are sorted by ROI, cycle (in the order
of their names), block_i and block_j. What is in px or kept planes follows in nm, in columns with
_nm after their names.

The merged table of global shifts holds the verdict on each cycle: of its local step where there is
one. A cycle that has failed has no shift in it, and no entry in the JSON.

Cycles that could not be registered, or whose table is damaged, are left out, as are those that have
no stack; the merged table then says in its meta data, under "missing", which ones and why.
"""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from crossreg.fiducial.experiment.parameter_options import add_options
from crossreg.fiducial.experiment.roi_numbers import numbers_of_rois
from crossreg.fiducial.summary.copied_cycles import copies_doubted
from crossreg.io.cycle_tables import (
    GLOBAL_COLUMNS,
    LOCAL_COLUMNS,
    PIXEL_NM,
    PLANE_NM,
    read_local_table,
    read_merged,
    read_rows,
    with_nm,
    with_verdicts,
    write_global_json,
    write_merged,
    write_table,
)
from crossreg.io.ecsv import Table
from crossreg.io.errors import UserError
from crossreg.io.missing_notes import refuse_missing
from crossreg.io.plurals import counted
from crossreg.io.sheet import read_sheet
from crossreg.workflow_support.for_scripts.marks_to_remake import ask_if_damaged
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run
from crossreg.workflow_support.inputs.gaps import read_gaps


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "kind", choices=("global", "local"), help="which tables: of global or of local shifts"
    )
    parser.add_argument("--samples", type=Path, required=True, help="sheet of all samples (.tsv)")
    parser.add_argument("--reference", required=True, help="name of the reference cycle")
    parser.add_argument(
        "--tables", type=Path, required=True, help="folder with the tables ROI/CYCLE.ecsv"
    )
    parser.add_argument("--output", type=Path, required=True, help="merged table to write (.ecsv)")
    parser.add_argument("--gaps", type=Path, help="cycles that have no stack (.tsv)")
    parser.add_argument(
        "--local-tables",
        type=Path,
        help="folder with the tables of local shifts ROI/CYCLE.ecsv, which hold the verdicts",
    )
    parser.add_argument("--json", type=Path, help="global shifts as JSON, as pyHiM reads them")
    add_options(parser, ("pixelSizeXY", "pixelSizeZ", "zBinning"))
    return parser


def main(options: argparse.Namespace) -> None:
    """Read the tables in the order of ROI and cycle, merge, write."""
    columns = GLOBAL_COLUMNS if options.kind == "global" else LOCAL_COLUMNS
    samples = read_sheet(options.samples)
    numbers = numbers_of_rois(sample.roi for sample in samples)
    cycles = sorted(
        (numbers[sample.roi], sample.cycle, sample.roi)
        for sample in samples
        if sample.cycle != options.reference
    )
    tables = {(roi, cycle): options.tables / roi / f"{cycle}.ecsv" for _, cycle, roi in cycles}
    missing = {(gap.roi, gap.cycle): gap.reason for gap in read_gaps(options.gaps)}
    missing |= unreadable(tables, columns)
    entries = [
        {"ROI": roi, "label": cycle, "reason": reason}
        for (roi, cycle), reason in sorted(missing.items())
    ]
    there = [path for key, path in tables.items() if key not in missing]
    nm = nm_of(options)
    meta = {PLANE_NM: nm["z"], PIXEL_NM: nm["x"]} | ({"missing": entries} if entries else {})
    if options.kind == "global":
        rows = write_global(options, there, numbers, meta)
    else:
        rows = write_merged(options.output, there, columns, nm, **meta)
    log.info("%d rows of %d cycles", rows, len(there))
    if missing:
        names = "; ".join(f"ROI {roi}, cycle {cycle}" for roi, cycle in sorted(missing)[:10])
        lacking = counted(len(missing), "cycle")
        log.warning("%s lacks %s (%s); it says why.", options.output, lacking, names)


def nm_of(options: argparse.Namespace) -> dict[str, float]:
    """Return how many nm a kept plane, a row and a column are."""
    um = {"z": options.pixelSizeZ * options.zBinning, "x": options.pixelSizeXY}
    # Twelve digits, so that no 249.99999999999997 is written.
    nm = {name: float(f"{1000 * size:.12g}") for name, size in um.items()}
    return nm | {"y": nm["x"]}


def write_global(
    options: argparse.Namespace, tables: list[Path], numbers: dict[str, int], meta: dict[str, Any]
) -> int:
    """Write the merged table of global shifts with the last word on each cycle; return its rows.

    The local step has seen more of a cycle than the global one: its verdict counts.
    """
    local: dict[str, dict[str, Table]] = {}
    for path in tables if options.local_tables else []:
        # A local table that cannot be read is missed where local tables are merged.
        with contextlib.suppress(UserError):
            found = read_local_table(options.local_tables / path.parent.name / path.name)
            local.setdefault(path.parent.name, {})[path.stem] = found
    verdicts = {
        (numbers[roi], cycle): (table.meta["verdict"], table.meta["reason"])
        for roi, of_roi in local.items()
        for cycle, table in copies_doubted(of_roi).items()
    }
    table = with_verdicts(read_merged(tables, GLOBAL_COLUMNS, **meta), verdicts)
    write_table(options.output, with_nm(table, nm_of(options)))
    if options.json:
        write_global_json(options.json, table, {number: roi for roi, number in numbers.items()})
    return len(table)


def unreadable(
    tables: dict[tuple[str, str], Path], columns: dict[str, type]
) -> dict[tuple[str, str], str]:
    """Return why the tables of cycles cannot be merged, of those that cannot."""
    faults = {}
    for key, path in tables.items():
        try:
            refuse_missing(path)
            read_rows(path, columns)
        except UserError as error:
            ask_if_damaged(error)
            faults[key] = str(error)
    return faults


if __name__ == "__main__":
    sys.exit(run(parser(), main))
