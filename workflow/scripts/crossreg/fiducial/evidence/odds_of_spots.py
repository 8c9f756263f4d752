"""The odds that few clear spots meet by chance, from where exactly they lie.

A correlation shows that spots meet within their width. Their middles are known ten times as well,
and a specimen that moves keeps their distances: so few spots tell much. How likely the places of
the cycle's spots are if it is the same specimen, over how likely they are if it is another one, is
a Bayes factor. Another specimen has its spots anywhere. In the same one, each spot of the reference
is found again with a probability that is not known, where the motion brings it: a shift, a gradient
(turn and strain) and what is left, each of a size that is not known either. All sizes are averaged
by how likely they are beforehand, so that spots which meet by a strain that no stage makes pay for
it, and so do spots that meet none. By chance a factor of 10,000 comes about once in 10,000 trials
at most (Markov's inequality).

Spots of another specimen are not always anywhere: two spots meet again where the specimen is turned
by 180 degrees, and those of a grid meet elsewhere. So the cycle mirrored, turned and transposed,
and other shifts, compete: what matches as well there proves nothing here.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.evidence.deformation import ShiftsAt

Floats = NDArray[np.float64]

ERRORS = ((0.1, 0.3), (0.2, 0.3), (0.4, 0.25), (0.8, 0.15))
"""Standard deviations (bins) of what is left of the motion, and how likely each is: the last is a
field of 0.8 px, rough at the distance of two spots, in both images."""
GRADIENTS = ((1e-3, 0.6), (1e-2, 0.3), (5e-2, 0.08), (0.15, 0.02))
"""Standard deviations of turn (radians) and strain, and how likely each is: stages hardly turn."""
FOUND_AGAIN = ((0.95, 0.4), (0.8, 0.3), (0.5, 0.2), (0.2, 0.1))
"""Parts of the spots that are found again, and how likely each is."""
NEAREST = 5.0
"""Shift (bins) up to which all shifts are equally likely; beyond, each doubling is as likely."""
FARTHEST = 0.6
"""Shift, as a part of the image, up to which spots are brought together."""
NEAR, NEAR_ELSEWHERE = 3.0, 2.0
"""Distance (bins) up to which two spots meet under the field, and under one shift."""
CUT, CUT_ERROR, UNSEEN = 4.0, 1.0, 3.0
"""Distance (bins) from the border within which a spot is cut, the standard deviation (bins) of its
middle then, and the distance within which it may be missing."""
ELSEWHERE = 6.0
"""Distance (bins) from the shift from which on it is another one."""
TURNED = 1e-3
"""How likely a specimen that was turned or mirrored is beside another one: it is rare."""
LONE = 2
"""Spots that both images may share although one is another specimen: dirt on the cover slip."""
TWO_MATCH = 1e-3
"""How likely that is."""


def log10_odds_of_spots(
    reference: Floats,
    cycle: Floats,
    shape: tuple[int, int],
    shifts_at: ShiftsAt,
    turn: float = 0.0,
) -> float:
    """Return the logarithm of the odds that spots meet by chance.

    `reference` (n, 2) and `cycle` (m, 2) are their places (bins) in images of a shape, `shifts_at`
    gives the shift (n, 2) in bins at places (n, 2) of the reference. The cycle has been turned back
    by `turn` degrees beforehand.
    """
    shift = shifts_at(reference).mean(axis=0)
    found, count, is_whole = _log_factor(reference, cycle, shape, shifts_at, NEAR, turn)
    others = [0.0]
    if count <= LONE and not is_whole:
        others.append(found + np.log(TWO_MATCH))
    last = np.array(shape) - 1.0
    for is_transposed, *flips in itertools.product((False, True), repeat=3):
        other = np.where(flips, last - cycle, cycle)
        other = other[:, ::-1] if is_transposed else other
        is_same = not (is_transposed or any(flips))
        elsewhere = _best_shift(reference, other, shape, shift if is_same else None)
        if elsewhere is not None:
            at = _constant(elsewhere)
            factor = _log_factor(reference, other, shape, at, NEAR_ELSEWHERE)[0]
            others.append(factor + (0.0 if is_same else np.log(TURNED)))
    return float((np.logaddexp.reduce(others) - found) / np.log(10))


def _constant(shift: Floats) -> ShiftsAt:
    """Return the function of one shift (2,) everywhere."""
    return lambda places: np.broadcast_to(shift, places.shape)


def _best_shift(
    reference: Floats, cycle: Floats, shape: tuple[int, int], besides: Floats | None
) -> Floats | None:
    """Return the shift (2,) under which most spots meet, of those far from `besides`, if any."""
    shifts = (reference[:, None] - cycle).reshape(-1, 2)
    is_far = (np.abs(shifts) > FARTHEST * np.array(shape)).any(axis=1)
    if besides is not None:
        is_far |= np.hypot(*(shifts - besides).T) < ELSEWHERE
    shifts = shifts[~is_far]
    if not len(shifts):
        return None
    away = (reference - shifts[:, None])[:, :, None] - cycle
    meets = np.square(away).sum(axis=-1) < NEAR_ELSEWHERE**2
    counts = np.minimum(meets.any(axis=2).sum(axis=1), meets.any(axis=1).sum(axis=1))
    best = shifts[counts == counts.max()]
    return np.asarray(best[np.hypot(*best.T).argmin()])


def _log_factor(
    reference: Floats,
    cycle: Floats,
    shape: tuple[int, int],
    shifts_at: ShiftsAt,
    near: float,
    turn: float = 0.0,
) -> tuple[float, int, bool]:
    """Return the logarithm of the Bayes factor, how many spots meet, and whether all do."""
    expected = reference - shifts_at(reference)
    distance = np.linalg.norm(expected[:, None] - cycle, axis=-1)
    partner = distance.argmin(axis=1)
    mine = np.arange(len(reference))
    meets = (distance[mine, partner] < near) & (distance.argmin(axis=0)[partner] == mine)
    here, there = reference[meets], cycle[partner[meets]]
    count = len(here)
    # As far as they are in sight of the other image
    in_sight = meets | _is_inside(expected, shape, UNSEEN)
    there_in_sight = _is_inside(cycle + shifts_at(cycle), shape, UNSEEN)
    there_in_sight[partner[meets]] = True
    seen, seen_there = int(in_sight.sum()), int(there_in_sight.sum())
    if not count:
        return 0.0, 0, False
    alone = seen + seen_there - 2 * count
    again, log_weights = np.array([(part, np.log(weight)) for part, weight in FOUND_AGAIN]).T
    log_counts = np.logaddexp.reduce(
        log_weights + count * np.log(again) + alone * np.log(1 - again) + again * seen_there
    )
    shift = float(np.hypot(*(here - there).mean(axis=0)))
    log_spread = np.log1p(2 * np.log(max(FARTHEST * max(shape) / NEAREST, 1.0)))
    log_shift = -log_spread - np.log(np.pi * max(shift, NEAREST) ** 2)
    is_whole = _is_inside(here, shape, CUT) & _is_inside(there, shape, CUT)
    moved = _log_motion(here, there, np.where(is_whole, 0.0, CUT_ERROR**2), turn)
    log_place = count * np.log(np.prod(shape) / seen_there)
    return float(log_counts + log_shift + moved + log_place), count, alone == 0


def _is_inside(places: Floats, shape: tuple[int, int], edge: float) -> NDArray[np.bool_]:
    """Return whether places (n, 2) lie in an image, some bins from its edges at least."""
    return np.asarray(((places >= edge) & (places <= np.array(shape) - 1 - edge)).all(axis=1))


def _log_motion(here: Floats, there: Floats, variance: Floats, turn: float) -> float:
    """Return the logarithm of how likely displacements are beside each other, at any shift.

    Normal ones: what is left has its own `variance` (n,) beside that of ERRORS. A turn (degrees)
    that was taken off counts.
    """
    beside = here - here.mean(axis=0)
    away = here - there + np.deg2rad(turn) * np.column_stack([-beside[:, 1], beside[:, 0]])
    squares = beside @ beside.T
    logs = []
    for (error, likely), (gradient, as_likely) in itertools.product(ERRORS, GRADIENTS):
        covariance = np.diag(error**2 + variance) + gradient**2 * squares
        logs.append(np.log(likely * as_likely) + _log_normal(away, covariance))
    return float(np.logaddexp.reduce(logs))


def _log_normal(values: Floats, covariance: Floats) -> float:
    """Return the logarithm of the density of values (n, k), each column around any one mean."""
    root = np.linalg.cholesky(covariance)
    whitened = np.linalg.solve(root, np.column_stack([np.ones(len(values)), values]))
    ones, rest = whitened[:, 0], whitened[:, 1:]
    known = float(ones @ ones)
    squares = np.square(rest).sum(axis=0) - np.square(ones @ rest) / known
    columns = values.shape[1]
    log_volume = float(np.log(np.diag(root)).sum()) + 0.5 * np.log(known)
    log_volume += 0.5 * (len(values) - 1) * np.log(2 * np.pi)
    return float(-0.5 * squares.sum() - columns * log_volume)
