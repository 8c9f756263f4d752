"""The shift that a sub-block's correlation shows, and how sure it is."""

import numpy as np

from crossreg.fiducial.local_shift.sub_block_map import SubBlockMaps, along_axis

UNKNOWN = 100.0
"""Sigma (px) of a shift that the map does not show."""
NO_DEPTH = 1.0
"""Sigma (planes) of the shift in z of stacks without depth, which is 0."""
BEST_RESIDUAL = 0.02
"""Least part of a sub-block's energy that counts as unmatched: no two images are quite alike."""
LEAST_OVERLAP = 0.1
"""Overlap of the tapers that is made up for at most."""
SMALLEST_VALUE = 1e-6
"""Least value of a correlation before its logarithm is taken."""


def sub_block_shifts(
    found: SubBlockMaps, expected_zyx: np.ndarray, sigma_zyx: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (shifts, their sigmas), both (m, 3): the most probable, given what is expected (m, 3).

    `sigma_zyx` (m, 3) says how sure the expectation is. A sub-block without a map has the shift
    that is expected, and the sigma UNKNOWN; a stack without depth has no shift in z.

    The log-likelihood of a shift is c |c| / (2 noise**2) at the correlation c. The top of the
    peak is that of a parabola through the logarithms (exact for a Gaussian peak), after the loss
    of overlap is made up for; the noise over the square root of its curvature is the uncertainty.
    """
    values, known = found.values, found.known
    noise = np.where(known, found.noise, 1.0)
    score = values * np.abs(values) / (2 * noise**2)[:, None, None, None]
    lags = [np.arange(size) - size // 2 for size in values.shape[1:]]
    for axis, steps in enumerate(lags):
        away = steps + (found.middle_zyx - expected_zyx)[:, axis, None]
        cost = 0.5 * (away / sigma_zyx[:, axis, None]) ** 2
        score -= along_axis(cost, axis)
    inner = score[
        (slice(None), *(slice(1, -1) if len(steps) > 1 else slice(None) for steps in lags))
    ]
    place = np.unravel_index(inner.reshape(len(inner), -1).argmax(axis=1), inner.shape[1:])
    index = [at + (len(steps) > 1) for at, steps in zip(place, lags, strict=True)]
    shifts, sigmas = _tops(found, noise, index)
    shifts = np.where(known[:, None], shifts, expected_zyx)
    return shifts, np.where(known[:, None], sigmas, UNKNOWN)


def _tops(
    found: SubBlockMaps, noise: np.ndarray, index: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return (shifts, sigmas) (m, 3) of the peaks at indices (m,) along z, y, x."""
    sub_blocks = np.arange(len(noise))
    values = found.values / np.maximum(found.overlap, LEAST_OVERLAP)
    correlation = values[sub_blocks, *index].astype(float)
    unmatched = noise * np.sqrt(np.maximum(1 - correlation**2, BEST_RESIDUAL))
    shifts, sigmas = np.zeros((2, len(noise), 3))
    for axis, size in enumerate(found.values.shape[1:]):
        if size == 1:
            sigmas[:, axis] = NO_DEPTH
            continue
        before, here, after = (
            np.log(np.maximum(_neighbour(values, index, axis, step), SMALLEST_VALUE))
            for step in (-1, 0, 1)
        )
        curvature = before - 2 * here + after
        with np.errstate(divide="ignore", invalid="ignore"):
            offset = 0.5 * (before - after) / curvature
            sigma = unmatched / correlation / np.sqrt(-curvature)
        peaked = (correlation > 0) & (curvature < 0) & (np.abs(offset) <= 1)
        shifts[:, axis] = index[axis] - size // 2 + np.where(peaked, offset, 0.0)
        shifts[:, axis] += found.middle_zyx[:, axis]
        sigmas[:, axis] = np.where(peaked, sigma, UNKNOWN)
    return shifts, sigmas


def _neighbour(values: np.ndarray, index: list[np.ndarray], axis: int, step: int) -> np.ndarray:
    """Return the values (m,) one step from indices (m,) along an axis."""
    there = [at + step * (other == axis) for other, at in enumerate(index)]
    result: np.ndarray = values[np.arange(len(values)), *there].astype(float)
    return result
