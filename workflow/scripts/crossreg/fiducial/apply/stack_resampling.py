"""A cycle's stack brought to the reference's grid in one interpolation, slab by slab.

An output pixel at r of the reference shows what the raw stack holds at c = r - shift(r). Keys'
cubic convolution (1981, doi:10.1109/TASSP.1981.1163711) is applied along z, then y, then x, in
floating point and with the shift of every pixel: the same as one interpolation in 3D, for 12
instead of 64 products a pixel. For this, the shift in z is wanted as a function of the rows and
columns of the cycle, and that in y of the columns of the cycle (Catmull and Smith 1980,
doi:10.1145/965105.807505).
"""

import functools
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from crossreg.fiducial.field.grid_spline import GridSpline
from crossreg.fiducial.field.sampled_field import SampledField

TILE_YX = (64, 256)
"""Rows and columns that are worked on at once: a slab of them fits a processor's cache."""
COARSE_STEP = 8
"""Distance (px) of the shifts between which those of pixels are interpolated linearly: where
gradients change over 60 px the error is below 0.003 px."""
SAME_SHIFT = 0.02
"""Difference (px, raw planes) up to which neighbouring planes share a shift."""
FINENESS = 512
"""Positions within a pixel that are told apart: the nearest is at most 0.001 px away."""
ROUNDS = 12
"""Rounds of solving for a place in the reference: enough for gradients below 0.3, a turn of 16
degrees."""
AHEAD = 2
"""Pixels after the one before a position that the kernel needs; one before it is needed, too."""


@dataclass(frozen=True)
class Resampling:
    """How a raw stack is brought to the reference's grid.

    `field` is the cycle's total shift (kept planes, px), `raw_shape` (planes, rows, columns) of
    the cycle's raw stack, `shape` that of the result. Output plane k is raw plane `step` * k of
    the reference; `z_binning` raw planes are one kept plane. Raw planes of the cycle are `z_step`
    raw planes of the reference apart.
    """

    field: SampledField
    raw_shape: tuple[int, int, int]
    shape: tuple[int, int, int]
    step: int
    z_binning: int
    z_step: float = 1.0

    def needed_planes(self, planes: range) -> range:
        """Return which raw planes some output planes are interpolated from."""
        ends = np.array([planes[0], planes[-1]])
        positions = self._stride * ends[:, None, None] - self._shifts(ends)[0]
        last = self.raw_shape[0] - 1
        first, stop = np.floor(positions.min()) - 1, np.floor(positions.max()) + AHEAD + 1
        return range(int(np.clip(first, 0, last)), int(np.clip(stop, 1, last + 1)))

    def slab(self, raw: np.ndarray, first: int, planes: range, pool: Executor) -> np.ndarray:
        """Return output planes (n, Y, X), in the type of `raw`.

        `raw` (m, rows, columns) holds the raw planes `needed_planes(planes)`, of which `first` is
        the number of the first. What the raw stack does not show is 0.
        """
        result = np.empty((len(planes), *self.shape[1:]), raw.dtype)
        groups = self._groups(planes)
        shifts = self._shifts(np.array([(group[0] + group[-1]) / 2 for group in groups]))
        starts = [self._stride * group[0] - first for group in groups]

        def work(tile: tuple[range, range]) -> None:
            rows, columns = tile
            done = _Tile(shifts, raw, rows, columns)
            for number, group in enumerate(groups):
                place = slice(group[0] - planes[0], group[-1] + 1 - planes[0])
                values = done.values(number, starts[number], len(group), self.step)
                inside = done.inside(number, self._stride * np.array(group), self.raw_shape)
                if inside is not None:
                    values *= inside
                result[place, rows.start : rows.stop, columns.start : columns.stop] = _as_type(
                    values, raw.dtype
                )

        list(pool.map(work, _tiles(self.shape[1:])))
        return result

    @property
    def _stride(self) -> float:
        """Return how many raw planes of the cycle lie between two output planes."""
        return self.step / self.z_step

    def _groups(self, planes: range) -> list[range]:
        """Return the planes in groups within which the shift hardly changes.

        Those of a group are whole planes of the cycle apart: where none are, each is by itself.
        """
        if self.z_step != 1:
            return [planes[number : number + 1] for number in range(len(planes))]
        nodes = self.field.nodes_zyx[0]
        slopes = np.diff(self.field.shift_zyx, axis=0) / (nodes[1] - nodes[0])
        a_plane = np.abs(slopes).max(axis=(0, 1, 2)) * (self.z_binning, 1, 1)
        steepest = float(a_plane.max()) * self.step / self.z_binning
        size = int(min(max(SAME_SHIFT / max(steepest, 1e-9), 1), len(planes)))
        return [planes[start : start + size] for start in range(0, len(planes), size)]

    def _shifts(self, planes: np.ndarray) -> np.ndarray:
        """Return the shifts (5, n, cy, cx), float32, of n output planes on the coarse grid.

        First three: along z (raw planes) at rows and columns of the cycle, along y at rows of the
        reference and columns of the cycle, along x at those of the reference. Then those along z
        and y at rows and columns of the reference.
        """
        coarse = [np.arange(0, size + COARSE_STEP, COARSE_STEP) for size in self.shape[1:]]
        found = self._passes.on_grid(planes * self.step / self.z_binning, *coarse)
        found = np.moveaxis(found, -1, 0).astype(np.float32)
        found[[0, 3]] *= self.z_binning / self.z_step
        return found

    @functools.cached_property
    def _passes(self) -> GridSpline:
        """Return the shifts of `_shifts` as functions of the position, z in kept planes."""
        grid = np.stack(np.meshgrid(*self.field.nodes_zyx, indexing="ij"), axis=-1).reshape(-1, 3)
        shift = self.field.shift_spline
        in_cycle, in_columns = grid.copy(), grid.copy()
        for _ in range(ROUNDS):
            in_cycle[:, 1:] = grid[:, 1:] + shift.at(in_cycle)[:, 1:]
            in_columns[:, 2] = grid[:, 2] + shift.at(in_columns)[:, 2]
        here = shift.at(grid)
        found = [shift.at(in_cycle)[:, 0], shift.at(in_columns)[:, 1], here[:, 2], *here[:, :2].T]
        values = np.column_stack(found).reshape(*self.field.shift_zyx.shape[:3], 5)
        return GridSpline(self.field.nodes_zyx, values)


class _Tile:
    """A rectangle of the output, and what is needed of the raw planes for it."""

    def __init__(self, shifts: np.ndarray, raw: np.ndarray, rows: range, columns: range) -> None:
        """Work out which rows and columns of the raw planes are needed."""
        self.rows, self.columns, self.raw = rows, columns, raw
        self.along_x = -_fine(shifts[2], rows, columns)
        self.raw_columns = _needed(columns, self.along_x, raw.shape[2])
        self.along_y = -_fine(shifts[1], rows, self.raw_columns)
        self.raw_rows = _needed(rows, self.along_y, raw.shape[1])
        self.along_z = -_fine(shifts[0], self.raw_rows, self.raw_columns)
        self.here = [-_fine(part, rows, columns) for part in shifts[3:]] + [self.along_x]

    def values(self, group: int, start: float, count: int, step: int) -> np.ndarray:
        """Return the pixels (count, rows, columns), float32, of a group of planes.

        `start` is where its first plane lies in the raw planes, `step` how far apart they are.
        """
        rows, columns = self.raw_rows, self.raw_columns
        raw = self.raw[:, rows.start : rows.stop, columns.start : columns.stop]
        values = _along(raw, 0, start + self.along_z[group], count, step)
        offset = self.rows.start - rows.start
        values = _along(values, 1, offset + self.along_y[group], len(self.rows))
        offset = self.columns.start - columns.start
        return _along(values, 2, offset + self.along_x[group], len(self.columns))

    def inside(
        self, group: int, planes: np.ndarray, shape: tuple[int, int, int]
    ) -> np.ndarray | None:
        """Return which pixels (n, rows, columns) the raw stack of a shape shows; None for all.

        `planes` is where a group of output planes lies without a shift, in raw planes of the cycle.
        """
        along_z, along_y, along_x = (part[group] for part in self.here)
        positions = [
            planes[:, None, None] + along_z,
            np.array(self.rows)[:, None] + along_y,
            np.array(self.columns) + along_x,
        ]
        ends = list(zip(positions, shape, strict=True))
        if all(at.min() >= -0.5 and at.max() <= size - 0.5 for at, size in ends):
            return None
        z, y, x = ((at >= -0.5) & (at <= size - 0.5) for at, size in ends)
        inside: np.ndarray = z & y & x
        return inside


def _along(
    values: np.ndarray, axis: int, positions: np.ndarray, count: int, step: int = 1
) -> np.ndarray:
    """Return values interpolated along an axis, float32, `count` of them.

    The i-th of them lies at `positions` + `step` * i, where `positions` (2D) goes over the other
    axes of a plane: rows and columns. Beyond the ends the last value is taken.
    """
    first = int(np.floor(positions.min())) - 1
    taps = int(np.floor(positions.max())) + AHEAD + 1 - first
    wanted = np.arange(first, first + taps + step * (count - 1))
    if wanted[0] >= 0 and wanted[-1] < values.shape[axis]:
        window = _part(values, axis, slice(first, first + len(wanted)))
    else:
        window = values.take(np.clip(wanted, 0, values.shape[axis] - 1), axis)
    window = window.astype(np.float32, copy=False)
    # Looking weights up is several times faster than working them out for every pixel.
    table = _table(taps)
    number = np.rint((positions - np.float32(first)) * FINENESS).astype(np.intp)
    length = step * (count - 1) + 1
    result: np.ndarray = _part(window, axis, slice(0, length, step)) * table[0].take(number)
    part = np.empty_like(result)
    for tap in range(1, taps):
        chosen = _part(window, axis, slice(tap, tap + length, step))
        np.multiply(chosen, table[tap].take(number), out=part)
        result += part
    return result


def _part(values: np.ndarray, axis: int, chosen: slice) -> np.ndarray:
    part: np.ndarray = values[(*axis * (slice(None),), chosen)]
    return part


@functools.cache
def _table(taps: int) -> list[np.ndarray]:
    """Return the weights of each of `taps` pixels, to be looked up by 1 / FINENESS px."""
    distance = np.abs(np.arange(-taps * FINENESS, taps * FINENESS + 1) / FINENESS)
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = np.minimum(distance, 2)
    outer = ((-0.5 * far + 2.5) * far - 4) * far + 2
    weights = np.where(distance < 1, near, outer).astype(np.float32)
    return [weights[(taps - tap) * FINENESS :] for tap in range(taps)]


def _needed(wanted: range, along: np.ndarray, size: int) -> range:
    """Return which pixels of an axis of some size are needed for `wanted`, moved by `along`."""
    first = wanted.start + int(np.floor(along.min())) - 1
    stop = wanted.stop + int(np.floor(along.max())) + AHEAD
    start = min(max(first, 0), size - 1)
    return range(start, max(min(stop, size), start + 1))


def _fine(coarse: np.ndarray, rows: range, columns: range) -> np.ndarray:
    """Return values (n, rows, columns) interpolated linearly from those (n, cy, cx) of the grid."""
    by_rows, first = _linear(rows, coarse.shape[1])
    by_columns, left = _linear(columns, coarse.shape[2])
    part = coarse[:, first : first + by_rows.shape[1], left : left + by_columns.shape[1]]
    fine: np.ndarray = by_rows @ part @ by_columns.T
    return fine


def _linear(positions: range, count: int) -> tuple[np.ndarray, int]:
    """Return (weights (n, m) of m of the `count` coarse values, the first of these)."""
    at = np.arange(positions.start, positions.stop) / COARSE_STEP
    first = min(int(at[0]), count - 2)
    last = min(int(at[-1]) + 1, count - 1)
    distance = np.abs(at[:, None] - np.arange(first, last + 1))
    return np.maximum(1 - distance, 0).astype(np.float32), first


def _as_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return values in a type: whole numbers are rounded, and kept within its range."""
    if dtype.kind in "ui":
        limits = np.iinfo(dtype)
        np.rint(values, out=values)
        np.clip(values, limits.min, limits.max, out=values)
    return values.astype(dtype)


def _tiles(shape_yx: tuple[int, int]) -> Iterator[tuple[range, range]]:
    height, width = TILE_YX
    for y in range(0, shape_yx[0], height):
        for x in range(0, shape_yx[1], width):
            yield range(y, min(y + height, shape_yx[0])), range(x, min(x + width, shape_yx[1]))
