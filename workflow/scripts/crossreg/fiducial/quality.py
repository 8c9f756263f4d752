"""The agreement of a block's projections at its shift, after pyHiM's preprocessing."""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from crossreg.fiducial.block_grid import Block, block_grid, grid_shape, seen_by_both
from crossreg.fiducial.correlation.binned_stacks import finite
from crossreg.fiducial.quantiles import medians, quantiles

BOX = 64
"""Edge (px) of the boxes in which the background is estimated."""
SAMPLED = 8
"""Every so many pixels along both axes is looked at for statistics."""
CLIPS = 2
"""Rounds of sigma-clipping: the third changes medians by less than the noise."""
CLIPPED = (0.5, 0.9999)
"""Cumulative fractions at which a projection is clipped before it is compared."""
VOXELS_AT_ONCE = 2**17
"""Voxels that are projected at once: few enough to stay in a processor's cache."""


@dataclass(frozen=True)
class Preprocessing:
    """How a stack (Z, Y, X) becomes free of background and scaled to 0..1.

    `boxes` (Z, n, m) is the background in boxes of BOX px; `low` and `high` are the heights
    above it that become 0 and 1.
    """

    stack: np.ndarray
    boxes: np.ndarray
    low: float
    high: float

    def projections(self, rows: slice, columns: slice) -> list[np.ndarray]:
        """Return the sums of the preprocessed rows x columns along z, y and x.

        They have the axes (Y, X), (Z, X), (Z, Y).
        """
        (y, n), (x, m) = (
            _interpolation(where, count)
            for where, count in zip((rows, columns), self.boxes.shape[1:], strict=True)
        )
        planes = len(self.stack)
        boxes = self.boxes[:, n, m] + np.float32(self.low)
        along_z = np.zeros((len(y), len(x)), dtype=np.float32)
        along_y = np.empty((planes, len(x)), dtype=np.float32)
        along_x = np.empty((planes, len(y)), dtype=np.float32)
        down, across = (np.ones(size, dtype=np.float32) for size in along_z.shape)
        step = max(1, VOXELS_AT_ONCE // along_z.size)
        for some in (slice(z, z + step) for z in range(0, planes, step)):
            values = np.matmul(np.matmul(y, boxes[some]), x.T)
            np.subtract(finite(self.stack[some, rows, columns]), values, out=values)
            np.clip(values, 0, self.high - self.low, out=values)
            along_z += values.sum(axis=0)
            # Products with ones are sums, in a quarter of the time.
            along_y[some] = down @ values
            along_x[some] = values @ across
        scale = np.float32(1 / (self.high - self.low))
        return [along_z * scale, along_y * scale, along_x * scale]


def _interpolation(where: slice, count: int) -> tuple[np.ndarray, slice]:
    """Return weights (n, k) of linear interpolation from k boxes to pixels, and which they are."""
    position = (np.arange(where.start, where.stop) + 0.5) / BOX - 0.5
    position = np.clip(position, 0, count - 1)
    boxes = slice(int(position[0]), int(np.ceil(position[-1])) + 1)
    distance = np.abs(position[:, None] - np.arange(boxes.start, boxes.stop))
    return np.maximum(0, 1 - distance).astype(np.float32), boxes


def preprocessing(stack: np.ndarray, lower: float, higher: float, sigma: float) -> Preprocessing:
    """Return how to preprocess a stack (Z, Y, X).

    `lower`, `higher`: cumulative fractions at which the voxels are clipped; `sigma`: limit of
    the sigma-clip of the background's estimate.
    """
    sample = finite(stack[:, ::SAMPLED, ::SAMPLED])
    each = BOX // SAMPLED
    padding = [(0, 0), *((0, -size % each) for size in sample.shape[1:])]
    padded = np.pad(sample, padding, mode="edge")
    z, y, x = padded.shape
    boxes = padded.reshape(z, y // each, each, x // each, each).swapaxes(2, 3)
    background = _clipped_median(boxes.reshape(z, y // each, x // each, -1), sigma)
    around = np.pad(background, [(0, 0), (1, 1), (1, 1)], mode="edge")
    near = np.lib.stride_tricks.sliding_window_view(around, (3, 3), axis=(1, 2))
    background = medians(near.reshape(*background.shape, -1), -1)
    above = boxes - background[..., None, None]
    low, high = quantiles(above, (lower, higher))
    return Preprocessing(stack, background, low, high if high > low else low + 1)


def _clipped_median(values: np.ndarray, sigma: float) -> np.ndarray:
    """Return the median over the last axis of what lies within `sigma` deviations of it."""
    ordered = np.sort(values, axis=-1)
    inside = np.ones(ordered.shape, dtype=bool)
    for _ in range(CLIPS):
        count = inside.sum(axis=-1, keepdims=True)
        mean = ordered.sum(axis=-1, keepdims=True, where=inside) / count
        spread = np.sqrt(
            np.square(ordered - mean).sum(axis=-1, keepdims=True, where=inside) / count
        )
        middle = _middle(ordered, inside)[..., None]
        inside = np.abs(ordered - middle) <= sigma * spread
    return _middle(ordered, inside)


def _middle(ordered: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the median of the values inside, which follow each other in the last axis."""
    first = inside.argmax(axis=-1)
    index = first + (inside.sum(axis=-1) - 1) // 2
    return np.take_along_axis(ordered, index[..., None], axis=-1)[..., 0]


@dataclass(frozen=True)
class BlockProjections:
    """The projections of all blocks of a reference, clipped and scaled to 0..1 block by block.

    `along_z` (Y, X) puts them side by side; `along_y` (n_i, Z, X) and `along_x` (n_j, Z, Y) do
    so for each row and each column of blocks.
    """

    along_z: np.ndarray
    along_y: np.ndarray
    along_x: np.ndarray

    def of(self, block: Block) -> list[np.ndarray]:
        """Return the projections of a block: (y, x), (Z, x), (Z, y)."""
        return [
            self.along_z[block.rows, block.columns],
            self.along_y[block.i, :, block.columns],
            self.along_x[block.j, :, block.rows],
        ]


def block_projections(prepared: Preprocessing, block_size: int, pool: Executor) -> BlockProjections:
    """Return the projections of all blocks of a preprocessed reference."""
    planes, rows, columns = prepared.stack.shape
    n_i, n_j = grid_shape((rows, columns), block_size)
    empty = (np.empty(shape, np.float32) for shape in
             ((rows, columns), (n_i, planes, columns), (n_j, planes, rows)))  # fmt: skip
    result = BlockProjections(*empty)

    def fill(block: Block) -> None:
        found = prepared.projections(block.rows, block.columns)
        for into, projection in zip(result.of(block), found, strict=True):
            into[:] = _rescaled(projection)

    for _ in pool.map(fill, block_grid((rows, columns), block_size)):
        pass
    return result


def block_qualities(
    reference: BlockProjections,
    cycle: Preprocessing,
    blocks: list[Block],
    shifts_zyx: np.ndarray,
    pool: Executor,
) -> np.ndarray:
    """Return the NRMSE (n, 3) of the projections xy, zy, zx of blocks at total shifts (n, 3).

    They are the projections along z, rows and columns, after pyHiM, which calls the rows x.
    ||reference - cycle|| / ||reference||, lower is better; NaN where a projection of the
    reference is empty.
    """

    def one(block: Block, shift_zyx: np.ndarray) -> list[float]:
        moved = _moved_projections(cycle, block, shift_zyx, reference.along_x.shape[1])
        return list(map(_nrmse, reference.of(block), moved))

    return np.array(list(pool.map(one, blocks, shifts_zyx)))


def _moved_projections(
    cycle: Preprocessing, block: Block, shift_zyx: np.ndarray, planes: int
) -> list[np.ndarray]:
    """Return the projections of what lies in a block, `planes` high, once the cycle is moved.

    Projections commute with shifts: the block is cut at the whole shift in the plane, and only
    its projections are shifted by what remains.
    """
    whole = np.rint(shift_zyx[1:]).astype(int)
    rest = np.array([shift_zyx[0], *(shift_zyx[1:] - whole)])
    places = (block.rows, block.columns)
    seen = [
        seen_by_both(where, limit, limit, int(shift))
        for where, limit, shift in zip(places, cycle.stack.shape[1:], whole, strict=True)
    ]
    size = [where.stop - where.start for where in places]
    if any(source.stop == source.start for _, source in seen):
        return [np.zeros(shape) for shape in (size, (planes, size[1]), (planes, size[0]))]
    along_z, along_y, along_x = cycle.projections(*(source for _, source in seen))
    y, x = (into.start - where.start for (into, _), where in zip(seen, places, strict=True))
    return [
        _placed(_placed(along_z, 0, y + rest[1], size[0]), 1, x + rest[2], size[1]),
        _placed(_placed(along_y, 0, rest[0], planes), 1, x + rest[2], size[1]),
        _placed(_placed(along_x, 0, rest[0], planes), 1, y + rest[1], size[0]),
    ]


def _placed(values: np.ndarray, axis: int, shift: float, size: int) -> np.ndarray:
    """Return values (n, m) moved along an axis, which becomes `size` long; linear, 0 outside."""
    whole = int(np.floor(shift))
    result = np.zeros((size, values.shape[1 - axis]), dtype=np.float32)
    values = np.moveaxis(values, axis, 0)
    for step, weight in ((whole, 1 - (shift - whole)), (whole + 1, shift - whole)):
        start, stop = max(step, 0), min(len(values) + step, size)
        if stop > start:
            result[start:stop] += np.float32(weight) * values[start - step : stop - step]
    return np.moveaxis(result, 0, axis)


def _nrmse(reference: np.ndarray, cycle: np.ndarray) -> float:
    """Return the NRMSE of a projection that is compared with a rescaled one."""
    norm = np.linalg.norm(reference)
    difference = np.linalg.norm(reference - _rescaled(cycle))
    return float(difference / norm) if norm > 0 else float("nan")


def _rescaled(projection: np.ndarray) -> np.ndarray:
    """Return a projection clipped at its cumulative fractions and scaled to 0..1."""
    low, high = map(np.float32, quantiles(projection, CLIPPED))
    if high <= low:
        return np.zeros_like(projection)
    result: np.ndarray = np.clip((projection - low) / (high - low), 0, 1)
    return result
