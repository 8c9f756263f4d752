"""How patches moved: the common motion of the LM patches, and EM patches that stand out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import IDENTITY, Affine, Parts, Points

# A corner that is displaced by more than this many px has moved; far below any intention of a
# person, far above the rounding of numbers.
MOVED = 1e-3

# How far a tile's own motion may be from the median of its section: glass and sections shrink
# or turn as a whole, and single tiles hardly do.
SCALE_LIMIT = 0.05
ROTATION_LIMIT = 5.0
SHEAR_LIMIT = 0.02

# How far a tile may be from where the other tiles of its section say, as a fraction of its
# longer side: neighbours overlap by more than this, so a tile further off leaves a gap.
POSITION_LIMIT = 0.05

# Where tiles were registered one by one they scatter. Beyond this many robust standard
# deviations of the scatter a tile is off for another reason; fewer tiles say nothing about it.
POSITION_SIGMAS = 5.0
FEWEST_FOR_SCATTER = 4

# Pairs of tiles compared at once: their arrays take some 50 MB.
MOST_PAIRS = 1_000_000

# The median absolute deviation of normal errors times this is their standard deviation.
MAD_TO_SIGMA = 1.4826

# Sections are cut and imaged at one scale: a tile that doubles was dragged by a corner.
LIKELY_SCALE = (0.5, 2.0)


@dataclass(frozen=True)
class CommonMotion:
    """One affine map that explains the motion of all patches."""

    matrix: Affine
    is_translation: bool

    @property
    def is_still(self) -> bool:
        """Whether nothing moved."""
        return self.matrix == IDENTITY


@dataclass(frozen=True)
class Deviation:
    """One property of a tile's motion that is far from the median of its section."""

    index: int
    property: str
    value: float
    median: float
    limit: str


def largest_distance(first: Points, second: Points) -> float:
    """Return the largest distance in px between points (N, 2) in the same order."""
    return float(np.hypot(*(second - first).T).max())


def common_motion(before: Sequence[Points], after: Sequence[Points]) -> CommonMotion | None:
    """Return the one affine map that moved every patch's corners (4, 2), None if there is none.

    Corners count as explained within `MOVED` px. Without patches nothing moved.
    """
    if all(largest_distance(old, new) <= MOVED for old, new in zip(before, after, strict=True)):
        return CommonMotion(IDENTITY, True)
    old, new = np.concatenate(before), np.concatenate(after)
    shift = affine.translation(*(new - old).mean(axis=0))
    if largest_distance(affine.apply(shift, old), new) <= MOVED:
        return CommonMotion(shift, True)
    matrix = affine.fit(old, new)
    if largest_distance(affine.apply(matrix, old), new) <= MOVED:
        return CommonMotion(matrix, False)
    return None


def deviations(parts: Sequence[Parts]) -> Iterator[Deviation]:
    """Yield what stands out among the motions of a section's tiles, by index."""
    for name in ("scale_x", "scale_y"):
        values = np.array([abs(getattr(part, name)) for part in parts])
        median = float(np.median(values)) if len(values) else 1.0
        off = np.abs(values / median - 1.0) > SCALE_LIMIT
        yield from _flagged(name, values, median, off, f"{SCALE_LIMIT:.0%}")
    rotations = np.array([part.rotation for part in parts])
    middle = median_angle(rotations)
    off = np.abs(wrapped(rotations - middle)) > ROTATION_LIMIT
    yield from _flagged("rotation", rotations, middle, off, f"{ROTATION_LIMIT:g} degrees")
    shears = np.array([part.shear for part in parts])
    middle = float(np.median(shears)) if len(shears) else 0.0
    off = np.abs(shears - middle) > SHEAR_LIMIT
    yield from _flagged("shear", shears, middle, off, f"{SHEAR_LIMIT:.0%}")


def displaced(
    before: NDArray[np.float64], after: NDArray[np.float64], motions: Sequence[Affine]
) -> Iterator[tuple[int, float, float]]:
    """Yield index, distance and limit (px) of each tile that is not where the others say.

    `before` and `after` are the corners (tiles, 4, 2) of the tiles of a section, `motions` their
    own affine motions. Each tile's centre is compared with where the median motion of the other
    tiles sends it, so that a single tile that went astray does not hide itself.
    """
    if len(motions) < 2:
        return
    distances = _off_the_others(before.mean(axis=1), after.mean(axis=1), np.array(motions)[:, :4])
    sides = before - np.roll(before, 1, axis=1)
    limits = POSITION_LIMIT * np.hypot(sides[..., 0], sides[..., 1]).max(axis=1)
    if len(motions) >= FEWEST_FOR_SCATTER:
        scatter = MAD_TO_SIGMA * float(np.median(distances)) * POSITION_SIGMAS
        limits = np.maximum(limits, scatter)
    for index in np.flatnonzero(distances > limits):
        yield int(index), float(distances[index]), float(limits[index])


def _off_the_others(
    centres: Points, ends: Points, linear: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far each tile's centre is from where the median motion of the others sends it."""
    count = len(centres)
    without = medians_of_others(linear).reshape(count, 2, 2)
    distances = np.empty(count)
    for rows in np.array_split(np.arange(count), -(-(count**2) // MOST_PAIRS)):
        # Row i: where the motion of all but tile i sends every tile, up to a shift.
        shifts = ends - centres @ without[rows]
        is_own = np.arange(count) == rows[:, None]
        others = shifts[~is_own].reshape(len(rows), count - 1, 2)
        off = shifts[is_own] - np.median(others, axis=1)
        distances[rows] = np.hypot(off[:, 0], off[:, 1])
    return distances


def medians_of_others(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each of the rows (N, columns) the median of all other rows; N is at least 2."""
    count = len(values)
    ranks = np.argsort(np.argsort(values, axis=0, kind="stable"), axis=0, kind="stable")
    ordered = np.sort(values, axis=0)
    low, high = (count - 2) // 2, (count - 1) // 2
    # Without the row of rank r, what is at place p stands at p, or at p + 1 from r on.
    sides = [np.take_along_axis(ordered, place + (ranks <= place), axis=0) for place in (low, high)]
    return (sides[0] + sides[1]) / 2


def distance_outside(corners: Points, width: float, height: float) -> float:
    """Return how far the box of `corners` lies beside a layer of this size, px; 0 if it touches."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    beside = np.maximum(np.maximum(-high, low - [width, height]), 0.0)
    return float(np.hypot(*beside))


def _flagged(
    name: str, values: np.ndarray, median: float, off: np.ndarray, limit: str
) -> Iterator[Deviation]:
    for index in np.flatnonzero(off):
        yield Deviation(int(index), name, float(values[index]), median, limit)


def wrapped(degrees: np.ndarray) -> np.ndarray:
    """Return angles in degrees brought into -180 (inclusive) to 180."""
    return (degrees + 180.0) % 360.0 - 180.0


def median_angle(degrees: np.ndarray) -> float:
    """Return the median of angles in degrees, whole turns apart being the same; 0 for none."""
    if not len(degrees):
        return 0.0
    radians = np.radians(degrees)
    middle = np.degrees(np.arctan2(np.sin(radians).sum(), np.cos(radians).sum()))
    return float(wrapped(middle + np.median(wrapped(degrees - middle))))
