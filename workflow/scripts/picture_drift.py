"""Draw the drift of one ROI over its cycles.

In: the summary of the ROI. Out: a picture (PNG).
"""

import argparse
import sys
from pathlib import Path

from crossreg.fiducial.experiment.parameters import add_options
from crossreg.fiducial.summary import read_summaries
from crossreg.pictures.drawing.canvas import save_png
from crossreg.pictures.of_experiment.drift import drift_figure
from crossreg.workflow_support.for_scripts.script_main import new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--summary", type=Path, required=True, help="summary of the ROI (.tsv)")
    parser.add_argument("--reference", required=True, help="name of the reference cycle")
    parser.add_argument("--output", type=Path, required=True, help="picture to write (.png)")
    add_options(parser, ("pixelSizeXY", "pixelSizeZ", "zBinning"))
    return parser


def main(options: argparse.Namespace) -> None:
    """Read, draw, write."""
    plane_um = options.pixelSizeZ * options.zBinning
    summaries = read_summaries(options.summary)
    figure = drift_figure(summaries, options.pixelSizeXY, plane_um, options.reference)
    save_png(figure, options.output)


if __name__ == "__main__":
    sys.exit(run(parser(), main))
