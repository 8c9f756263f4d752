"""Print the table over the sections of a registration; exit with status 1 if any has errors.

In:  the table as trakem2_check wrote it, as TSV and as text.
Out: the text and the name of each section with errors, on the terminal.
"""

import argparse
import csv
import sys
from pathlib import Path

from crossreg.io.files import read_text
from crossreg.workflow_support.script_main import log, new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    parser = new_parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="table (TSV) of trakem2_check")
    parser.add_argument("--text", type=Path, required=True, help="the same table as text")
    parser.add_argument(
        "--reports", type=Path, required=True, metavar="FOLDER", help="folder of the reports"
    )
    return parser


def main(options: argparse.Namespace) -> int:
    """Return the exit status."""
    print(read_text(options.text), end="", flush=True)
    rows = csv.DictReader(read_text(options.table).splitlines(), delimiter="\t")
    faulty = [row["section"] for row in rows if row["errors"] != "0"]
    for stem in faulty:
        log.error("section %s has errors: %s says which.", stem, options.reports / f"{stem}.txt")
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(run(parser(), main))
