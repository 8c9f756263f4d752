"""Merge the tables of all cycles into one, sorted by ROI, cycle and block.

In: the sheet of samples and the folder with one table a cycle (ROI/CYCLE.ecsv). Out: the merged
table (ECSV) and, for global shifts, the same as JSON. Rows are sorted by ROI, cycle (in the order
of their names), block_i and block_j.

With --missing, cycles whose table could not be made are left out; the merged table then says in its
meta data, under "missing", which ones and why.
"""

import argparse
import sys
from pathlib import Path

from crossreg.command import log, new_parser, run
from crossreg.fiducial.missing import add_missing_option, read_missing
from crossreg.fiducial.sheet import read_sheet
from crossreg.fiducial.tables import (
    GLOBAL_COLUMNS,
    LOCAL_COLUMNS,
    read_table,
    write_global_json,
    write_merged,
)


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
    missing = read_missing(options.missing)
    cycles = sorted(
        (int(sample.roi), sample.cycle, sample.roi)
        for sample in samples
        if sample.cycle != options.reference and (sample.roi, sample.cycle) not in missing
    )
    reasons = [
        {"ROI": roi, "label": cycle, "reason": reason} for (roi, cycle), reason in missing.items()
    ]
    rows = write_merged(
        options.output,
        [options.tables / roi / f"{cycle}.ecsv" for _, cycle, roi in cycles],
        columns,
        **({"missing": reasons} if reasons else {}),
    )
    if options.json:
        names = {int(sample.roi): sample.roi for sample in samples}
        write_global_json(options.json, read_table(options.output), names)
    log.info("%d rows of %d cycles", rows, len(cycles))


if __name__ == "__main__":
    sys.exit(run(parser(), main))
