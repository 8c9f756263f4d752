"""The shift that a tile's correlation shows, how sure it is, and where it belongs."""

import numpy as np

from crossreg.fiducial.band_pass import taper
from crossreg.fiducial.binned import BIN, STEPS, in_bins, moved_part
from crossreg.fiducial.blocks import seen_by_both
from crossreg.fiducial.peak import neighbours, parabola
from crossreg.fiducial.tile_map import TAPERED, TileMap

UNKNOWN = 100.0
"""Sigma (px) of a shift that the map does not show."""
NO_DEPTH = 1.0
"""Sigma (planes) of the shift in z of stacks without depth, which is 0."""
BEST_RESIDUAL = 0.02
"""Least part of a tile's energy that counts as unmatched: no two images are quite alike."""
SMALLEST_VALUE = 1e-6
"""Least value of a correlation before its logarithm is taken."""
STRUCTURE = 2.0
"""Standard deviations of the noise that structure exceeds in both stacks."""


def tile_shift(
    found: TileMap, expected_zyx: np.ndarray, sigma_zyx: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (shift, its sigma), both (3,): the most probable, given what is expected (3,).

    `sigma_zyx` (3,) says how sure the expectation is. A stack without depth has no shift in z.

    The log-likelihood of a shift is c |c| / (2 noise**2) at the correlation c. The top of the
    peak is that of a parabola through the logarithms (exact for a Gaussian peak), and the noise
    over the square root of its curvature is the uncertainty.
    """
    values = found.values
    score = values * np.abs(values) / (2 * found.noise**2)
    for axis, size in enumerate(values.shape):
        lags = np.arange(size) - size // 2 + found.middle_zyx[axis]
        cost = 0.5 * ((lags - expected_zyx[axis]) / sigma_zyx[axis]) ** 2
        score = score - cost.reshape([-1 if other == axis else 1 for other in range(3)])
    inner = tuple(slice(1, -1) if size > 1 else slice(None) for size in values.shape)
    place = np.unravel_index(np.argmax(score[inner]), score[inner].shape)
    index = tuple(int(at) + (size > 1) for at, size in zip(place, values.shape, strict=True))
    return _top(found, index)


def _top(found: TileMap, index: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    correlation = float(found.values[index])
    shift, sigma = np.zeros(3), np.full(3, UNKNOWN)
    for axis, size in enumerate(found.values.shape):
        shift[axis] = index[axis] - size // 2 + found.middle_zyx[axis]
        around = np.log(np.maximum(neighbours(found.values, index, axis), SMALLEST_VALUE))
        offset, curvature = parabola(around)
        if size > 1 and correlation > 0 and curvature < 0:
            unmatched = found.noise * np.sqrt(max(1 - correlation**2, BEST_RESIDUAL))
            shift[axis] += offset
            sigma[axis] = unmatched / correlation / np.sqrt(-curvature)
    if found.values.shape[0] == 1:
        shift[0], sigma[0] = 0.0, NO_DEPTH
    return shift, sigma


def structure_position(
    reference: np.ndarray, cycle: np.ndarray, tile: tuple[slice, slice], shift_zyx: np.ndarray
) -> np.ndarray:
    """Return where in the reference (z, y, x) the structure that both binned stacks show lies.

    A tile's shift is that of its structure, which is rarely in the middle: the centroid of the
    product of both stacks, where it exceeds the noise, under the tile's taper. NaN where it
    exceeds the noise nowhere.
    """
    shift = np.rint(shift_zyx).astype(int)
    planes, other = seen_by_both(slice(0, len(reference)), len(reference), len(cycle), shift[0])
    rows, columns = (in_bins(where) for where in tile)
    weights = np.maximum(reference[planes, rows, columns], 0).astype(np.float32)
    moved = moved_part(cycle[other], rows, columns, tuple(np.rint(shift[1:] / BIN).astype(int)))
    weights *= np.maximum(moved, 0)
    weights -= (STRUCTURE * STEPS) ** 2
    np.maximum(weights, 0, out=weights)
    for axis, size in enumerate(weights.shape[1:]):
        window = np.square(taper(size, size // TAPERED))
        weights *= window[:, None] if axis == 0 else window
    total = float(weights.sum())
    if total == 0:
        return np.full(3, np.nan)
    middle = (BIN - 1) / 2
    axes = (
        np.arange(planes.start, planes.stop),
        np.arange(rows.start, rows.stop) * BIN + middle,
        np.arange(columns.start, columns.stop) * BIN + middle,
    )
    sums = weights.sum(axis=(1, 2)), weights.sum(axis=(0, 2)), weights.sum(axis=(0, 1))
    return np.array([float(part @ axis) / total for part, axis in zip(sums, axes, strict=True)])
