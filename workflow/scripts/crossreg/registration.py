"""How a cycle comes to the reference, for use in Python: positions, images, tables, a figure."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from crossreg.fiducial.apply.stack_resampling import Resampling
from crossreg.fiducial.field.field_file import CycleField
from crossreg.fiducial.threads import threads_of
from crossreg.io.array_checks import (
    checked_count,
    checked_pair,
    checked_positions,
    checked_stack,
)
from crossreg.io.errors import UserError

if TYPE_CHECKING:
    import astropy.table
    import matplotlib.figure

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
        with threads_of(threads) as pool, threadpool_limits(1, user_api="blas"):
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
