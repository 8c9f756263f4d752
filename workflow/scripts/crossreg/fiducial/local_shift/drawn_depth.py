"""Structure as high as a level of a tall stack, or as a flat stack, is drawn along z.

A level is cut out of both stacks, and a stack ends at the same planes in both: structure about as
high looks alike wherever it is cut. So the shift along z that a sub-block shows lies between the
true one and the one it was aimed at. By which part of the distance is measured, by aiming at other
depths, and undone.
"""

from collections.abc import Callable

import numpy as np

from crossreg.fiducial.local_shift.sub_block_map import SubBlockMaps
from crossreg.fiducial.local_shift.sub_block_shift import sub_block_shifts
from crossreg.fiducial.quantiles import median

PROBED = 12
"""Sub-blocks that are aimed elsewhere: what one shows varies by 0.2."""
PROBED_HEIGHT = 4.0
"""Height of a peak (standard deviations of the noise) that such a sub-block shows."""
ASIDE = 0.5
"""How far above and below they are aimed (planes)."""
SEEN_SIGMA = 2.0
"""Uncertainty (planes) above which nothing was seen there."""
MOST_DRAWN = 0.4
"""Largest part of the distance that is undone: undoing more makes all other errors along z twice as
large and more, and looking again around the field finds the rest. Nuclei: 0.05 planes, not 0.6."""

MapsAt = Callable[[np.ndarray, np.ndarray], SubBlockMaps]
"""Gives the maps of some sub-blocks (k,), all m of which are aimed at shifts (m, 3)."""


def drawn_part(maps: SubBlockMaps, aimed_zyx: np.ndarray, maps_at: MapsAt) -> float:
    """Return by which part of the distance shifts along z are drawn to where they are looked for.

    `maps` are those of m sub-blocks aimed at shifts (m, 3). Some that show something are aimed
    above and below, and the shifts that they show there are compared.
    """
    height = maps.values.reshape(len(aimed_zyx), -1).max(axis=1)
    shown = np.flatnonzero(maps.known & (height > PROBED_HEIGHT * maps.noise))
    if not len(shown):
        return 0.0
    chosen = shown[np.linspace(0, len(shown) - 1, min(len(shown), PROBED)).astype(int)]

    def seen(aside: float) -> tuple[np.ndarray, np.ndarray]:
        aims = aimed_zyx + np.array([aside, 0.0, 0.0])
        shifts, sigmas = sub_block_shifts(
            maps_at(chosen, aims), aims[chosen], np.zeros((len(chosen), 3))
        )
        return shifts[:, 0], sigmas[:, 0]

    (above, sigma_above), (below, sigma_below) = seen(ASIDE), seen(-ASIDE)
    moved = (above - below)[np.maximum(sigma_above, sigma_below) < SEEN_SIGMA]
    return float(np.clip(median(moved) / (2 * ASIDE), 0, MOST_DRAWN)) if len(moved) else 0.0


def undrawn(
    shift_z: np.ndarray, sigma_z: np.ndarray, aimed_z: np.ndarray, drawn: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return (shifts, sigmas), both (m,), along z without the part of the way they were drawn."""
    return aimed_z + (shift_z - aimed_z) / (1 - drawn), sigma_z / (1 - drawn)
