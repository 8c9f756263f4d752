"""A closer look: where images that the field has brought together still lie beside each other.

Sub-blocks show the mean over some 40 px; a field through them follows no small bump, tear, swinging
scan line or part that moved by itself, and where one of them contradicts the others it is left out.
So both images, the cycle moved by the field, are compared once more in windows of some 20 px. What
these show beyond the field is added where it is beyond doubt and brings the images together; where
it does not, or only in part, the standard error grows by it.
"""

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.binned_stacks import PLANES_FOR_PATTERN, Stacks
from crossreg.fiducial.field.local_correction import LocalCorrection
from crossreg.fiducial.local_shift.cell_products import (
    CELL,
    CellProducts,
    FieldOnCells,
    ShiftAt,
    cell_products,
)
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, median

Floats = NDArray[np.float64]

WINDOW = 1.0
"""Standard deviation (cells) of the windows in which a shift is told."""
AROUND = 3.0
"""The same of those in which it is looked at how far images differ otherwise."""
ALIKE = 1.5
"""The same of those within which shifts are about as large, and of those in which it is asked
whether images come together."""
WINDOWS_ALIKE = 2.0
"""Windows that tell of it by themselves there."""
SIZES = np.array([0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.0])
"""Standard deviations (px) of what the field leaves; all are averaged over by their evidence."""
RARE = -6.0
"""Logarithm of how likely it is beforehand that it leaves anything."""
MORE_VARIANCE = 2.0
"""Factor on the variance that windows show by themselves: their cells are not independent."""
NO_BETTER = 0.05
"""Standard error (px) at least: images are blurred by interpolation, and sampled at bins."""
MOST_CERTAIN = 60.0
"""Largest sum of squares that a window counts for."""
EDGE = 0.05
"""What cells at the edges of the image count: what lies there is in part made up."""
LEAST_STRUCTURE = 0.02
"""Part of the mean structure of a window that is assumed everywhere, and shows no shift."""
PLAUSIBLE = 0.5
"""Posterior probability from which on something is left."""
LARGEST = 4.0
"""Correction (px) at most: beyond it, gradients tell nothing."""
LEFT_OVER = 0.8, 0.5
"""Part of the squared difference of the images that may be left for a correction to be made: from
not at all to wholly."""
BROUGHT_TOGETHER = 0.8, 0.9
"""Their correlation then: from which on it is made in part, and wholly."""
UNSURE, BESIDE = 0.3, 0.7
"""Parts of a correction, and of how it changes within a window, that it may be off."""
ROBUST_ROUNDS = 3


@dataclass(frozen=True)
class _Shown:
    """What windows show: shifts and variances (ny, nx), and how likely something is left."""

    by_yx: Floats
    variance_yx: Floats
    probability: Floats


def closer_look(
    stacks: Stacks, shift_at: ShiftAt, middle_plane: float, pool: Executor
) -> LocalCorrection | None:
    """Return what two binned stacks (Z, y, x) show beside their field; None if that is nothing.

    `shift_at` gives its shifts at positions; `middle_plane` is that of the reference.
    """
    cells = FieldOnCells.of(shift_at, stacks, middle_plane)
    first = cell_products(stacks, cells, pool)
    if first is None or not first.both.any():
        return None
    shown, trend = _shown(first, np.zeros((*first.rest.shape, 2)), None)
    if not (shown.probability > PLAUSIBLE).any():
        return None
    again = cell_products(stacks, cells.with_more(shown.by_yx), pool)
    assert again is not None
    shown, _ = _shown(again, shown.by_yx, trend)
    last = cell_products(stacks, cells.with_more(shown.by_yx), pool)
    assert last is not None
    # Fewer planes are not freed of what lies still on the camera, which comes together at rest.
    is_freed = min(map(len, stacks)) >= PLANES_FOR_PATTERN
    made = shown.by_yx * (_comes_together(first, last) * is_freed)[..., None]
    beside = np.stack([_mean_around(part, ALIKE) for part in np.moveaxis(made, -1, 0)], axis=-1)
    squares = _mean_around(np.square(made).sum(axis=-1) / 2, ALIKE)[..., None]
    squares = squares - np.square(beside).sum(axis=-1, keepdims=True) / 2
    variance = (
        shown.variance_yx
        + np.square(shown.by_yx - made)
        + np.square(UNSURE * made)
        + BESIDE**2 * squares
    )
    return LocalCorrection(CELL, made, np.sqrt(variance))


def _shown(
    products: CellProducts, made_yx: Floats, trend_yx: Floats | None
) -> tuple[_Shown, Floats]:
    """Return what windows show beside the field, of which `made_yx` (ny, nx, 2) has been added.

    Sub-blocks know better how the whole image lies, and how it is turned: what they are apart
    there, `trend_yx`, is taken off. It is returned, too.
    """
    shift, variance, covariance = _fitted(products)
    if trend_yx is None:
        trend_yx = _trend(shift, 1 / variance.sum(axis=-1))
    shift = shift - trend_yx + made_yx
    return _posterior(shift, variance, covariance), trend_yx


def _fitted(products: CellProducts) -> tuple[Floats, Floats, Floats]:
    """Return the shifts (ny, nx, 2) (px) of windows, their variances, and the covariance (ny, nx).

    How far cells differ from what a shift of the whole window makes of them says how sure it is.
    """
    weights = np.full(products.rest.shape, EDGE)
    weights[1:-1, 1:-1] = 1.0
    yy, yx, xx, y, x = (
        part * weights for part in (products.yy, products.yx, products.xx, products.y, products.x)
    )
    least = LEAST_STRUCTURE * float(np.mean(_around(yy + xx, WINDOW))) / 2
    inverse = _inverse(
        _around(yy, WINDOW) + least, _around(yx, WINDOW), _around(xx, WINDOW) + least
    )
    shift = _times(inverse, np.stack([_around(y, WINDOW), _around(x, WINDOW)], axis=-1))
    off_y = y - yy * shift[..., 0] - yx * shift[..., 1]
    off_x = x - yx * shift[..., 0] - xx * shift[..., 1]
    noise = _around(off_y**2 + off_x**2, AROUND) / (_around(yy + xx, AROUND) + 0.2 * least)
    noise *= MORE_VARIANCE
    # A sum with weights w has a variance with their squares: those of a window half as wide.
    half = WINDOW / np.sqrt(2)
    of_sums = [_around(yy, half) + least / 2, _around(yx, half), _around(xx, half) + least / 2]
    left = [
        inverse[0] * of_sums[0] + inverse[1] * of_sums[1],
        inverse[0] * of_sums[1] + inverse[1] * of_sums[2],
        inverse[1] * of_sums[0] + inverse[2] * of_sums[1],
        inverse[1] * of_sums[1] + inverse[2] * of_sums[2],
    ]
    variance = np.stack(
        [left[0] * inverse[0] + left[1] * inverse[1], left[2] * inverse[1] + left[3] * inverse[2]],
        axis=-1,
    )
    covariance = noise * (left[0] * inverse[1] + left[1] * inverse[2])
    return shift, noise[..., None] * variance + NO_BETTER**2, covariance


def _posterior(shift: Floats, variance: Floats, covariance: Floats) -> _Shown:
    """Return the posterior of what the field leaves, from what windows show of it.

    Of what size that is, neighbouring windows say together.
    """
    logs, means, variances = [], [], []
    for size in SIZES:
        inverse = _inverse(variance[..., 0] + size**2, covariance, variance[..., 1] + size**2)
        pulled = _times(inverse, shift)
        squares = np.minimum((shift * pulled).sum(axis=-1), MOST_CERTAIN)
        log_determinant = -np.log(inverse[0] * inverse[2] - inverse[1] ** 2)
        logs.append(-0.5 * (log_determinant + squares))
        means.append(size**2 * pulled)
        variances.append(size**2 - size**4 * np.stack([inverse[0], inverse[2]], axis=-1))
    likely = [
        WINDOWS_ALIKE * _around(log - logs[0], ALIKE) / (2 * np.pi * ALIKE**2) for log in logs
    ]
    log = np.stack(likely) + np.where(SIZES > 0, RARE, 0.0)[:, None, None]
    weight = np.exp(log - log.max(axis=0))
    weight /= weight.sum(axis=0)
    mean = np.einsum("kyx,kyxi->yxi", weight, np.stack(means))
    spread = np.stack(variances) + np.square(np.stack(means) - mean)
    return _Shown(
        np.clip(mean, -LARGEST, LARGEST),
        np.maximum(np.einsum("kyx,kyxi->yxi", weight, spread), 0.0),
        1 - weight[0],
    )


def _trend(shift: Floats, weights: Floats) -> Floats:
    """Return the plane (ny, nx, 2) through shifts of cells, that few large ones do not draw."""
    rows, columns = (np.linspace(-0.5, 0.5, size) for size in weights.shape)
    terms = np.stack(np.broadcast_arrays(1.0, rows[:, None], columns), axis=-1).reshape(-1, 3)
    result = np.zeros((len(terms), 2))
    for axis in range(2):
        values, factor = shift[..., axis].ravel(), np.ones(len(terms))
        for _ in range(ROBUST_ROUNDS):
            scaled = np.sqrt(weights.ravel() * factor)
            found = np.linalg.lstsq(terms * scaled[:, None], values * scaled, rcond=None)[0]
            result[:, axis] = terms @ found
            away = values - result[:, axis]
            typical = median(np.abs(away)) / NORMAL_MEDIAN + 1e-6
            factor = 1 / (1 + (away / (2 * typical)) ** 2)
    return result.reshape(shift.shape)


def _comes_together(first: CellProducts, last: CellProducts) -> Floats:
    """Return how far (ny, nx), from 0 to 1, images have come together from first to last."""
    before, after = (
        _around(part.rest, ALIKE) / (_around(part.reference + part.cycle, ALIKE) + 1e-9)
        for part in (first, last)
    )
    less = _from_to(after / (before + 1e-9), *LEFT_OVER)
    return less * _from_to(_correlation(last, ALIKE), *BROUGHT_TOGETHER)


def _correlation(products: CellProducts, width: float) -> Floats:
    """Return how alike both images are in windows of a width (cells)."""
    energy = np.sqrt(_around(products.reference, width) * _around(products.cycle, width))
    return _around(products.both, width) / (energy + 1e-9)


def _from_to(values: Floats, none: float, whole: float) -> Floats:
    """Return 0 to 1 where values lie from one limit to another."""
    return np.clip((values - none) / (whole - none), 0.0, 1.0)


def _inverse(yy: Floats, yx: Floats, xx: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the inverse of symmetric matrices, given by three of their entries."""
    determinant = yy * xx - yx**2
    return xx / determinant, -yx / determinant, yy / determinant


def _times(matrix: tuple[Floats, Floats, Floats], vector: Floats) -> Floats:
    """Return symmetric matrices times vectors (ny, nx, 2)."""
    y, x = vector[..., 0], vector[..., 1]
    return np.stack([matrix[0] * y + matrix[1] * x, matrix[1] * y + matrix[2] * x], axis=-1)


def _around(values: Floats, width: float) -> Floats:
    """Return the sums over windows of a width (cells) around each cell (ny, nx)."""
    rows, columns = (_window(size, width) for size in values.shape)
    return np.asarray(rows @ values @ columns)


def _mean_around(values: Floats, width: float) -> Floats:
    """Return the means over such windows."""
    return _around(values, width) / _around(np.ones_like(values), width)


@lru_cache(maxsize=64)
def _window(size: int, width: float) -> Floats:
    """Return the weights (size, size) of cells in the window around each one."""
    cells = np.arange(size)
    away = np.abs(cells[:, None] - cells) / width
    return np.where(away <= 3, np.exp(-0.5 * away**2), 0.0)
