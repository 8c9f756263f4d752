"""How sure it is that a block shows the same structure in both stacks."""

import numpy as np
from scipy import stats

from crossreg.fiducial.tile_map import TileMap

FALSE_ACCEPT_RATE = 0.01
"""Part of the blocks that cannot match whose confidence passes the threshold."""
THEORETICAL_THRESHOLD = 3.5
"""Least threshold: the largest of the few independent values around a prediction, each standard
normal, passes it in fewer than 1 of 100 blocks."""
LEAST_MATCHING = 0.3
"""Part of the blocks that have to pass the threshold for a cycle to match: of stacks of unlike ROIs
at most a quarter of them did, of sparse stacks that match no less than a third."""
SURE = 3.0
"""Multiple of the threshold that chance does not reach."""
LEAST_SURE = 0.1
"""Part of the blocks that have to be sure where structure is too sparse for LEAST_MATCHING."""
FEWEST_PAIRS = 3
"""Pairs from which on their spread is used."""


def block_confidence(maps: list[TileMap | None], expected_zyx: np.ndarray) -> float:
    """Return the confidence of a block from the maps of its tiles.

    `expected_zyx` (n, 3) are the shifts that the maps are expected to show. The maps, in units
    of their noise, are added around the expected shifts; the highest sum over the square root of
    their number is standard normal for one shift of an unrelated pair. 0 where there is no map.
    """
    return _highest_sum(
        [
            _around(found, expected)
            for found, expected in zip(maps, expected_zyx, strict=True)
            if found is not None
        ]
    )


def null_confidence(maps: list[TileMap | None]) -> float:
    """Return the confidence that a block reaches by chance, from maps of unrelated tiles.

    It is the highest of all shifts of the maps: where little else guides it, the field that says
    what is expected follows the block's own chance peak.
    """
    return _highest_sum([found.values / found.noise for found in maps if found is not None])


def _highest_sum(parts: list[np.ndarray]) -> float:
    """Return the highest sum of those that have the shape of the first, as a standard normal."""
    parts = [part for part in parts if part.shape == parts[0].shape]
    return float(np.sum(parts, axis=0).max() / np.sqrt(len(parts))) if parts else 0.0


def _around(found: TileMap, shift: np.ndarray) -> np.ndarray:
    """Return the values next to a shift, one step in every direction, in units of the noise."""
    where = []
    for size, step in zip(
        found.values.shape, np.rint(shift - found.middle_zyx).astype(int), strict=True
    ):
        middle = min(max(size // 2 + int(step), 1), size - 2) if size > 2 else 0
        where.append(slice(max(middle - 1, 0), middle + 2))
    return found.values[tuple(where)] / found.noise


def confidence_threshold(null: np.ndarray) -> float:
    """Return the confidence that a pair that cannot match passes at FALSE_ACCEPT_RATE.

    `null` (n,) are the confidences of blocks of the same two stacks that cannot match. The
    limit is the upper end of a prediction interval (Student's t), so that few pairs give a
    higher one; ASHLAR (Muhlich et al. 2022) measures its threshold from such pairs too.
    """
    count = len(null)
    if count < FEWEST_PAIRS:
        return THEORETICAL_THRESHOLD
    reach = stats.t.ppf(1 - FALSE_ACCEPT_RATE, count - 1) * np.sqrt(1 + 1 / count)
    measured = float(np.mean(null) + reach * np.std(null, ddof=1))
    return max(measured, THEORETICAL_THRESHOLD)


def cycle_matches(confidence: np.ndarray, threshold: float) -> bool:
    """Return whether a cycle matches at all, from the confidences (n,) of its blocks.

    Blocks of which both stacks show nothing have the confidence 0 and do not count.
    """
    seen = confidence[confidence != 0]
    if not len(seen):
        return False
    matching, sure = np.mean(seen > threshold), np.mean(seen > SURE * threshold)
    return bool(matching >= LEAST_MATCHING or sure >= LEAST_SURE)
