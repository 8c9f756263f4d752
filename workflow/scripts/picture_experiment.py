"""Draw drift, share of borrowed blocks and quality of all ROIs and cycles.

In: the summary of all ROIs. Out: a picture (PNG).
"""

import argparse
import sys
from pathlib import Path

from crossreg.fiducial.experiment.parameters import add_options
from crossreg.fiducial.summary import read_summaries
from crossreg.pictures.drawing.canvas import save_png
from crossreg.pictures.of_experiment.heat_maps import heat_maps_figure
from crossreg.workflow_support.for_scripts.script_main import new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--summary", type=Path, required=True, help="summary of all ROIs (.tsv)")
    parser.add_argument("--output", type=Path, required=True, help="picture to write (.png)")
    add_options(parser, ("pixelSizeXY",))
    return parser


def main(options: argparse.Namespace) -> None:
    """Read, draw, write; cycles come in the order in which the summary has them first."""
    summaries = read_summaries(options.summary)
    cycles = list(dict.fromkeys(summary.cycle for summary in summaries))
    save_png(heat_maps_figure(summaries, cycles, options.pixelSizeXY), options.output)


if __name__ == "__main__":
    sys.exit(run(parser(), main))
