"""Say how far the demo's registered spots are from where they were planted.

In: the registered tables of spots, which also hold the planted positions. Out: a few lines of text.
"""

import argparse
import csv
import io
import sys
from pathlib import Path

import numpy as np

import find_crossreg  # noqa: F401
from crossreg.fiducial.experiment.parameter_options import add_options
from crossreg.io.files import read_text, write_text
from crossreg.workflow_support.for_scripts.script_main import new_parser, run

AXES = ("z", "y", "x")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--tables", type=Path, nargs="+", required=True, help="registered tables")
    parser.add_argument("--output", type=Path, required=True, help="text to write")
    add_options(parser, ("zBinning", "pixelSizeZ", "pixelSizeXY"))
    return parser


def main(options: argparse.Namespace) -> None:
    """Compare and write."""
    rows = [
        row
        for path in options.tables
        for row in csv.DictReader(io.StringIO(read_text(path)))
        if row["registration"] != "reference"
    ]
    found, seen, truth = (
        np.array([[float(row[f"{prefix}{axis}"]) for axis in AXES] for row in rows])
        for prefix in ("", "raw_", "planted_")
    )
    # From planes of the raw stack to those that zBinning keeps.
    units = np.array((options.zBinning, 1, 1))
    nm = np.array((options.pixelSizeZ, options.pixelSizeXY, options.pixelSizeXY)) * 1000
    lines = [
        f"{len(rows)} spots against their planted positions, rms (z in kept planes; rows, columns"
        " in px; in nm):"
    ]
    for name, positions in (("as seen in their cycle", seen), ("registered", found)):
        rms = np.sqrt(((positions - truth) ** 2).mean(axis=0))
        figures = (*(rms / units), *(rms * nm))
        lines.append(f"{name:<24}" + "".join(f"{figure:>10.3f}" for figure in figures))
    write_text(options.output, "\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(run(parser(), main))
