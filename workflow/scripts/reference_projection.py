"""Project the reference stack of a ROI along z, once for all its cycles.

In: the reference's stack. Out: its projection (Y, X), all planes unbinned, with
what it was made with. If asked
for, also a small image of it, from which pictures are drawn.
"""

import argparse
import sys
from pathlib import Path

from crossreg.fiducial.experiment.parameter_options import add_options
from crossreg.fiducial.projection import PROJECTION_PARAMETERS, described_projection
from crossreg.io.images.which_stack import add_image_option, choice_of
from crossreg.io.intermediate_arrays import made_with, save_arrays
from crossreg.pictures.of_cycles.previews import save_preview
from crossreg.pictures.of_cycles.stack_previews import projection_preview
from crossreg.workflow_support.for_scripts.script_main import new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__, outcome=True)
    parser.add_argument("--reference", type=Path, required=True, help="image file of the reference")
    add_image_option(parser, "reference")
    parser.add_argument("--output", type=Path, required=True, help="projection to write (.npy)")
    parser.add_argument("--preview", type=Path, help="small image for pictures to write (.npz)")
    add_options(parser, PROJECTION_PARAMETERS)
    return parser


def main(options: argparse.Namespace) -> None:
    """Read, project, write."""
    choice = choice_of(options.reference_image)
    projection = described_projection(options, options.reference, choice)
    parameters = {key: vars(options)[key] for key in PROJECTION_PARAMETERS}
    origin = made_with(options.reference, parameters, options.reference_image)
    save_arrays(options.output, [projection], origin)
    if options.preview:
        save_preview(options.preview, projection_preview(projection))


if __name__ == "__main__":
    sys.exit(run(parser(), main, outputs=("output", "preview")))
