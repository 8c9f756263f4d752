"""The agreement of a block's projections at its shift, after pyHiM's preprocessing."""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from crossreg.fiducial.binned import finite
from crossreg.fiducial.blocks import Block, seen_by_both

BOX = 64
"""Edge (px) of the boxes in which the background is estimated."""
SAMPLED = 8
"""Every so many pixels along both axes is looked at for statistics."""
CLIPS = 2
"""Rounds of sigma-clipping: the third changes medians by less than the noise."""
CLIPPED = (0.5, 0.9999)
"""Cumulative fractions at which a projection is clipped before it is compared."""


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

    def part(self, rows: slice, columns: slice) -> np.ndarray:
        """Return the preprocessed rows x columns (Z, y, x), float32."""
        y, x = (
            _interpolation(where, count)
            for where, count in zip((rows, columns), self.boxes.shape[1:], strict=True)
        )
        scale = 1 / (self.high - self.low)
        values = finite(self.stack[:, rows, columns])
        values *= scale
        values -= np.matmul(np.matmul(y, (self.boxes + self.low) * scale), x.T)
        return np.clip(values, 0, 1, out=values)


def _interpolation(where: slice, count: int) -> np.ndarray:
    """Return the weights (n, count) of linear interpolation from box centres to pixels."""
    position = (np.arange(where.start, where.stop) + 0.5) / BOX - 0.5
    position = np.clip(position, 0, count - 1)
    return np.maximum(0, 1 - np.abs(position[:, None] - np.arange(count))).astype(np.float32)


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
    background = scipy.ndimage.median_filter(background, size=(1, 3, 3), mode="nearest")
    above = boxes - background[..., None, None]
    low, high = np.quantile(above, (lower, higher))
    return Preprocessing(stack, background, float(low), float(max(high, low + 1)))


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


def block_qualities(
    reference: Preprocessing,
    cycle: Preprocessing,
    blocks: list[Block],
    shifts_zyx: np.ndarray,
    pool: Executor,
) -> np.ndarray:
    """Return the NRMSE (n, 3) of the projections xy, zy, zx of blocks at total shifts (n, 3).

    ||reference - cycle|| / ||reference||, lower is better; NaN where a projection of the
    reference is empty.
    """

    def one(block: Block, shift_zyx: np.ndarray) -> list[float]:
        return _quality(reference, cycle, block, shift_zyx)

    return np.array(list(pool.map(one, blocks, shifts_zyx)))


def _quality(
    reference: Preprocessing, cycle: Preprocessing, block: Block, shift_zyx: np.ndarray
) -> list[float]:
    """Return the NRMSE of the three projections of a block.

    Projections commute with shifts: the block is cut at the whole shift in the plane, and only
    its projections are shifted by what remains.
    """
    whole = np.rint(shift_zyx[1:]).astype(int)
    rest = np.array([shift_zyx[0], *(shift_zyx[1:] - whole)])
    planes = max(len(reference.stack), len(cycle.stack))
    places = (block.rows, block.columns)
    shape = (planes, *(where.stop - where.start for where in places))
    both = [
        seen_by_both(where, limit, limit, int(shift))
        for where, limit, shift in zip(places, cycle.stack.shape[1:], whole, strict=True)
    ]
    corner = [seen.start - where.start for (seen, _), where in zip(both, places, strict=True)]
    fixed = _projections(reference.part(*places), (0, 0, 0), shape)
    moved = _projections(cycle.part(*(source for _, source in both)), (0, *corner), shape)
    return [
        _nrmse(
            fixed[axis],
            scipy.ndimage.shift(moved[axis], np.delete(rest, axis), order=1, mode="grid-constant"),
        )
        for axis in range(3)
    ]


def _projections(
    part: np.ndarray, corner: tuple[int, int, int], shape: tuple[int, int, int]
) -> list[np.ndarray]:
    """Return the sums along z, y, x of a volume of `shape` that is 0 but for a part at `corner`."""
    places = [slice(at, at + size) for at, size in zip(corner, part.shape, strict=True)]
    projections = [np.zeros(np.delete(shape, axis), dtype=np.float32) for axis in range(3)]
    for axis, projection in enumerate(projections):
        projection[tuple(places[:axis] + places[axis + 1 :])] = part.sum(axis=axis)
    return projections


def _nrmse(reference: np.ndarray, cycle: np.ndarray) -> float:
    reference, cycle = _rescaled(reference), _rescaled(cycle)
    norm = np.linalg.norm(reference)
    return float(np.linalg.norm(reference - cycle) / norm) if norm > 0 else float("nan")


def _rescaled(projection: np.ndarray) -> np.ndarray:
    """Return a projection clipped at its cumulative fractions and scaled to 0..1."""
    low, high = np.quantile(projection, CLIPPED)
    if high <= low:
        return np.zeros_like(projection)
    return np.clip((projection - low) / (high - low), 0, 1)
