"""Bring the channels of a cycle to the reference's grid, in one interpolation from its raw stack.

In: the cycle's stack, its field and the reference's stack. Out: one image (C, Z, Y, X) of the size
of the reference, OME-Zarr or OME-TIFF with a pyramid, and a text that says what was done. Every
channel is moved by the field of the fiducial. Without a field the stack is written as it is: the
reference, in the same grid.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from crossreg.fiducial.apply.find_channels import ChannelStack, channel_stacks
from crossreg.fiducial.apply.image_pyramids import (
    CHUNK_PLANES,
    Description,
    write_ome_tiff,
    write_ome_zarr,
)
from crossreg.fiducial.apply.stack_resampling import Resampling
from crossreg.fiducial.experiment.parameter_options import add_options
from crossreg.fiducial.field.field_file import CycleField, load_field
from crossreg.fiducial.field.sampled_field import constant_field
from crossreg.fiducial.threads import threads_of
from crossreg.io.errors import UserError
from crossreg.io.files import write_text
from crossreg.io.images.which_stack import add_image_option, choice_of
from crossreg.io.missing_notes import refuse_missing
from crossreg.io.read_stacks import StackHeader, check_same_size, open_stack, read_header
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run

WRITERS = {"ome-zarr": write_ome_zarr, "ome-tiff": write_ome_tiff}
PARAMETERS = ("zBinning", "pixelSizeXY", "pixelSizeZ")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__, outcome=True)
    parser.add_argument("--reference", type=Path, required=True, help="stack of the reference")
    add_image_option(parser, "reference")
    parser.add_argument("--cycle", type=Path, required=True, help="stack of the cycle's fiducial")
    add_image_option(parser, "cycle")
    parser.add_argument(
        "--channel-of-cycle", default="", help="channel of that file, where its name says it"
    )
    parser.add_argument(
        "--other-channel",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "FILE"),
        help="file of another channel of the cycle; repeat",
    )
    parser.add_argument("--field", type=Path, help="field of the cycle (.npz); none: not moved")
    parser.add_argument("--name", required=True, help="name of the image")
    parser.add_argument(
        "--channel", action="append", default=[], help="channel to write; repeat (default: all)"
    )
    parser.add_argument(
        "--z", choices=("kept", "all"), default="kept", help="planes to write (default: kept)"
    )
    parser.add_argument(
        "--format", choices=tuple(WRITERS), default="ome-zarr", help="(default: ome-zarr)"
    )
    parser.add_argument("--output", type=Path, required=True, help="image to write")
    parser.add_argument("--receipt", type=Path, help="text to write at the end: what was done")
    parser.add_argument("--made-again", help="why this image is made again, for the receipt")
    parser.add_argument("--threads", type=int, default=1, help="threads to use (default: 1)")
    add_options(parser, PARAMETERS)
    return parser


def main(options: argparse.Namespace) -> None:
    """Write the image; remove the one of an earlier run where the cycle can no longer be moved."""
    try:
        write(options)
    except UserError:
        if options.output.is_dir():
            shutil.rmtree(options.output)
        else:
            options.output.unlink(missing_ok=True)
        raise


def write(options: argparse.Namespace) -> None:
    """Check, resample and write."""
    refuse_missing(options.field)
    reference = read_header(options.reference, choice_of(options.reference_image))
    cycle = read_header(options.cycle, choice_of(options.cycle_image))
    check_same_size(reference, cycle, options.cycle)
    fiducial = ChannelStack(options.channel_of_cycle, options.cycle, choice_of(options.cycle_image))
    others = {name: Path(path) for name, path in options.other_channel}
    stacks = channel_stacks(fiducial, others, options.channel)
    found = load_field(options.field) if options.field else None
    resampling = _resampling(options, reference, cycle, found)
    about = Description(
        options.name,
        (len(stacks), *resampling.shape),
        cycle.dtype,
        tuple(stack.name for stack in stacks),
        (
            options.pixelSizeZ * resampling.step,
            options.pixelSizeXY,
            options.pixelSizeXY,
        ),
    )
    with threads_of(options.threads) as pool, threadpool_limits(1, user_api="blas"):
        WRITERS[options.format](options.output, about, _slabs(stacks, resampling, pool))
    channels = ", ".join(about.channels)
    moved = f"moved by {options.field}" if options.field else "not moved: the reference"
    text = f"{options.output.name}: {options.name}, channels {channels}, {moved}"
    log.info("%s", text)
    doubt = f"Its shifts are doubtful: {found.reason}." if found and found.is_doubtful else ""
    if doubt:
        log.warning("%s: %s", options.name, doubt)
    if options.receipt:
        lines = filter(None, (text, doubt, options.made_again))
        write_text(options.receipt, "".join(f"{line}\n" for line in lines))


def _resampling(
    options: argparse.Namespace,
    reference: StackHeader,
    cycle: StackHeader,
    found: CycleField | None,
) -> Resampling:
    """Return how the cycle's stack is resampled; raise UserError if it has no shift.

    `found` is its field; None for the reference.
    """
    planes, rows, columns = reference.shape_zyx
    kept = (len(range(0, planes, options.zBinning)), rows, columns)
    if found is None:
        field, z_step = constant_field((0, 0, 0), (0, 0, 0), kept), 1.0
    else:
        if found.failed:
            raise UserError(
                f"{options.name} does not match the reference, so that it has no shift to be moved"
                " by: it is left out; its pictures show why."
            )
        field, z_step = found.field, found.z_step
    step = options.zBinning if options.z == "kept" else 1
    shape = (len(range(0, planes, step)), rows, columns)
    return Resampling(field, cycle.shape_zyx, shape, step, options.zBinning, z_step)


def _slabs(
    stacks: Sequence[ChannelStack], resampling: Resampling, pool: Executor
) -> Iterator[np.ndarray]:
    """Yield the resampled planes (n, Y, X) of all channels, CHUNK_PLANES at a time.

    Each raw plane is read once, and dropped when no later slab needs it.
    """
    count = resampling.shape[0]
    slabs = [range(a, min(a + CHUNK_PLANES, count)) for a in range(0, count, CHUNK_PLANES)]
    needed = [resampling.needed_planes(planes) for planes in slabs]
    for stack in stacks:
        with open_stack(stack.path, stack.choice) as opened:
            size = (max(map(len, needed)), *opened.shape_zyx[1:])
            window = np.empty(size, opened.series.dtype)
            held = range(0)
            for planes, need in zip(slabs, needed, strict=True):
                both = range(need.start, min(need.stop, held.stop))
                if need.start < held.start:
                    both = range(0)
                for plane in both:
                    window[plane - need.start] = window[plane - held.start]
                missing = [plane for plane in need if plane not in both]
                for plane, pixels in zip(missing, opened.planes(missing), strict=True):
                    window[plane - need.start] = pixels
                held = need
                yield resampling.slab(window[: len(need)], need.start, planes, pool)


if __name__ == "__main__":
    # The image is a folder or a file that is not there where its receipt is a note.
    sys.exit(run(parser(), main, outputs=("receipt",)))
