"""Prepare the reference stack of a ROI for the local step, once for all its cycles.

In: the reference's stack. Out: what the correlation of its blocks needs, in one file. If
asked for, also small images of the stack, from which pictures are drawn.
"""

import argparse
import sys
from pathlib import Path

from crossreg.fiducial.experiment.parameter_options import add_options
from crossreg.fiducial.experiment.parameters import LOCAL_PARAMETERS, spelt
from crossreg.fiducial.reference import prepare_reference, save_reference
from crossreg.io.images.which_stack import add_image_option, choice_of
from crossreg.io.intermediate_arrays import made_with
from crossreg.io.read_stacks import check_block_fits, read_header, read_kept_planes
from crossreg.pictures.of_cycles.previews import save_preview
from crossreg.pictures.of_cycles.stack_previews import slab_of, stack_preview
from crossreg.workflow_support.for_scripts.script_main import new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__, outcome=True)
    parser.add_argument("--reference", type=Path, required=True, help="image file of the reference")
    add_image_option(parser, "reference")
    parser.add_argument("--output", type=Path, required=True, help="prepared reference to write")
    parser.add_argument("--preview", type=Path, help="small images for pictures to write (.npz)")
    parser.add_argument("--threads", type=int, default=1, help="threads to use (default: 1)")
    add_options(parser, LOCAL_PARAMETERS)
    return parser


def main(options: argparse.Namespace) -> None:
    """Read, prepare, write."""
    choice = choice_of(options.reference_image)
    header = read_header(options.reference, choice)
    check_block_fits(
        header, options.blockSizeXY, spelt("blockSizeXY", options.written_in), options.reference
    )
    stack = read_kept_planes(options.reference, options.zBinning, options.threads, choice)
    reference = prepare_reference(
        stack,
        block_size_xy=options.blockSizeXY,
        lower_threshold=vars(options)["3D_lower_threshold"],
        higher_threshold=vars(options)["3D_higher_threshold"],
        background_sigma=options.background_sigma,
        threads=options.threads,
    )
    parameters = {key: vars(options)[key] for key in LOCAL_PARAMETERS}
    origin = made_with(options.reference, parameters, options.reference_image)
    save_reference(options.output, reference, origin)
    if options.preview:
        slab = slab_of(stack.max(axis=0), options.blockSizeXY)
        save_preview(options.preview, stack_preview(stack, slab, full=True))


if __name__ == "__main__":
    sys.exit(run(parser(), main, outputs=("output", "preview")))
