"""Registration from Python: two arrays in, an object that applies the result out."""

from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crossreg.fiducial.field.field_file import CycleField
from crossreg.fiducial.field.motion import RIGID, SMOOTH, Motion
from crossreg.fiducial.field.motion_file import MOTIONS, check_size
from crossreg.fiducial.field.sampled_field import sampled
from crossreg.fiducial.global_shift.specimen import shared_by_planes, shift_of_specimen
from crossreg.fiducial.local_shift.local_shifts import local_shifts
from crossreg.fiducial.reference import prepare_reference
from crossreg.io.array_checks import (
    checked_block,
    checked_count,
    checked_pair,
    checked_pixel_size,
    checked_stack,
    even,
)
from crossreg.io.errors import UserError
from crossreg.io.read_stacks import check_z_step, interpolated_planes, planes_at
from crossreg.registration import Registration


def register(
    reference: ArrayLike,
    cycle: ArrayLike,
    *,
    block_size: int = 128,
    pixel_size_um: Sequence[float] | None = None,
    cycle_z_um: float | None = None,
    motion: Path | str = "smooth",
    threads: int = 1,
) -> Registration:
    """Return how a cycle is brought to the reference.

    Parameters
    ----------
    reference, cycle : array_like, shape (Z, Y, X)
        Stacks of the fiducial, planes first: NumPy arrays, lists, or anything that turns into an
        array, such as those of dask and zarr. Rows and columns must agree, planes may differ.
    block_size : int
        Edge of the blocks, px; at least 16, at most the rows or columns.
    pixel_size_um : sequence of three floats, optional
        Micrometres of a plane, a row and a column; for results in nm.
    cycle_z_um : float, optional
        Micrometres of a plane of the cycle, where that is not the reference's: `pixel_size_um` says
        the latter. The cycle is brought to the planes of the reference, and shifts are counted in
        these; `to_reference` and `warp` take the cycle as it is.
    motion : path or str
        How the cycle moves: "smooth", with a smooth deformation; "rigid", as a whole; or the path
        of a file that the workflow's target learn_motion wrote, smooth as far as other cycles do.
    threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    Registration

    Raises
    ------
    UserError
        If an array is no stack of grey values, the block is impossible, or the file of the motion
        is faulty or of other pixel sizes: one sentence says why.

    Examples
    --------
    A texture, moved by 3 rows and -5 columns, each of the two images with noise of its own:

    >>> import numpy as np
    >>> from scipy.ndimage import gaussian_filter
    >>> import crossreg
    >>> random = np.random.default_rng(0)
    >>> light = gaussian_filter(random.normal(size=(8, 160, 160)), 1.5)
    >>> stack = light + random.normal(0, 0.02, light.shape)
    >>> moved = np.roll(light, (-3, 5), axis=(1, 2)) + random.normal(0, 0.02, light.shape)
    >>> found = crossreg.register(stack, moved, block_size=64)
    >>> found.verdict
    'registered'
    >>> (found.shift_at([[4, 80, 80]]).round(1) + 0.0).tolist()
    [[0.0, 3.0, -5.0]]
    >>> found.to_reference([[4, 77, 85]]).round(1).tolist()
    [[4.0, 80.0, 80.0]]
    >>> found.warp(moved).shape
    (8, 160, 160)

    """
    stacks = checked_stack(reference, "reference"), checked_stack(cycle, "cycle")
    checked_pair(stacks[0].shape, stacks[1].shape)
    edge = checked_block(block_size, stacks[0].shape)
    size = checked_pixel_size(pixel_size_um)
    checked_count(threads, "threads")
    z_step = _z_step(cycle_z_um, size)
    kind = _motion(motion, size)
    stacks = even(stacks[0]), _with_planes_apart(even(stacks[1]), z_step)
    projections = [stack.max(axis=0) for stack in stacks]
    start = shift_of_specimen(
        projections, lambda: shared_by_planes(stacks), block_size=edge, threads=threads
    )
    prepared = prepare_reference(stacks[0], block_size_xy=edge, threads=threads)
    shifts = local_shifts(
        prepared,
        stacks[1],
        start.shift_yx,
        turn=start.turn,
        motion=kind,
        is_interpolated=z_step != 1,
        threads=threads,
    )
    shape = stacks[0].shape
    field = CycleField(
        field=sampled(shifts.field, shape, edge),
        status=shifts.status,
        roi=0,
        cycle="",
        reference_file="",
        cycle_file="",
        shape_zyx=shape,
        block_size_xy=edge,
        z_binning=1,
        global_shift_yx=start.shift_yx,
        verdict=shifts.verdict.name,
        reason=shifts.verdict.reason,
        z_step=z_step,
        deformation=shifts.deformation,
    )
    return Registration(field, size)


def _motion(motion: Path | str, size: tuple[float, float, float] | None) -> Motion:
    """Return how a cycle may move; raise UserError if a file says it that is faulty."""
    if motion in MOTIONS:
        return RIGID if motion == "rigid" else SMOOTH
    if not isinstance(motion, str | Path):
        raise UserError(f"motion is {motion!r}; give smooth, rigid, or the path of a file.")
    found = Motion.learned_in(motion)
    if size is None:
        raise UserError(
            f"{motion}: what was learned holds for its pixel size only; give pixel_size_um as well."
        )
    check_size(motion, {"xy": size[1], "z": size[0]})
    return found


def _z_step(cycle_z_um: float | None, size: tuple[float, float, float] | None) -> float:
    """Return how far apart the planes of a cycle are, in planes of the reference."""
    if cycle_z_um is None:
        return 1.0
    if size is None:
        raise UserError("cycle_z_um is given, but not pixel_size_um, the reference's; give both.")
    if not isinstance(cycle_z_um, Real) or not 0 < float(cycle_z_um) < np.inf:
        raise UserError(f"cycle_z_um is {cycle_z_um!r}; give a positive number of micrometres.")
    z_step = float(cycle_z_um) / size[0]
    check_z_step(z_step, "cycle_z_um")
    return z_step


def _with_planes_apart(stack: NDArray[Any], z_step: float) -> NDArray[Any]:
    """Return a stack whose planes are `z_step` planes of the reference apart, brought to these."""
    if z_step == 1:
        return stack
    shape_yx = stack.shape[1], stack.shape[2]
    return interpolated_planes(
        lambda needed: [stack[number] for number in needed],
        planes_at(len(stack), 1, z_step),
        shape_yx,
    )
