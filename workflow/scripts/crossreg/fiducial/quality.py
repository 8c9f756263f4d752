"""The agreement of a block's projections at its shift, after pyHiM's preprocessing."""

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from crossreg.fiducial.blocks import Block

BOX = 64
"""Edge (px) of the boxes in which the background is estimated."""
CLIPPED = (0.5, 0.9999)
"""Cumulative fractions at which a projection is clipped before it is compared."""


@dataclass(frozen=True)
class Prepared:
    """A stack (Z, Y, X) with its background removed, clipped and rescaled to 0..1 on the fly."""

    stack: np.ndarray
    background: np.ndarray
    low: float
    high: float

    def cut(self, rows: slice, columns: slice) -> np.ndarray:
        """Return a part (Z, y, x), rescaled to 0..1."""
        values = self.stack[:, rows, columns] - self.background[:, rows, columns]
        return np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)


def prepared_for_quality(stack: np.ndarray, lower: float, higher: float, sigma: float) -> Prepared:
    """Return the stack (Z, Y, X) ready to be compared.

    `lower`, `higher`: cumulative fractions at which the voxels are clipped; `sigma`: the
    sigma-clip of the background's estimate.
    """
    stack = np.nan_to_num(np.asarray(stack, dtype=np.float32))
    background = np.stack([_background(plane, sigma) for plane in stack])
    sample = (stack - background)[:, ::4, ::4]
    low, high = np.quantile(sample, (lower, higher))
    return Prepared(stack, background, float(low), float(max(high, low + 1e-6)))


def _background(plane: np.ndarray, sigma: float) -> np.ndarray:
    """Return the smooth background of a plane (Y, X): clipped medians of boxes, interpolated."""
    counts = [max(1, round(size / BOX)) for size in plane.shape]
    edges = [
        np.linspace(0, size, n + 1).astype(int) for size, n in zip(plane.shape, counts, strict=True)
    ]
    boxes = np.array(
        [
            [_clipped_median(plane[a:b:2, c:d:2], sigma) for c, d in itertools.pairwise(edges[1])]
            for a, b in itertools.pairwise(edges[0])
        ]
    )
    boxes = scipy.ndimage.median_filter(boxes, size=3, mode="nearest")
    where = [
        (np.arange(size) + 0.5) * n / size - 0.5
        for size, n in zip(plane.shape, counts, strict=True)
    ]
    grid = np.meshgrid(*where, indexing="ij")
    return scipy.ndimage.map_coordinates(boxes, grid, order=1, mode="nearest")


def _clipped_median(values: np.ndarray, sigma: float) -> float:
    for _ in range(3):
        middle, spread = np.median(values), np.std(values)
        kept = values[np.abs(values - middle) <= sigma * spread]
        if kept.size in (0, values.size):
            break
        values = kept
    return float(np.median(values))


def block_quality(
    reference: Prepared, cycle: Prepared, block: Block, shift_zyx: np.ndarray
) -> tuple[float, float, float]:
    """Return the NRMSE of the projections xy, zy, zx of a block at its total shift.

    ||reference - cycle|| / ||reference||; lower is better. NaN where a projection of the
    reference is empty.
    """
    whole = np.rint(shift_zyx[1:]).astype(int)
    rest = (shift_zyx[0], *(shift_zyx[1:] - whole))
    planes = max(len(reference.stack), len(cycle.stack))
    fixed = reference.cut(block.rows, block.columns)
    moved = np.zeros((planes, *fixed.shape[1:]), dtype=np.float32)
    into, source = [], []
    for where, size, at in zip(
        (block.rows, block.columns), cycle.stack.shape[1:], whole, strict=True
    ):
        start, stop = (min(max(int(edge - at), 0), size) for edge in (where.start, where.stop))
        source.append(slice(start, stop))
        into.append(slice(int(start + at - where.start), int(stop + at - where.start)))
    if all(part.stop > part.start for part in source):
        moved[: len(cycle.stack), into[0], into[1]] = cycle.cut(*source)
    if len(fixed) < planes:
        fixed = np.concatenate([fixed, np.zeros((planes - len(fixed), *fixed.shape[1:]))])
    result = []
    for axis in range(3):
        step = [rest[other] for other in range(3) if other != axis]
        one, two = fixed.sum(axis=axis), scipy.ndimage.shift(moved.sum(axis=axis), step, order=1)
        result.append(_nrmse(_rescaled(one), _rescaled(two)))
    return tuple(result)


def _rescaled(projection: np.ndarray) -> np.ndarray:
    low, high = np.quantile(projection, CLIPPED)
    return np.clip((projection - low) / (high - low), 0, 1) if high > low else projection * 0


def _nrmse(reference: np.ndarray, cycle: np.ndarray) -> float:
    norm = np.linalg.norm(reference)
    return float(np.linalg.norm(reference - cycle) / norm) if norm > 0 else float("nan")
