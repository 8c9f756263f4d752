"""Sub-blocks whose structure moved by itself: a cell that crawled, a bead that came loose, a tear.

The field that most sub-blocks agree on does not hold there. Such a sub-block matches clearly at
another shift than the field's, and clearly worse at the field's. Where structure is as simple as
single beads, another one may stand there by chance. So all is compared with what the same is worth
at places where nothing can match.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.even_choice import evenly_chosen
from crossreg.fiducial.local_shift.sub_block_map import SubBlockMaps, along_axis
from crossreg.fiducial.quantiles import quantiles

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

CLEAR = 0.7
"""Correlation from which on two images of a sub-block show the same."""
PARTLY = 0.4
"""Correlation from which on a part of a sub-block may have moved: the rest stands elsewhere."""
MOST_CORRELATION = 0.98
"""Correlation above which nothing is better: no two images are quite alike."""
QUIET = 0.25
"""Part of the sub-blocks that show least besides what matches: their noise is that of all."""
GAIN = 8.0
"""Gain in log-likelihood from which on another shift is clearly better."""
FEWEST_CLEAR = 10
"""Sub-blocks with clear structure below which it is not asked how many of them match."""
MISSING = 0.93
"""Part of the correlation that could be reached below which another shift is looked for."""
UNMATCHED = 0.4
"""The same below which what both show is not the same."""
LEAST_MOTION = 0.8
"""Distance (px) from the field below which a motion is none: samples of 1 px show no less."""
MOST_LOOKED_AT = 128
"""Sub-blocks at most in which another shift is looked for."""
CHANCE = 0.02
"""Part of the trials at wrong places, at most, that find as good a match as near as this one."""
ALIKE, FEWEST_ALIKE = 1.5, 3
"""Distance (px) of two motions that are alike, and how many of these are no chance, however far."""
FEWEST_TRIALS = 10
"""Trials below which nothing is said."""
NEARLY_AS = 1.0, 0.8
"""How much farther (px), and with which part of its gain, a match at a wrong place is as good."""
TRIED = 16
"""Sub-blocks at most that are tried at wrong places."""
WRONG_PLACES = ((0, 80), (0, -80), (80, 0), (-80, 0), (56, 56), (-56, -56))
"""How far away (px) wrong places lie: beyond the motions that are looked for."""

MapsAt = Callable[[Numbers, Floats], SubBlockMaps]
"""Gives the maps of some sub-blocks (k,), all m of which are aimed at shifts (m, 3)."""
ShiftsAt = Callable[[Numbers, Floats], Floats]
"""Gives the shifts (k, 3) of their highest correlations, far around the shifts (m, 3)."""


@dataclass(frozen=True)
class Moved:
    """What of the structure of m sub-blocks does not follow the field.

    Attributes
    ----------
    sub_blocks : (k,) numbers of those whose structure moved by itself.
    position_zyx : (k, 3) where it lies in the reference (planes, px, px).
    by_zyx : (k, 3) how far it moved beyond the field.
    amount : (m,) how much structure each of all sub-blocks matches, at whatever shift.
    is_clear : (m,) whether both stacks show clear structure.
    unmatched : the share of these of which hardly anything matches at the field's shift.
    unmatched_at_most : the same, if noise is as small as it may be: where hardly anything matches,
        all that is left over is structure, and tells nothing of noise.

    """

    sub_blocks: Numbers
    position_zyx: Floats
    by_zyx: Floats
    amount: Floats
    is_clear: NDArray[np.bool_]
    unmatched: float
    unmatched_at_most: float


def moved_by_themselves(
    maps: SubBlockMaps,
    expected_zyx: Floats,
    maps_at: MapsAt,
    shifts_at: ShiftsAt,
    noise_energy: Floats,
) -> Moved:
    """Return which of m sub-blocks moved by themselves.

    `maps` are aimed at about the shifts (m, 3) that the field expects, `expected_zyx`.
    `noise_energy` (m,) is the energy that sub-blocks without structure would have.
    """
    known = maps.known
    noise, energy = (np.where(known, part, 1.0) for part in (maps.noise, maps.energy))
    correlation = np.where(known, _near(maps, expected_zyx), 0.0)
    quiet = quantiles(((1 - correlation) * energy)[known], (QUIET,))[0] if known.any() else np.inf
    possible = np.where(known, np.clip(1 - quiet / energy, 0, MOST_CORRELATION), 0.0)
    is_clear = possible >= CLEAR
    gain = _gain(correlation, possible, noise)
    looked_at = np.flatnonzero(is_clear & (gain >= GAIN) & (correlation < MISSING * possible))
    looked_at = np.sort(looked_at[np.argsort(-gain[looked_at], kind="stable")][:MOST_LOOKED_AT])
    amount = energy * np.maximum(correlation, 0) * known

    found, by, position = _elsewhere(looked_at, expected_zyx, maps_at, shifts_at)
    far = np.hypot(by[:, 1], by[:, 2])
    gain = _gain(correlation[looked_at], found, noise[looked_at])
    moved = np.flatnonzero((found >= PARTLY) & (gain >= GAIN) & (far >= LEAST_MOTION))
    if len(moved):
        motion = by[moved, 1:]
        apart = np.linalg.norm(motion[:, None] - motion, axis=2)
        is_moved = (apart < ALIKE).sum(axis=1) >= FEWEST_ALIKE
        alone, clear = moved[~is_moved], np.flatnonzero(is_clear)
        is_moved[~is_moved] = _is_no_chance(
            far[alone], gain[alone], clear, expected_zyx, noise, maps_at, shifts_at
        )
        moved = moved[is_moved]
    amount[looked_at[moved]] = (energy[looked_at] * found)[moved]
    at_most = np.where(known, 1 - np.minimum(quiet, noise_energy) / energy, 0.0)
    unmatched = _unmatched_share(correlation, possible), _unmatched_share(correlation, at_most)
    return Moved(looked_at[moved], position[moved], by[moved], amount, is_clear, *unmatched)


def _unmatched_share(correlation: Floats, possible: Floats) -> float:
    """Return in which part of the clear sub-blocks hardly anything matches; 0 if they are few."""
    is_clear = possible >= CLEAR
    if is_clear.sum() < FEWEST_CLEAR:
        return 0.0
    return float(np.mean((correlation < UNMATCHED * possible)[is_clear]))


def _near(maps: SubBlockMaps, expected_zyx: Floats) -> Floats:
    """Return the correlations (m,) at shifts (m, 3), the highest one within a sample."""
    sizes = np.array(maps.values.shape[1:])
    steps = np.rint(expected_zyx - maps.middle_zyx).astype(int)
    first = np.clip(sizes // 2 + steps - 1, 0, np.maximum(sizes - 3, 0))
    # The first three shifts along each axis, or all of a flat stack.
    z, y, x = (
        first[:, axis].reshape(-1, 1, 1, 1) + along_axis(np.arange(min(3, size))[None], axis)
        for axis, size in enumerate(sizes.tolist())
    )
    sub_block = np.arange(len(first)).reshape(-1, 1, 1, 1)
    near: Floats = maps.values[sub_block, z, y, x].max(axis=(1, 2, 3)).astype(float)
    return near


def _gain(before: Floats, after: Floats, noise: Floats) -> Floats:
    """Return by how much the log-likelihood is larger at one correlation than at another, (m,)."""
    left = [1 - np.clip(part, 0, MOST_CORRELATION) ** 2 for part in (before, after)]
    return np.asarray(np.log(left[0] / left[1]) / (2 * noise**2))


def _elsewhere(
    sub_blocks: Numbers, expected_zyx: Floats, maps_at: MapsAt, shifts_at: ShiftsAt
) -> tuple[Floats, Floats, Floats]:
    """Return what some sub-blocks (k,) match best far around the shifts (m, 3) expected of all.

    The correlation (k,), how far from what is expected (k, 3), and where the structure lies (k, 3).
    """
    if not len(sub_blocks):
        return np.zeros(0), np.zeros((0, 3)), np.zeros((0, 3))
    aimed = expected_zyx.copy()
    aimed[sub_blocks] = shifts_at(sub_blocks, expected_zyx)
    maps = maps_at(sub_blocks, aimed)
    sizes = maps.values.shape[1:]
    flat = maps.values.reshape(len(sub_blocks), -1)
    place = np.column_stack(np.unravel_index(flat.argmax(axis=1), sizes))
    shifts = maps.middle_zyx + place - np.array(sizes) // 2
    found = np.where(maps.known, flat.max(axis=1).astype(float), 0.0)
    return found, shifts - expected_zyx[sub_blocks], maps.position_zyx


def _is_no_chance(
    far: Floats,
    gain: Floats,
    clear: Numbers,
    expected_zyx: Floats,
    noise: Floats,
    maps_at: MapsAt,
    shifts_at: ShiftsAt,
) -> NDArray[np.bool_]:
    """Return which matches (k,), `far` away (px) with a `gain`, are too good for chance.

    Some `clear` sub-blocks are looked for at wrong places, until these have shown as good matches
    as near as all of them.
    """
    tried = clear[evenly_chosen(len(clear), TRIED)]
    trials, as_good = 0, np.zeros(len(far), dtype=int)
    for away in WRONG_PLACES:
        if np.all(as_good > CHANCE * len(tried) * len(WRONG_PLACES)):
            break
        aims = expected_zyx + np.array([0.0, *away])
        found, by, _ = _elsewhere(tried, aims, maps_at, shifts_at)
        trials += int((found > 0).sum())
        near = np.hypot(by[:, 1], by[:, 2]) - NEARLY_AS[0]
        good = _gain(np.zeros(len(tried)), found, noise[tried]) / NEARLY_AS[1]
        as_good += ((near <= far[:, None]) & (good >= gain[:, None])).sum(axis=1)
    return (trials >= FEWEST_TRIALS) & (as_good <= CHANCE * trials)
