"""Measure the local 3D shift of every block of one cycle of one ROI.

In: the cycle's stack, the prepared reference and the cycle's global shift. Out: a table with
one row per block (ECSV): the residual after the global shift, to be added to a position in the
cycle; shift_z in kept planes, shift_x along rows and shift_y along columns of the image in px.
If asked for, also the field that gives the shift at any position, for what applies it, and small
images of the stack, from which the cycle's pictures are drawn.
"""

import argparse
import sys
from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from crossreg.fiducial.block_grid import block_grid
from crossreg.fiducial.experiment.parameter_options import add_options
from crossreg.fiducial.experiment.parameters import LOCAL_PARAMETERS
from crossreg.fiducial.field.field_file import CycleField, save_field
from crossreg.fiducial.field.motion import RIGID, SMOOTH, Motion
from crossreg.fiducial.field.motion_file import MOTIONS
from crossreg.fiducial.field.sampled_field import sampled
from crossreg.fiducial.local_shift.local_shifts import LocalShifts, local_shifts
from crossreg.fiducial.reference import Reference, load_reference
from crossreg.fiducial.threads import threads_of
from crossreg.fiducial.verdict import REGISTERED
from crossreg.io.cycle_tables import (
    LOCAL_COLUMNS,
    new_table,
    read_global_row,
    write_table,
)
from crossreg.io.ecsv import Table
from crossreg.io.images.which_stack import add_image_option, choice_of
from crossreg.io.intermediate_arrays import made_with
from crossreg.io.missing_notes import refuse_missing
from crossreg.io.read_stacks import read_kept_planes
from crossreg.pictures.of_cycles.previews import load_preview, save_preview
from crossreg.pictures.of_cycles.stack_previews import blocks_to_detail, stack_preview
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__, outcome=True)
    parser.add_argument(
        "--reference-blocks", type=Path, required=True, help="prepared reference of the ROI"
    )
    parser.add_argument(
        "--reference",
        type=Path,
        help="stack of the reference: what was prepared is refused where the stack has changed",
    )
    add_image_option(parser, "reference")
    parser.add_argument("--cycle", type=Path, required=True, help="image file of the cycle")
    add_image_option(parser, "cycle")
    parser.add_argument(
        "--global-shift", type=Path, required=True, help="table of the cycle's global shift (.ecsv)"
    )
    parser.add_argument("--output", type=Path, required=True, help="table to write (.ecsv)")
    parser.add_argument("--field", type=Path, help="field of the cycle to write (.npz)")
    parser.add_argument("--preview", type=Path, help="small images for pictures to write (.npz)")
    parser.add_argument(
        "--reference-preview", type=Path, help="those of the reference; needed for --preview"
    )
    parser.add_argument(
        "--no-borrow",
        dest="borrow",
        action="store_false",
        help="write the measured shift of every block, however weak",
    )
    parser.add_argument(
        "--motion",
        choices=MOTIONS,
        default="smooth",
        help="rigid: one shift everywhere, for a stage that drifts without deformation",
    )
    parser.add_argument(
        "--learned-motion",
        type=Path,
        help="how far other cycles deform, a file that learn_motion wrote (.json)",
    )
    parser.add_argument("--threads", type=int, default=1, help="threads to use (default: 1)")
    add_options(parser, LOCAL_PARAMETERS)
    return parser


def main(options: argparse.Namespace) -> None:
    """Read, measure, write."""
    refuse_missing(options.reference_blocks, options.global_shift, options.reference_preview)
    row = read_global_row(options.global_shift)
    choice = choice_of(options.cycle_image)
    z_step = float(row["z_step"])
    stack = read_kept_planes(options.cycle, options.zBinning, options.threads, choice, z_step)
    shift_yx = (float(row["shift_x"]), float(row["shift_y"]))
    reference = load_reference(options.reference_blocks, expected_of_reference(options, row))
    shifts = local_shifts(
        reference,
        stack,
        shift_yx,
        turn=float(row["turn"]),
        lower_threshold=vars(options)["3D_lower_threshold"],
        higher_threshold=vars(options)["3D_higher_threshold"],
        background_sigma=options.background_sigma,
        borrow=options.borrow,
        motion=motion_of(options),
        is_interpolated=z_step != 1,
        threads=options.threads,
    )
    tell(shifts, row)
    write_table(options.output, as_table(shifts, row, options.blockSizeXY))
    with threads_of(options.threads) as pool, threadpool_limits(1, user_api="blas"):
        if options.preview:
            slab = load_preview(options.reference_preview).slab
            grid = block_grid(stack.shape[1:], options.blockSizeXY)
            blocks = blocks_to_detail(grid, shifts.confidence)
            preview = pool.submit(stack_preview, stack, slab, shift_yx, blocks)
        if options.field:
            save_field(options.field, as_field(shifts, row, reference, options, pool))
        if options.preview:
            save_preview(options.preview, preview.result())


def motion_of(options: argparse.Namespace) -> Motion:
    """Return how the cycle may move."""
    if options.motion == "rigid":
        return RIGID
    return Motion.learned_in(options.learned_motion) if options.learned_motion else SMOOTH


def expected_of_reference(options: argparse.Namespace, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the prepared reference must have been made with.

    Without --reference the image is compared by its name only, as it stands in the table.
    """
    parameters = {key: vars(options)[key] for key in LOCAL_PARAMETERS}
    if options.reference:
        return made_with(options.reference, parameters, options.reference_image)
    return {"image": str(row["reference file"]), **parameters}


def tell(shifts: LocalShifts, row: Mapping[str, Any]) -> None:
    """Log how many blocks were measured; warn of a cycle that is doubtful or has failed."""
    names, counts = np.unique(shifts.status, return_counts=True)
    log.info("blocks: %s", ", ".join(f"{n} {name}" for name, n in zip(names, counts, strict=True)))
    verdict = shifts.verdict
    if verdict.name != REGISTERED:
        place = row["ROI name"], row["label"]
        log.warning("ROI %s, cycle %s: %s: %s", *place, verdict.name, verdict.reason)


def as_field(
    shifts: LocalShifts,
    row: Mapping[str, Any],
    reference: Reference,
    options: argparse.Namespace,
    pool: Executor,
) -> CycleField:
    """Return the field of the cycle, sampled; NaN where the cycle failed."""
    shape = (len(reference.binned.planes), *reference.image_shape)
    return CycleField(
        field=sampled(shifts.field, shape, options.blockSizeXY, pool),
        status=shifts.status,
        roi=int(row["ROI #"]),
        cycle=str(row["label"]),
        reference_file=str(row["reference file"]),
        cycle_file=str(row["aligned file"]),
        shape_zyx=shape,
        block_size_xy=options.blockSizeXY,
        z_binning=options.zBinning,
        global_shift_yx=(float(row["shift_x"]), float(row["shift_y"])),
        z_step=float(row["z_step"]),
        verdict=shifts.verdict.name,
        reason=shifts.verdict.reason,
        deformation=shifts.deformation,
    )


def as_table(shifts: LocalShifts, row: Mapping[str, Any], block_size_xy: int) -> Table:
    """Return the table with one row per block, by rows and columns of blocks."""
    n_i, n_j = shifts.status.shape
    count = n_i * n_j
    block_i, block_j = (index.ravel() for index in np.indices((n_i, n_j)))
    values = {name: np.full(count, row[name]) for name in LOCAL_COLUMNS if name in row}
    values |= {"blockXY": np.full(count, block_size_xy), "block_i": block_i, "block_j": block_j}
    values |= {
        "global_x": np.full(count, row["shift_x"]),
        "global_y": np.full(count, row["shift_y"]),
    }
    for prefix, grid in (
        ("shift", shifts.shift_zyx),
        ("measured", shifts.measured_zyx),
        ("sigma", shifts.sigma_zyx),
    ):
        for axis, name in enumerate("zxy"):
            values[f"{prefix}_{name}"] = grid[..., axis].ravel()
    for axis, name in enumerate(("xy", "zy", "zx")):
        values[f"quality_{name}"] = shifts.quality[..., axis].ravel()
    values |= {"confidence": shifts.confidence.ravel(), "status": shifts.status.ravel()}
    noise = {} if shifts.noise is None else {"noise": shifts.noise.as_text()}
    return new_table(
        LOCAL_COLUMNS,
        values,
        verdict=shifts.verdict.name,
        reason=shifts.verdict.reason,
        log10_odds=round(shifts.evidence.log10_odds, 1),
        confidence_threshold=float(shifts.confidence_threshold),
        null_pairs=int(shifts.null_pairs),
        **{
            f"held_out_{axis}": float(value)
            for axis, value in zip("zxy", shifts.held_out_zyx, strict=True)
        },
        **noise,
    )


if __name__ == "__main__":
    sys.exit(run(parser(), main, outputs=("output", "field", "preview")))
