"""Merge the tables of all cycles into one, sorted by ROI, cycle and block.

In: the sheet of samples and the folder with one table a cycle (ROI/CYCLE.ecsv). Out: the merged
table (ECSV) and, for global shifts, the same as JSON. Rows are sorted by ROI, cycle (in the order
of their names), block_i and block_j.

With --missing, cycles whose table could not be made, or is damaged, are left out; the merged table
then says in its meta data, under "missing", which ones and why.
"""

import argparse
import sys
from collections.abc import Container
from pathlib import Path

from crossreg.io.errors import UserError
from crossreg.io.sheet import read_sheet
from crossreg.io.tables import (
    GLOBAL_COLUMNS,
    LOCAL_COLUMNS,
    read_rows,
    read_table,
    write_global_json,
    write_merged,
)
from crossreg.io.words import counted
from crossreg.workflow_support.command import log, new_parser, run
from crossreg.workflow_support.missing import add_missing_option, read_missing


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
    add_missing_option(parser)
    parser.add_argument("--json", type=Path, help="global shifts as JSON, as pyHiM reads them")
    return parser


def main(options: argparse.Namespace) -> None:
    """Read the tables in the order of ROI and cycle, merge, write."""
    columns = GLOBAL_COLUMNS if options.kind == "global" else LOCAL_COLUMNS
    samples = read_sheet(options.samples)
    cycles = sorted(
        (int(sample.roi), sample.cycle, sample.roi)
        for sample in samples
        if sample.cycle != options.reference
    )
    tables = {(roi, cycle): options.tables / roi / f"{cycle}.ecsv" for _, cycle, roi in cycles}
    missing = read_missing(options.missing)
    if options.missing:
        missing |= damaged(tables, columns, missing)
    reasons = [
        {"ROI": roi, "label": cycle, "reason": reason}
        for (roi, cycle), reason in sorted(missing.items())
    ]
    there = [path for key, path in tables.items() if key not in missing]
    rows = write_merged(options.output, there, columns, **({"missing": reasons} if reasons else {}))
    if options.json:
        names = {int(sample.roi): sample.roi for sample in samples}
        write_global_json(options.json, read_table(options.output), names)
    log.info("%d rows of %d cycles", rows, len(there))
    if missing:
        names = ", ".join(f"ROI {roi} {cycle}" for roi, cycle in sorted(missing)[:10])
        lacking = counted(len(missing), "cycle")
        log.error("%s lacks %s (%s); it says why.", options.output, lacking, names)


def damaged(
    tables: dict[tuple[str, str], Path], columns: dict[str, type], known: Container[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Return what is wrong with the tables of cycles that cannot be read, of those not `known`."""
    faults = {}
    for key, path in tables.items():
        if key not in known:
            try:
                read_rows(path, columns)
            except UserError as error:
                faults[key] = str(error)
    return faults


if __name__ == "__main__":
    sys.exit(run(parser(), main))
