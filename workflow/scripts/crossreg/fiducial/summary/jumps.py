"""Cycles whose drift is far from that of their neighbours in time."""

from collections.abc import Sequence

import numpy as np

LEAST_CYCLES = 5
"""Cycles below which it cannot be said what drift is usual."""
LEAST_JUMP, JUMP_SPREADS = 5.0, 6.0
"""A drift jumps if it differs from the nearest of its neighbours by so many px, and by so many
spreads (median absolute deviations) more than is usual in the ROI."""


def jumps_of(drifts_xy: Sequence[tuple[float, float]]) -> np.ndarray:
    """Return how far (px) each drift is from the nearest of its two neighbours; 0 where as usual.

    The neighbours of the first and last are the two next to them on one side.
    """
    drifts = np.array(drifts_xy, dtype=float).reshape(-1, 2)
    known = np.flatnonzero(np.isfinite(drifts).all(axis=1))
    jumps = np.zeros(len(drifts))
    if len(known) < LEAST_CYCLES:
        return jumps
    places = np.arange(len(known))
    first = np.clip(places - 1, 0, len(known) - 3)
    steps = drifts[known][first[:, None] + np.arange(3)] - drifts[known][:, None]
    lengths = np.linalg.norm(steps, axis=-1)
    lengths[places, places - first] = np.inf
    distance = lengths.min(axis=1)
    spread = np.median(np.abs(distance - np.median(distance)))
    limit = max(LEAST_JUMP, np.median(distance) + JUMP_SPREADS * spread)
    jumps[known] = np.where(distance > limit, distance, 0.0)
    return jumps
