"""The shift that a sub-block's correlation shows, and how sure it is."""

import itertools

import numpy as np

from crossreg.fiducial.local_shift.sub_block_map import SubBlockMaps, along_axis

SEARCHED = 0.3
"""Uncertainty (px, planes) of what is expected, beside its sigma, where the highest peak is chosen:
what the field cannot follow."""
FOLLOWED = 0.1
"""The same where one axis is measured with the others as expected."""
STEEPEST_RIDGE = 0.95
"""Largest correlation between the shifts along two axes that a map is believed to show."""
FARTHEST = 1.0
"""Distance (px, planes) of the top from the highest value within which the paraboloid holds."""
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
    found: SubBlockMaps,
    expected_zyx: np.ndarray,
    sigma_zyx: np.ndarray,
    *,
    is_open: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (shifts, their sigmas), both (m, 3): the most probable, given what is expected (m, 3).

    `sigma_zyx` (m, 3) says how sure the expectation is. A sub-block without a map has the shift
    that is expected, and the sigma UNKNOWN; a stack without depth has no shift in z.

    The log-likelihood of a shift is c |c| / (2 noise**2) at the correlation c. Its top is looked
    for near what is expected, and lies where a paraboloid through the logarithms has its own (exact
    for a Gaussian peak), after the loss of overlap is made up for.

    Where nothing matches, noise has a peak near any expectation. Where it `is_open` (m,) whether a
    sub-block matches, sigma grows by how likely the shift is that of another peak.

    Structure that is long in one direction has a ridge instead of a peak (the aperture problem):
    what it shows along one axis depends on the shift along the others. There the expectation
    helps: each axis is measured where the others are expected, as surely as they are.
    """
    known = found.known
    noise = np.where(known, found.noise, 1.0)
    likely = found.values * np.abs(found.values) / (2 * noise**2)[:, None, None, None]
    away = found.middle_zyx - expected_zyx
    index = _places(likely, away, np.hypot(sigma_zyx, SEARCHED))
    top, precision, pull = _paraboloids(found, noise, index)
    away = expected_zyx - top
    free = _without_expectation(precision, pull, away, np.hypot(sigma_zyx, FOLLOWED) ** -2.0)
    shifts, sigmas = top + free[0], free[1]
    if is_open is not None and is_open.any():
        correlation = found.values[np.arange(len(noise)), *index][is_open].astype(float)
        elsewhere = _elsewhere(likely[is_open], correlation, [at[is_open] for at in index])
        sigmas[is_open] = np.minimum(np.hypot(sigmas[is_open], elsewhere), UNKNOWN)
    if found.values.shape[1] == 1:
        shifts[:, 0], sigmas[:, 0] = 0.0, NO_DEPTH
    shifts = np.where(known[:, None], shifts, expected_zyx)
    return shifts, np.where(known[:, None], sigmas, UNKNOWN)


def unmatched_noise(noise: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """Return the noise (m,) that moves the peaks of correlations (m,): of what does not match.

    `noise` (m,) is that of unrelated sub-blocks.
    """
    result: np.ndarray = noise * np.sqrt(np.maximum(1 - correlation**2, BEST_RESIDUAL))
    return result


def _places(likely: np.ndarray, away_zyx: np.ndarray, sigma_zyx: np.ndarray) -> list[np.ndarray]:
    """Return the indices (m,) along z, y, x of the most probable shifts, none at an end.

    `likely` (m, n_z, n_y, n_x) are the log-likelihoods of shifts, `away_zyx` (m, 3) is how far
    the middle one is from what is expected.
    """
    score, sizes = likely.copy(), likely.shape[1:]
    for axis, size in enumerate(sizes):
        away = np.arange(size) - size // 2 + away_zyx[:, axis, None]
        score -= along_axis(0.5 * (away / sigma_zyx[:, axis, None]) ** 2, axis)
    ends = [int(size > 1) for size in sizes]
    inner = score[
        (slice(None), *(slice(end, size - end) for end, size in zip(ends, sizes, strict=True)))
    ]
    place = np.unravel_index(inner.reshape(len(inner), -1).argmax(axis=1), inner.shape[1:])
    return [at + end for at, end in zip(place, ends, strict=True)]


def _elsewhere(likely: np.ndarray, correlation: np.ndarray, index: list[np.ndarray]) -> np.ndarray:
    """Return the standard errors (m, 3) by what lies beyond the paraboloids at indices (m,).

    All shifts are as probable as their log-likelihoods `likely` (m, n_z, n_y, n_x) say; the noise
    is that of what the `correlation` (m,) of the peak leaves unmatched. What is expected takes no
    part: it may come from this very peak.
    """
    unmatched = np.square(unmatched_noise(np.ones(len(correlation)), correlation))
    below = likely - likely.max(axis=(1, 2, 3), keepdims=True)
    weights = np.exp((below / unmatched[:, None, None, None]).astype(np.float32))
    sizes = likely.shape[1:]
    steps = [np.arange(size) - at[:, None] for size, at in zip(sizes, index, strict=True)]
    near = [along_axis(np.abs(away) <= FARTHEST, axis) for axis, away in enumerate(steps)]
    total = weights.sum(axis=(1, 2, 3))
    weights[near[0] & near[1] & near[2]] = 0
    marginals = (weights.sum(axis=others) for others in ((2, 3), (1, 3), (1, 2)))
    squares = [(part * away**2).sum(axis=1) for part, away in zip(marginals, steps, strict=True)]
    return np.asarray(np.sqrt(np.array(squares) / total).T)


def _paraboloids(
    found: SubBlockMaps, noise: np.ndarray, index: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (shifts (m, 3), precision (m, 3, 3), pull (m, 3)) of the peaks at indices (m,).

    The log-likelihood of a shift that is larger by d is pull d - d precision d / 2. Both are 0
    along an axis without a peak.
    """
    values = found.values / np.maximum(found.overlap, LEAST_OVERLAP)
    correlation = values[np.arange(len(noise)), *index].astype(float)
    scale = np.square(np.maximum(correlation, 0) / unmatched_noise(noise, correlation))

    def near(*steps: int) -> np.ndarray:
        there = [at + step for at, step in zip(index, steps, strict=True)]
        seen = values[np.arange(len(noise)), *there].astype(float)
        return np.asarray(np.log(np.maximum(seen, SMALLEST_VALUE)))

    axes = [axis for axis, size in enumerate(found.values.shape[1:]) if size > 1]
    unit = np.eye(3, dtype=int)
    pull, precision = np.zeros((len(noise), 3)), np.zeros((len(noise), 3, 3))
    here = near(0, 0, 0)
    for one in axes:
        before, after = near(*-unit[one]), near(*unit[one])
        pull[:, one] = (after - before) / 2
        precision[:, one, one] = np.maximum(2 * here - before - after, 0)
    for one, two in itertools.combinations(axes, 2):
        alike, unlike = unit[one] + unit[two], unit[one] - unit[two]
        cross = near(*unlike) + near(*-unlike) - near(*alike) - near(*-alike)
        most = STEEPEST_RIDGE * np.sqrt(precision[:, one, one] * precision[:, two, two])
        precision[:, one, two] = precision[:, two, one] = np.clip(cross / 4, -most, most)
    pull *= np.diagonal(precision, axis1=1, axis2=2) > 0
    is_peak = (np.linalg.det(precision + 1e-9 * unit) > 0)[:, None, None]
    precision = np.where(is_peak, precision, precision * unit)
    shifts = found.middle_zyx + np.column_stack(
        [at - size // 2 for at, size in zip(index, found.values.shape[1:], strict=True)]
    )
    return shifts, precision * scale[:, None, None], pull * scale[:, None]


def _without_expectation(
    precision: np.ndarray, pull: np.ndarray, expected: np.ndarray, certainty: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (top, its sigma), both (m, 3), along each axis, the other two as expected.

    `certainty` (m, 3) is one over the variance of what is `expected` (m, 3). Along its own axis the
    expectation takes no part: it is added to all axes, and taken off again.
    """
    inverse = np.linalg.inv(precision + certainty[..., None] * np.eye(3))
    both = (inverse @ (pull + certainty * expected)[..., None])[..., 0]
    known = 1 / np.diagonal(inverse, axis1=1, axis2=2)
    own = known - certainty
    shown = own > UNKNOWN**-2
    own = np.where(shown, own, 1.0)
    top = (known * both - certainty * expected) / own
    shown &= np.abs(top) <= FARTHEST
    return np.where(shown, top, 0.0), np.where(shown, own**-0.5, UNKNOWN)
