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

from crossreg.fiducial.block_grid import seen_by_both
from crossreg.fiducial.correlation.binned_stacks import (
    BIN,
    LIGHT_PART,
    PLANES_FOR_PATTERN,
    binned_planes,
    freed_planes,
    weighted_planes,
)
from crossreg.fiducial.quantiles import median, quantiles

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
ALIKE = 0.5
"""Logarithm by which the light of a part, over all planes, may differ from what is usual: what one
stack alone shows there says nothing."""
TILES = 4
"""Rows and columns of tiles of the image that are left out one after the other: how much the change
varies says how sure it is (the jackknife of Tukey 1958)."""
FEWEST_TILES = 4
"""Tiles that show structure, below which nothing is said."""
LEAST_SHARE = 0.3
"""Part of the whole change that each quarter of the image shows at least: bleaching and depth
darken all of it."""
NOWHERE = -1
"""The tile of a part that is not shown."""


@dataclass(frozen=True)
class Light:
    """How bright the planes of reference and cycle are (`light_by_depth`), and the cycle itself.

    The cycle (Z, Y, X) is kept as it was read.
    """

    of_reference: Floats
    of_cycle: Floats
    cycle: NDArray[np.number]

    def alike(self, reference: NDArray[np.int16], slope: float, pool: Executor) -> Stacks:
        """Return the binned reference (Z, y, x), and the cycle without such a fading.

        The cycle is freed of what all planes share once it is as bright everywhere. The planes that
        had little light count less in both, as their noise has grown.
        """
        planes = binned_planes(self.cycle, pool)
        planes *= np.exp(-slope * np.arange(len(planes), dtype=np.float32))[:, None, None]
        cycle = freed_planes(planes, planes.sum(axis=0), pool)
        return _weighted(reference, slope, pool), _weighted(cycle, slope, pool)


def fading(reference: Floats, cycle: Floats, shift_zyx: Floats) -> float:
    """Return by how much the logarithm of a cycle's light changes more per plane than another's.

    Both are (Z, rows, columns) as `light_by_depth` gives them; `shift_zyx` (planes, px, px) brings
    the cycle to the reference. 0 where it is not clear, or not the same all over the image.
    """
    if min(len(reference), len(cycle)) < FEWEST_PLANES:
        return 0.0
    moved = np.rint(np.asarray(shift_zyx)[1:] / (BIN * LIGHT_PART)).astype(int)
    one, two = _overlapping(reference, cycle, moved)
    if not one.size:
        return 0.0
    totals = [np.maximum(part.sum(axis=0), 0.0) for part in (one, two)]
    shown = (totals[0] > 0) & (totals[1] > 0)
    if shown.any():
        ratio = np.log(totals[1][shown] / totals[0][shown])
        shown[shown] = np.abs(ratio - median(ratio)) < ALIKE
    if not shown.any():
        return 0.0
    tile = _tiles(shown)
    numbers = sorted(set(tile.ravel().tolist()) - {NOWHERE})
    if len(numbers) < FEWEST_TILES:
        return 0.0

    def slope(chosen: NDArray[np.bool_]) -> tuple[float, float]:
        return _slope(one[:, chosen].sum(axis=1), two[:, chosen].sum(axis=1), shift_zyx[0])

    whole, error = slope(shown)
    without = [slope(shown & (tile != number))[0] for number in numbers]
    error = np.hypot(error, np.sqrt((len(numbers) - 1) * np.var(without)))
    if abs(whole) <= max(LEAST_CHANGE, SURE * error):
        return 0.0
    below, right = tile // TILES >= TILES // 2, tile % TILES >= TILES // 2
    quarters = [shown & (below == one) & (right == two) for one in (0, 1) for two in (0, 1)]
    slopes = [slope(quarter)[0] for quarter in quarters if quarter.any()]
    return whole if min(np.sign(whole) * np.array(slopes)) >= LEAST_SHARE * abs(whole) else 0.0


def _overlapping(reference: Floats, cycle: Floats, moved: NDArray[np.int64]) -> tuple[Floats, ...]:
    """Return the parts (Z, rows, columns) that both show once the cycle is moved by some parts."""
    rows, columns = (
        seen_by_both(slice(0, here), here, there, int(by))
        for here, there, by in zip(reference.shape[1:], cycle.shape[1:], moved, strict=True)
    )
    return reference[:, rows[0], columns[0]], cycle[:, rows[1], columns[1]]


def _tiles(shown: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the number of the tile of the image that each part that is shown lies in."""
    places = np.nonzero(shown)
    number = np.zeros(len(places[0]), dtype=np.int64)
    for place in places:
        ends = quantiles(place, [part / TILES for part in range(1, TILES)])
        number = number * TILES + np.searchsorted(ends, place)
    tiles = np.full(shown.shape, NOWHERE)
    tiles[places] = number
    return tiles


def _slope(one: Floats, two: Floats, shift_z: float) -> tuple[float, float]:
    """Return (change per plane, its standard error) of the logarithm of light `two` (Z',) to `one`.

    Their logarithms are half of those given, which go with the square of the light.
    """
    depth = np.arange(len(one))
    at = depth - shift_z
    # What lies between a plane that shows something and one that does not is unknown.
    there = np.interp(at, np.arange(len(two)), np.where(two > 0, two, np.nan))
    seen = (at >= 0) & (at <= len(two) - 1) & (one > 0) & (there > 0)
    if seen.sum() < FEWEST_PLANES:
        return 0.0, np.inf
    z, one, two = depth[seen], one[seen], there[seen]
    weights = np.sqrt(one * two)
    weights = np.minimum(weights / median(weights), MOST_WEIGHT)
    change = 0.5 * np.log(two / one)
    z = z - np.average(z, weights=weights)
    spread = float(weights @ z**2)
    slope = float(weights @ (z * change)) / spread
    left = change - np.average(change, weights=weights) - slope * z
    return slope, float(np.sqrt(weights @ left**2 / max(len(z) - 2, 1) / spread))


def _weighted(stack: NDArray[np.int16], slope: float, pool: Executor) -> NDArray[np.int16]:
    """Return a binned stack (Z, y, x), planes that had less light weighted down."""
    depth = slope * np.arange(len(stack))
    return weighted_planes(stack, np.exp(depth - depth.max()), pool)
