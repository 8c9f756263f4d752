"""Registration from Python: two arrays in, an object that applies the result out."""

import operator
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from crossreg.fiducial.apply.stack_resampling import Resampling
from crossreg.fiducial.experiment.roi_numbers import roi_called
from crossreg.fiducial.field.field_file import CycleField, load_field
from crossreg.fiducial.field.motion import RIGID, SMOOTH, Motion
from crossreg.fiducial.field.motion_file import MOTIONS, check_size
from crossreg.fiducial.field.sampled_field import sampled
from crossreg.fiducial.global_shift.specimen import shared_by_planes, shift_of_specimen
from crossreg.fiducial.local_shift.local_shifts import local_shifts
from crossreg.fiducial.reference import prepare_reference
from crossreg.io.array_checks import (
    checked_count,
    checked_pair,
    checked_positions,
    checked_stack,
    even,
)
from crossreg.io.cycle_tables import size_nm_of
from crossreg.io.errors import UserError
from crossreg.io.images.which_stack import Choice
from crossreg.io.missing_notes import missing_reason
from crossreg.io.read_stacks import interpolated_planes, planes_at, read_kept_planes
from crossreg.io.sheet import ALL_COLUMNS, read_sheet

if TYPE_CHECKING:
    import astropy.table
    import matplotlib.figure

SMALLEST_BLOCK = 16
"""Edge (px) of a block below which it holds no structure to match."""
SLAB = 16
"""Planes that are resampled at once."""


@dataclass(frozen=True)
class Registration:
    """How positions and images of a cycle come to the reference.

    Made by `register` or `load_registration`.

    Attributes
    ----------
    cycle_field : CycleField
        The shift and its standard error at any position, and the status of each block.
    pixel_size_um : tuple of float or None
        Micrometres of a kept plane, a row and a column (z, y, x).

    Notes
    -----
    Positions and shifts are in array order (z, y, x): planes (the kept ones, where the workflow
    was told a zBinning), rows, columns. The centre of the first pixel is 0. A shift is what is
    added to a position in the cycle to bring it to the reference, and is given as a function of
    the position in the reference. Blocks are squares in the plane, of the full height of the
    stack; their centres lie in the middle plane, at (start + stop - 1) / 2 of their rows and
    columns, and the last ones may be smaller. In the tables of the workflow, as in pyHiM's,
    `shift_x` belongs to the row and `shift_y` to the column.

    """

    cycle_field: CycleField
    pixel_size_um: tuple[float, float, float] | None = None

    @property
    def verdict(self) -> str:
        """What is said of the cycle: registered, doubtful or failed."""
        return self.cycle_field.verdict

    @property
    def reason(self) -> str:
        """Why the cycle is doubtful or has failed, in one sentence; empty if registered."""
        return self.cycle_field.reason

    def shift_at(self, positions_zyx: ArrayLike) -> NDArray[np.float64]:
        """Return the total shift at positions in the reference.

        Parameters
        ----------
        positions_zyx : array_like, shape (n, 3)
            Positions in the reference: planes, rows, columns.

        Returns
        -------
        numpy.ndarray, shape (n, 3)
            Shift in planes, px, px; NaN if the registration failed.

        """
        return self.cycle_field.field.shift_spline.at(checked_positions(positions_zyx))

    def sigma_at(self, positions_zyx: ArrayLike) -> NDArray[np.float64]:
        """Return the standard error of the shift at positions in the reference, as `shift_at`."""
        return self.cycle_field.field.sigma_at(checked_positions(positions_zyx))

    def to_reference(self, positions_zyx: ArrayLike) -> NDArray[np.float64]:
        """Return where positions seen in the cycle lie in the reference.

        Parameters
        ----------
        positions_zyx : array_like, shape (n, 3)
            Positions in the cycle's stack: planes, rows, columns.

        Returns
        -------
        numpy.ndarray, shape (n, 3)
            The position r that solves r = position + shift(r); NaN if the registration failed.

        """
        positions = checked_positions(positions_zyx) * (self.cycle_field.z_step, 1, 1)
        return self.cycle_field.field.to_reference(positions)

    def warp(self, cycle: ArrayLike, threads: int = 1) -> NDArray[Any]:
        """Return a stack of the cycle in the reference's grid, in one interpolation.

        Parameters
        ----------
        cycle : array_like, shape (Z, Y, X)
            Any channel of the cycle, with the planes that were registered.
        threads : int
            Threads to use.

        Returns
        -------
        numpy.ndarray, shape of the reference
            In the type of `cycle` where that is uint8, uint16 or float32, else float32. What the
            cycle does not show is 0.

        Raises
        ------
        UserError
            If the registration failed, or `cycle` is no stack of the reference's rows and columns.

        """
        if self.cycle_field.failed:
            raise UserError(f"The registration failed, so nothing can be moved: {self.reason}.")
        stack = checked_stack(cycle, "cycle", may_be_empty=True)
        checked_count(threads, "threads")
        shape = self.cycle_field.shape_zyx
        checked_pair(shape, stack.shape)
        z_step = self.cycle_field.z_step
        resampling = Resampling(self.cycle_field.field, stack.shape, shape, 1, 1, z_step)
        result = np.empty(shape, stack.dtype)
        with ThreadPoolExecutor(threads) as pool, threadpool_limits(1, user_api="blas"):
            for start in range(0, shape[0], SLAB):
                planes = range(start, min(start + SLAB, shape[0]))
                need = resampling.needed_planes(planes)
                raw = stack[need.start : need.stop]
                result[start : planes.stop] = resampling.slab(raw, need.start, planes, pool)
        return result

    def table(self) -> "astropy.table.Table":
        """Return the shift at the centre of each block, a row per block.

        Returns
        -------
        astropy.table.Table
            `block_i`, `block_j`: row and column of the block; `row`, `column`: its centre in the
            reference (px); `shift_z`, `shift_row`, `shift_column` and `sigma_z`, `sigma_row`,
            `sigma_column` (planes, px); the same with `_nm` if the pixel size is known; `status`:
            measured, borrowed or failed.

        """
        from astropy.table import Table

        blocks, centres = self._centres()
        shift, sigma = self.cycle_field.field.at(centres)
        columns: dict[str, Any] = {"block_i": blocks[0], "block_j": blocks[1]}
        columns |= {"row": centres[:, 1], "column": centres[:, 2]}
        for prefix, values in (("shift", shift), ("sigma", sigma)):
            for axis, name in enumerate(("z", "row", "column")):
                columns[f"{prefix}_{name}"] = values[:, axis]
                if self.pixel_size_um:
                    nm = values[:, axis] * self.pixel_size_um[axis] * 1000
                    columns[f"{prefix}_{name}_nm"] = nm
        return Table(columns | {"status": self.cycle_field.status.ravel()})

    def plot(self) -> "matplotlib.figure.Figure":
        """Return a figure with the shift of each block along z, rows and columns.

        In nm if the pixel size is known, else in planes and px.
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=(11, 3.4), layout="constrained")
        _, centres = self._centres()
        shift, sigma = self.cycle_field.field.at(centres)
        grid = self.cycle_field.status.shape
        axes = figure.subplots(1, 3)
        scale = 1000 * np.array(self.pixel_size_um) if self.pixel_size_um else np.ones(3)
        units = 3 * ("nm",) if self.pixel_size_um else ("planes", "px", "px")
        for axis, (panel, unit) in enumerate(zip(axes, units, strict=True)):
            image = panel.imshow((shift * scale)[:, axis].reshape(grid))
            name, usual = ("z", "rows", "columns")[axis], np.median((sigma * scale)[:, axis])
            panel.set_title(f"shift along {name} ({unit}), sigma {usual:.3g}")
            panel.set(xlabel="block_j (columns)", ylabel="block_i (rows)")
            figure.colorbar(image, ax=panel)
        return figure

    def __repr__(self) -> str:
        """Return verdict, blocks and median shift in one line."""
        names, counts = np.unique(self.cycle_field.status, return_counts=True)
        blocks = ", ".join(f"{count} {name}" for name, count in zip(names, counts, strict=True))
        text = f"<Registration: {self.verdict}; blocks: {blocks}"
        if self.cycle_field.failed:
            return f"{text}; {self.reason}>"
        z, row, column = np.median(self.shift_at(self._centres()[1]), axis=0)
        return f"{text}; shift z {z:.2f} planes, rows {row:.2f}, columns {column:.2f} px>"

    def _centres(self) -> tuple[tuple[NDArray[Any], NDArray[Any]], NDArray[np.float64]]:
        """Return the (rows, columns) of all blocks, and their centres (n, 3) in the reference."""
        planes, *shape = self.cycle_field.shape_zyx
        edge = self.cycle_field.block_size_xy
        i, j = (index.ravel() for index in np.indices(self.cycle_field.status.shape))
        y, x = (
            (number * edge + np.minimum((number + 1) * edge, size) - 1) / 2
            for number, size in zip((i, j), shape, strict=True)
        )
        return (i, j), np.column_stack([np.full(len(i), (planes - 1) / 2), y, x])


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
    edge = _checked_block(block_size, stacks[0].shape)
    size = _checked_size(pixel_size_um)
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
        prepared, stacks[1], start.shift_yx, turn=start.turn, motion=kind, threads=threads
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
    return float(cycle_z_um) / size[0]


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


def load_registration(
    results: Path | str,
    roi: str | int,
    cycle: str,
    *,
    pixel_size_um: Sequence[float] | None = None,
) -> Registration:
    """Return the registration of a cycle from the results of a finished run.

    Parameters
    ----------
    results : path
        The folder `results` of the workflow.
    roi, cycle : str
        Names as in the results; a ROI may be given as its number.
    pixel_size_um : sequence of three floats, optional
        Micrometres of a kept plane, a row and a column; default: as in the run, which its merged
        table says.

    Returns
    -------
    Registration
        Its planes are the kept ones: every zBinning-th of the raw stack.

    Raises
    ------
    UserError
        If there is no such ROI or cycle, it could not be registered, or its field is damaged.

    """
    folder = Path(results) / "fields"
    paths = sorted(folder.glob("*/*.npz"))
    name = roi_called(str(roi), _rois_of(Path(results)))
    chosen = folder / str(name) / f"{cycle}.npz"
    if chosen not in paths:
        there = "; ".join(f"ROI {path.parent.name}, cycle {path.stem}" for path in paths[:20])
        raise UserError(
            f"{folder}: there is no field of ROI {roi}, cycle {cycle}; there are:"
            f" {there or 'none, so run the workflow first'}."
        )
    reason = missing_reason(chosen)
    if reason is not None:
        raise UserError(f"{chosen}: cycle {cycle} of ROI {roi} could not be registered: {reason}")
    size = _checked_size(pixel_size_um) or _size_of_run(Path(results))
    return Registration(load_field(chosen), size)


def read_stack(
    path: Path | str,
    z_binning: int = 1,
    *,
    channel: str | int = "",
    series: str | int = "",
    time: str | int = "",
    frames: str = "",
) -> NDArray[Any]:
    """Return planes 0, n, 2n, ... (n = `z_binning`) of an image file as an array (Z, Y, X).

    Where the file holds several stacks, `channel` and `series` (names or numbers from 0), `time` (a
    number from 0) and `frames` ("2::5": every fifth plane from the third) say which one is meant.
    Raises UserError if the file is missing or damaged, or if that does not say which.
    """
    choice = Choice(str(series), str(channel), str(time), frames)
    return read_kept_planes(path, checked_count(z_binning, "z_binning"), choice=choice)


def _size_of_run(results: Path) -> tuple[float, float, float] | None:
    """Return the size (z, y, x; um) of kept planes and px in a run; None if nothing says it."""
    nm = size_nm_of(results / "register_global.ecsv")
    return (nm[0] / 1000, nm[1] / 1000, nm[1] / 1000) if nm else None


def _rois_of(results: Path) -> set[str]:
    """Return the names of the ROIs of a run, all of them, as their numbers may depend on that."""
    sheet = results / "samples.tsv"
    if sheet.is_file():
        return {sample.roi for sample in read_sheet(sheet, ALL_COLUMNS)}
    return {path.name for path in (results / "fields").glob("*")}


def _checked_block(block_size: int, shape: Sequence[int]) -> int:
    """Return the block's edge; raise UserError if it is no whole number, or impossible."""
    if min(shape[1:]) < SMALLEST_BLOCK:
        raise UserError(
            f"The planes have {shape[1]} x {shape[2]} px, fewer than the {SMALLEST_BLOCK} of the"
            " smallest block; if the axes are in another order, move them to (planes, rows,"
            " columns)."
        )
    try:
        edge = operator.index(block_size)
    except TypeError:
        raise UserError(f"block_size is {block_size!r}; give a whole number of px.") from None
    if isinstance(block_size, bool) or not SMALLEST_BLOCK <= edge <= min(shape[1:]):
        raise UserError(
            f"block_size is {block_size}, but it must be from {SMALLEST_BLOCK} to"
            f" {min(shape[1:])} px, the smaller side of the planes."
        )
    return edge


def _checked_size(size: Sequence[float] | None) -> tuple[float, float, float] | None:
    """Return a pixel size (z, y, x); raise UserError unless it is three positive numbers."""
    if size is None:
        return None
    try:
        z, y, x = (float(value) for value in size)
    except (TypeError, ValueError):
        z = y = x = np.nan
    if not all(np.isfinite(value) and value > 0 for value in (z, y, x)):
        raise UserError(f"pixel_size_um is {size!r}; give three positive numbers (z, y, x).")
    if z == y != x:
        raise UserError(
            f"pixel_size_um is {size!r}, as if the size along z came last; give it as (z, y, x)."
        )
    return z, y, x
