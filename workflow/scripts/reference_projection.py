"""Project the reference stack of a ROI along z, once for all its cycles.

In: the reference's stack. Out: its projection (Y, X), all planes unbinned, with
what it was made with. If asked
for, also a small image of it, from which pictures are drawn.
"""

import argparse
import sys
from pathlib import Path

from crossreg.fiducial.experiment.parameters import add_options, projected_planes, spelt_planes
from crossreg.io.images.which_stack import add_image_option, choice_of
from crossreg.io.intermediate_arrays import made_with, save_arrays
from crossreg.io.read_stacks import read_projection
from crossreg.pictures.of_cycles.previews import save_preview
from crossreg.pictures.of_cycles.stack_previews import projection_preview
from crossreg.workflow_support.for_scripts.script_main import new_parser, run

PARAMETERS = ("mode", "zProjectOption", "zmin", "zmax")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__, outcome=True)
    parser.add_argument("--reference", type=Path, required=True, help="image file of the reference")
    add_image_option(parser, "reference")
    parser.add_argument("--output", type=Path, required=True, help="projection to write (.npy)")
    parser.add_argument("--preview", type=Path, help="small image for pictures to write (.npz)")
    add_options(parser, PARAMETERS)
    return parser


def main(options: argparse.Namespace) -> None:
    """Read, project, write."""
    projection = read_projection(
        options.reference,
        options.zProjectOption,
        projected_planes(vars(options)),
        choice=choice_of(options.reference_image),
        key=spelt_planes(options.written_in),
    )
    parameters = {key: vars(options)[key] for key in PARAMETERS}
    origin = made_with(options.reference, parameters, options.reference_image)
    save_arrays(options.output, [projection], origin)
    if options.preview:
        save_preview(options.preview, projection_preview(projection))


def outputs(options: argparse.Namespace) -> list[Path | None]:
    """Return the files that the command writes."""
    return [options.output, options.preview]


if __name__ == "__main__":
    sys.exit(run(parser(), main, outputs=outputs))
