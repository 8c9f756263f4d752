"""How sure it is that a block shows the same structure in both stacks."""

from functools import lru_cache

import numpy as np

from crossreg.fiducial.local_shift.sub_block_map import SubBlockMaps, along_axis

FALSE_ACCEPT_RATE = 0.01
"""Part of the blocks that cannot match whose confidence passes the threshold."""
THEORETICAL_THRESHOLD = 3.5
"""Threshold where too few pairs are at hand: the largest of the few independent values around a
prediction, each standard normal, passes it in fewer than 1 of 100 blocks."""
FEWEST_PAIRS = 3
"""Pairs from which on their spread is used."""
ANGLES = 10001
"""Angles at which Student's t is added up: exact to a millionth."""


def block_confidences(
    maps: SubBlockMaps, expected_zyx: np.ndarray, sub_blocks_of_block: list[np.ndarray]
) -> np.ndarray:
    """Return the confidences (n,) of blocks from the maps of their sub-blocks.

    `expected_zyx` (m, 3) are the shifts that the maps are expected to show. The maps, in units
    of their noise, are added around the expected shifts; the highest sum over the square root of
    their number is standard normal for one shift of an unrelated pair. 0 where there is no map.
    """
    around = _around(maps, expected_zyx)
    chosen = [mine[maps.known[mine]] for mine in sub_blocks_of_block]
    return np.array(
        [
            around[mine].sum(axis=0).max() / np.sqrt(len(mine)) if len(mine) else 0.0
            for mine in chosen
        ]
    )


def _around(maps: SubBlockMaps, shifts: np.ndarray) -> np.ndarray:
    """Return the values (m, n) next to shifts (m, 3), one step in each direction, over noise."""
    values = maps.values / np.where(maps.known, maps.noise, 1.0)[:, None, None, None]
    steps = np.rint(shifts - maps.middle_zyx).astype(int)
    where = [np.arange(len(values)).reshape(-1, 1, 1, 1)]
    for axis, size in enumerate(values.shape[1:]):
        middle = np.clip(size // 2 + steps[:, axis], min(1, size - 1), max(size - 2, 0))
        near = middle[:, None] + np.arange(-1, 2)[: None if size > 1 else 1] * (size > 1)
        where.append(along_axis(near, axis))
    return values[tuple(where)].reshape(len(values), -1)


def confidence_threshold(null: np.ndarray) -> float:
    """Return the confidence that a pair that cannot match passes at FALSE_ACCEPT_RATE.

    `null` (n,) are the confidences of blocks of the same two stacks that cannot match. The
    limit is the upper end of a prediction interval (Student's t), so that few pairs give a
    higher one; ASHLAR (Muhlich et al. 2022) measures its threshold from such pairs too.
    """
    count = len(null)
    if count < FEWEST_PAIRS:
        return THEORETICAL_THRESHOLD
    reach = _students_t(count - 1, 1 - FALSE_ACCEPT_RATE) * np.sqrt(1 + 1 / count)
    return float(np.mean(null) + reach * np.std(null, ddof=1))


@lru_cache(maxsize=64)
def _students_t(degrees: int, probability: float) -> float:
    """Return the quantile of Student's t of some degrees of freedom.

    t is the root of the degrees times the tangent of an angle, whose density is a power of its
    cosine (substituted into the density of t).
    """
    angles = np.linspace(-np.pi / 2, np.pi / 2, ANGLES)
    below = np.cumsum(np.cos(angles) ** (degrees - 1))
    below = below - 0.5 * np.cos(angles) ** (degrees - 1)
    angle = np.interp(probability, below / (2 * below[ANGLES // 2]), angles)
    return float(np.sqrt(degrees) * np.tan(angle))
