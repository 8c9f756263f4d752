"""What two stacks, moved onto each other by a field, still say of the shift, cell by cell.

Where a cycle lies e px beside the reference, their difference is e times the gradient of their mean
(Lucas and Kanade 1981). So sums of products of differences and gradients over small cells hold all
that a least-squares fit of e needs, in windows of any size, and how well it fits.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crossreg.fiducial.correlation.binned_stacks import BIN, Stacks

Floats = NDArray[np.float64]
Image = NDArray[np.float32]
ShiftAt = Callable[[Floats], Floats]
"""Gives shifts (n, 3) at positions (n, 3)."""

CELL_BINS = 4
"""Edge (bins) of a cell: finer than anything that a shift can be told from."""
CELL = CELL_BINS * BIN
"""The same in px."""
MOST_SLICES = 8
"""Slices of the stack at most. Planes of a slice are added up: it still shows what they show, and
less noise."""
NEGLIGIBLE = 0.02
"""Shift (bins) that makes no difference."""
OUTSIDE = 1
"""Bins at the edge of what the cycle shows that take no part: gradients reach as far."""


@dataclass(frozen=True)
class CellProducts:
    """Sums over cells (ny, nx), of the gradients g of both images' mean and their difference d.

    `yy`, `yx`, `xx` of the products of g along y and x (per px), `y`, `x` of g times minus d,
    `rest` of d squared, `reference`, `cycle` and `both` of what they are made of.
    """

    yy: Floats
    yx: Floats
    xx: Floats
    y: Floats
    x: Floats
    rest: Floats
    reference: Floats
    cycle: Floats
    both: Floats


@dataclass(frozen=True)
class Slice:
    """Some `planes` of a reference that are looked at together, and what they meet.

    They meet planes of the cycle `step` before them. `more_zyx` (2, 2, 3) is by how much shifts at
    the corners of the image differ at their depth from those in the middle of the stack.
    """

    planes: NDArray[np.int64]
    step: int
    more_zyx: Floats


@dataclass(frozen=True)
class FieldOnCells:
    """A field at the cells of two binned stacks.

    `shift_zyx` (ny, nx, 3) are the shifts in the middle of the stack (planes, px, px); `slices` are
    what the stacks are cut into.
    """

    shift_zyx: Floats
    slices: list[Slice]

    @classmethod
    def of(cls, shift_at: ShiftAt, stacks: Stacks, middle: float) -> "FieldOnCells":
        """Return the field that gives shifts at positions; `middle` (plane) is its middle depth."""
        shape = stacks[0].shape[1:]
        centres = [(np.arange(-(-size // CELL_BINS)) + 0.5) * CELL - 0.5 for size in shape]
        shifts = shift_at(_grid([middle], *centres)).reshape(*map(len, centres), 3)
        depths = np.append(np.arange(len(stacks[0])), middle)
        # Between the corners of the image shifts change evenly with the depth.
        ends = [(0.0, size * BIN - 1.0) for size in shape]
        corners = shift_at(_grid(depths, *ends)).reshape(len(depths), 2, 2, 3)
        more = corners[:-1] - corners[-1]
        along_z = float(shifts[..., 0].mean()) + more[..., 0].mean(axis=(1, 2))
        slices = []
        met = np.rint(depths[:-1] - along_z)
        shown = np.flatnonzero((met >= 0) & (met < len(stacks[1])))
        for part in np.array_split(shown, min(MOST_SLICES, len(shown))) if len(shown) else []:
            step = int(np.rint(along_z[part].mean()))
            planes = part[(part >= step) & (part < step + len(stacks[1]))]
            if len(planes):
                slices.append(Slice(planes, step, more[part].mean(axis=0)))
        return cls(shifts, slices)

    def with_more(self, by_yx: Floats) -> "FieldOnCells":
        """Return the field with a correction (ny, nx, 2) of its rows and columns (px)."""
        shifts = self.shift_zyx.copy()
        shifts[..., 1:] += by_yx
        return FieldOnCells(shifts, self.slices)


def cell_products(stacks: Stacks, field: FieldOnCells, pool: Executor) -> CellProducts | None:
    """Return the products of two binned stacks (Z, y, x), the cycle moved by a field.

    None where no plane of the one meets one of the other.
    """
    if not field.slices:
        return None
    shape, met_shape = stacks[0].shape[1:], stacks[1].shape[1:]
    down, across = (_spread(field.shift_zyx[..., axis] / BIN, shape) for axis in (1, 2))
    alike = _Places.moved(down, across, met_shape)

    def of_slice(part: Slice) -> Floats:
        more = part.more_zyx[..., 1:] / BIN
        if np.abs(more).max() < NEGLIGIBLE:
            return _of_slice(stacks, field, part, alike)
        further = [_between(more[..., axis], shape) for axis in range(2)]
        places = _Places.moved(down + further[0], across + further[1], met_shape)
        return _of_slice(stacks, field, part, places)

    return CellProducts(*np.sum(list(pool.map(of_slice, field.slices)), axis=0))


@dataclass(frozen=True)
class _Places:
    """Where in a cycle pixels of the reference lie: the `first` of four pixels around each one.

    `weights` are those of the four, and `is_shown` says where the cycle shows them.
    """

    first: NDArray[np.intp]
    weights: tuple[Image, ...]
    is_shown: NDArray[np.bool_]

    @classmethod
    def moved(cls, down: Image, across: Image, shape: tuple[int, ...]) -> "_Places":
        """Return the places in a cycle of some shape, given the shifts (y, x) in bins."""
        height, width = shape
        rows = np.arange(len(down), dtype=np.float32)[:, None] - down
        columns = np.arange(down.shape[1], dtype=np.float32) - across
        is_shown = (rows >= OUTSIDE) & (rows <= height - 1 - OUTSIDE)
        is_shown &= (columns >= OUTSIDE) & (columns <= width - 1 - OUTSIDE)
        rows, columns = np.clip(rows, 0, height - 1.01), np.clip(columns, 0, width - 1.01)
        above, left = rows.astype(np.intp), columns.astype(np.intp)
        down, across = rows - above.astype(np.float32), columns - left.astype(np.float32)
        up, back = 1 - down, 1 - across
        weights = up * back, up * across, down * back, down * across
        # Gradients at the edge of an image are those of what is made up beyond it.
        is_shown[[0, -1]] = is_shown[:, [0, -1]] = False
        return cls(above * width + left, weights, is_shown)

    def of(self, image: Image) -> Image:
        """Return what an image of the cycle shows there, linear between its pixels."""
        flat, width = image.ravel(), image.shape[1]
        result = np.take(flat, self.first) * self.weights[0]
        for step, weight in zip((1, width, width + 1), self.weights[1:], strict=True):
            result += np.take(flat[step:], self.first) * weight
        return np.asarray(result)


def _of_slice(stacks: Stacks, field: FieldOnCells, part: Slice, places: _Places) -> Floats:
    """Return the products (9, ny, nx) of a slice of a reference and of what it meets."""
    one = _smoothed(_sum(stacks[0], part.planes))
    shown = places.is_shown
    moved = places.of(_smoothed(_met(stacks[1], part, field.shift_zyx)))
    moved *= shown
    seen = one * shown
    moved *= np.float32(_gain(seen, moved))
    mean, difference = (one + moved) / 2, seen - moved
    y, x = np.zeros((2, *one.shape), dtype=np.float32)
    y[1:-1], x[:, 1:-1] = mean[2:] - mean[:-2], mean[:, 2:] - mean[:, :-2]
    for gradient in (y, x):
        gradient *= shown / np.float32(2 * BIN)
    products = (
        y * y, y * x, x * x, -y * difference, -x * difference, difference * difference,
        seen * seen, moved * moved, seen * moved,
    )  # fmt: skip
    return np.stack([_over_cells(product) for product in products])


def _met(cycle: NDArray[Any], part: Slice, shift_zyx: Floats) -> Image:
    """Return the sum (y, x) of the planes that a slice meets, moved by what whole planes leave."""
    planes = part.planes - part.step
    result, end = _sum(cycle, planes), len(cycle) - 1
    if end:
        shape = cycle.shape[1:]
        away = [float(shift_zyx[..., axis].mean()) / BIN for axis in (1, 2)]
        left = _spread(shift_zyx[..., 0] - part.step, shape, away)
        left += _between(part.more_zyx[..., 0], shape)
        first, last = planes[0], planes[-1]
        along_z = cycle[min(last + 1, end)].astype(np.float32)
        along_z += cycle[last]
        along_z -= cycle[first]
        along_z -= cycle[max(first - 1, 0)]
        result -= np.clip(left, -1, 1) / 2 * along_z
    return result


def _sum(stack: NDArray[Any], planes: NDArray[np.int64]) -> Image:
    """Return the sum (y, x) of some planes of a stack."""
    result: Image = stack[planes[0]].astype(np.float32)
    for plane in planes[1:]:
        result += stack[plane]
    return result


def _gain(one: Image, two: Image) -> float:
    """Return by which factor the one image shows more than the other."""
    squares = [float(np.vdot(part, part)) for part in (one, two)]
    return float(np.sqrt(squares[0] / squares[1])) if squares[1] > 0 else 1.0


def _smoothed(image: Image) -> Image:
    """Return an image whose noise is smoothed as far as its spots are wide."""
    for values in (image, image.T):
        values[1:-1] = (values[:-2] + 2 * values[1:-1] + values[2:]) / 4
    return image


def _grid(*places: ArrayLike) -> Floats:
    """Return all combinations (n, 3) of places along z, y, x."""
    return np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, 3)


def _spread(values: Floats, shape: tuple[int, ...], away: list[float] | None = None) -> Image:
    """Return values (ny, nx) at cells of an image (y, x), linear between them, moved `away`."""
    for axis, (size, by) in enumerate(zip(shape, away or [0.0, 0.0], strict=True)):
        count = values.shape[axis]
        places = np.clip((np.arange(size) + by + 0.5) / CELL_BINS - 0.5, 0, count - 1)
        before = np.minimum(places.astype(int), max(count - 2, 0))
        after = np.minimum(before + 1, count - 1)
        part = np.expand_dims(places - before, 1 - axis)
        values = values.take(before, axis) * (1 - part) + values.take(after, axis) * part
    result: Image = values.astype(np.float32)
    return result


def _between(corners: Floats, shape: tuple[int, ...]) -> Image:
    """Return values (2, 2) at the corners of an image (y, x), linear between them."""
    down, across = (np.linspace(0, 1, size, dtype=np.float32) for size in shape)
    first, last = corners.astype(np.float32)
    left, right = (first[n] + (last[n] - first[n]) * down for n in (0, 1))
    return np.asarray(left[:, None] + (right - left)[:, None] * across)


def _over_cells(image: Image) -> Floats:
    """Return the sums of an image (y, x) over cells."""
    sizes = [-(-size // CELL_BINS) for size in image.shape]
    if image.shape != tuple(size * CELL_BINS for size in sizes):
        image = np.pad(
            image, [(0, n * CELL_BINS - size) for n, size in zip(sizes, image.shape, strict=True)]
        )
    rows = sum(image[n::CELL_BINS] for n in range(CELL_BINS))
    cells = sum(np.asarray(rows)[:, n::CELL_BINS] for n in range(CELL_BINS))
    return np.asarray(cells, dtype=float)
