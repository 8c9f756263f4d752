"""Compare two tables of blocks: crossreg's and pyHiM's, or those of two runs.

In: two tables (ECSV: .ecsv, .dat, .table). Out: on the terminal, the median and largest difference
of each cycle; if asked for, a picture of where in the image they differ.
"""

import argparse
import sys
from pathlib import Path

from crossreg.fiducial.apply.compared_tables import (
    NEEDED,
    compared,
    comparison_figure,
    comparison_text,
)
from crossreg.io.cycle_tables import read_table, size_nm_of
from crossreg.io.errors import UserError
from crossreg.io.files import whole
from crossreg.workflow_support.for_scripts.chosen_outputs import add_overwrite, check_new
from crossreg.workflow_support.for_scripts.script_main import new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("first", type=Path, help="table of blocks")
    parser.add_argument("second", type=Path, help="table of blocks to compare with it")
    parser.add_argument("--picture", type=Path, help="picture to write (.png)")
    add_overwrite(parser)
    return parser


def main(options: argparse.Namespace) -> None:
    """Read, compare, print, draw."""
    if options.picture:
        if options.picture.suffix.lower() != ".png":
            raise UserError(f"{options.picture}: the picture is a PNG; let its name end with .png.")
        check_new(options.picture, options.overwrite)
    tables = [read_table(path, NEEDED) for path in (options.first, options.second)]
    found = compared(*({name: table[name] for name in table.colnames} for table in tables))
    # pyHiM's tables do not say how large planes and pixels are; ours do.
    sizes = [size_nm_of(path) for path in (options.first, options.second)]
    print(comparison_text(found, sizes[0] or sizes[1]), end="")
    if options.picture:
        with whole(options.picture) as temporary:
            comparison_figure(found).savefig(temporary, format="png", dpi=120)


if __name__ == "__main__":
    sys.exit(run(parser(), main))
