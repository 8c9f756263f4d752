"""Draw drift, share of borrowed blocks and quality of all ROIs and cycles, and each ROI's drift.

In: the summary of all ROIs. Out: pictures, experiment.png and ROI/drift.png.
"""

import argparse
import itertools
import sys
from pathlib import Path

from crossreg.fiducial.experiment.parameter_options import add_options
from crossreg.fiducial.summary.cycle_summary import read_summaries
from crossreg.pictures.drawing.canvas import save_png
from crossreg.pictures.of_experiment.drift import drift_figure
from crossreg.pictures.of_experiment.heat_maps import heat_maps_figure
from crossreg.workflow_support.for_scripts.script_main import new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--summary", type=Path, required=True, help="summary of all ROIs (.tsv)")
    parser.add_argument("--reference", required=True, help="name of the reference cycle")
    parser.add_argument("--folder", type=Path, required=True, help="where to write the pictures")
    add_options(parser, ("pixelSizeXY", "pixelSizeZ", "zBinning"))
    return parser


def main(options: argparse.Namespace) -> None:
    """Read, draw, write; cycles come in the order in which the summary has them first."""
    summaries = read_summaries(options.summary)
    cycles = list(dict.fromkeys(summary.cycle for summary in summaries))
    pixel_um, plane_um = options.pixelSizeXY, options.pixelSizeZ * options.zBinning
    save_png(heat_maps_figure(summaries, cycles, pixel_um), options.folder / "experiment.png")
    for roi, of_roi in itertools.groupby(summaries, lambda summary: summary.roi):
        figure = drift_figure(list(of_roi), pixel_um, plane_um, options.reference)
        save_png(figure, options.folder / roi / "drift.png")


if __name__ == "__main__":
    sys.exit(run(parser(), main))
