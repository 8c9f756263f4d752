"""Light that changes with depth in one of two stacks otherwise than in the other.

A cycle that bleaches while it is imaged, or lies deeper, darkens along z. A spot of the depth s
(standard deviation, planes) whose light falls by exp(-g z) looks as if it lay g s**2 planes higher:
0.1 planes and more in ordinary stacks, the same in all blocks, so that nothing contradicts it. The
change is measured where both stacks show the same, and made up for before the cycle is matched.
"""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.binned_stacks import (
    PLANES_FOR_PATTERN,
    binned_planes,
    freed_planes,
    weighted_planes,
)

Floats = NDArray[np.float64]
Stacks = tuple[NDArray[np.int16], NDArray[np.int16]]

FEWEST_PLANES = PLANES_FOR_PATTERN - 1
"""Pairs of planes that both stacks show below which nothing is said."""
LEAST_CHANGE = 0.01
"""Change (logarithm of the light per plane) below which nothing is done: the structure at the ends
of a stack, of which each stack shows another part, feigned up to 0.008 in sparse beads."""
SURE = 4.0
"""Standard errors from which on a change is believed."""
MOST_WEIGHT = 1.0
"""Weight of a plane at most, relative to the median: a few bright planes must not rule."""


@dataclass(frozen=True)
class Light:
    """How bright the planes of reference and cycle are (`light_by_depth`), and the cycle itself.

    The cycle (Z, Y, X) is kept as it was read.
    """

    of_reference: Floats
    of_cycle: Floats
    cycle: NDArray[np.number]

    def fading(self, shift_z: float) -> float:
        """Return by how much the logarithm of the cycle's light changes more per plane.

        0 where it is not clear. `shift_z` (planes) brings the cycle to the reference.
        """
        return fading(self.of_reference, self.of_cycle, shift_z)

    def alike(self, reference: NDArray[np.int16], slope: float, pool: Executor) -> Stacks:
        """Return the binned reference (Z, y, x), and the cycle without such a fading.

        The cycle is freed of what all planes share once it is as bright everywhere. The planes that
        had little light count less in both, as their noise has grown.
        """
        planes = binned_planes(self.cycle, pool)
        planes *= np.exp(-slope * np.arange(len(planes), dtype=np.float32))[:, None, None]
        cycle = freed_planes(planes, pool)
        return _weighted(reference, slope, pool), _weighted(cycle, slope, pool)


def fading(reference: Floats, cycle: Floats, shift_z: float) -> float:
    """Return by how much the logarithm of a cycle's light (Z',) changes more than the other's (Z,).

    Per plane; 0 where it is not clear. `shift_z` (planes) brings the cycle to the reference.
    """
    if min(len(reference), len(cycle)) < FEWEST_PLANES:
        return 0.0
    depth = np.arange(len(reference))
    at = depth - shift_z
    there = np.interp(at, np.arange(len(cycle)), cycle)
    seen = (at >= 0) & (at <= len(cycle) - 1) & (reference > 0) & (there > 0)
    if seen.sum() < FEWEST_PLANES:
        return 0.0
    z, one, two = depth[seen], reference[seen], there[seen]
    weights = np.sqrt(one * two)
    weights = np.minimum(weights / np.median(weights), MOST_WEIGHT)
    change = 0.5 * np.log(two / one)  # what planes share goes with the square of the light
    z = z - np.average(z, weights=weights)
    spread = float(weights @ z**2)
    slope = float(weights @ (z * change)) / spread
    left = change - np.average(change, weights=weights) - slope * z
    error = np.sqrt(float(weights @ left**2) / max(len(z) - 2, 1) / spread)
    return slope if abs(slope) > max(LEAST_CHANGE, SURE * error) else 0.0


def _weighted(stack: NDArray[np.int16], slope: float, pool: Executor) -> NDArray[np.int16]:
    """Return a binned stack (Z, y, x), planes that had less light weighted down."""
    depth = slope * np.arange(len(stack))
    return weighted_planes(stack, np.exp(depth - depth.max()), pool)
