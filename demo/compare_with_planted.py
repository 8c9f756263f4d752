"""Say how far the demo's registered shifts are from the planted ones.

In: the merged table of local shifts and the tables of planted shifts. Out: a few lines of text.
"""

import argparse
import csv
import io
import sys
from pathlib import Path

import numpy as np
from astropy.table import Table

import find_crossreg  # noqa: F401
from crossreg.fiducial.experiment.parameter_options import add_options
from crossreg.io.cycle_tables import LOCAL_COLUMNS, read_table
from crossreg.io.files import read_text, write_text
from crossreg.workflow_support.for_scripts.script_main import new_parser, run

AXES = ("z", "x", "y")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="merged table of local shifts")
    parser.add_argument(
        "--planted", type=Path, nargs="+", required=True, help="tables of planted shifts"
    )
    parser.add_argument("--output", type=Path, required=True, help="text to write")
    add_options(parser, ("zBinning", "pixelSizeZ", "pixelSizeXY"))
    return parser


def main(options: argparse.Namespace) -> None:
    """Compare and write."""
    planted = {}
    for path in options.planted:
        for row in csv.DictReader(io.StringIO(read_text(path)), delimiter="\t"):
            key = (int(row["roi"]), row["cycle"], int(row["block_i"]), int(row["block_j"]))
            planted[key] = [float(row[f"shift_{axis}"]) for axis in AXES]
    plane, pixel = 1000 * options.pixelSizeZ * options.zBinning, 1000 * options.pixelSizeXY
    nm = np.array((plane, pixel, pixel))
    text = comparison(read_table(options.table, LOCAL_COLUMNS), planted, nm)
    write_text(options.output, text)


def comparison(
    table: Table, planted: dict[tuple[int, str, int, int], list[float]], nm_zxy: np.ndarray
) -> str:
    """Return lines with the rms and the largest error on each axis, by status of the blocks.

    `nm_zxy` are the nm of a kept plane and of a px along rows and columns.
    """
    keys = zip(table["ROI #"], table["label"], table["block_i"], table["block_j"], strict=True)
    truth = np.array([planted[int(roi), str(c), int(i), int(j)] for roi, c, i, j in keys])
    total = np.stack(
        [
            table["shift_z"],
            table["shift_x"] + table["global_x"],
            table["shift_y"] + table["global_y"],
        ]
    ).T
    errors = total - truth
    header = [f"{kind} {axis}" for kind in ("rms", "worst") for axis in AXES]
    header += [f"{axis} [nm]" for axis in AXES]
    lines = [
        "Registered against planted shifts (z in kept planes; x along rows, y along columns in px;"
        " rms in nm):",
        f"{'blocks':<14}" + "".join(f"{word:>10}" for word in header),
    ]
    for name in ("measured", "borrowed", "failed", "all"):
        chosen = errors[(np.array(table["status"]) == name) | (name == "all")]
        if len(chosen):
            rms = np.sqrt((chosen**2).mean(axis=0))
            figures = (*rms, *np.abs(chosen).max(axis=0))
            label = f"{len(chosen)} {name}"
            lines.append(
                f"{label:<14}"
                + "".join(f"{figure:>10.3f}" for figure in figures)
                + "".join(f"{figure:>10.1f}" for figure in rms * nm_zxy)
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(run(parser(), main))
