"""How patches moved: the common motion of the LM patches, and EM patches that stand out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import IDENTITY, Affine, Parts, Points, lengths

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

# Of so few tiles, some wrong ones are soon half of all, and their distances pass for scatter: it
# never excuses more than this fraction of a tile's shorter side. Swapped tiles move by far more.
FEW_TILES = 12
MOST_SCATTER = 0.3

# A tile lies at the place of another if it is nearer than this fraction of its shorter side.
SAME_PLACE = 0.25

# Tiles whose summed distance to all others is within this of the smallest stand equally central.
EQUALLY_CENTRAL = 1.05

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
    return float(lengths(second - first).max())


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
    own affine motions. Each tile's centre is compared with where the motion of the section sends
    it, which wrong tiles do not bend, not even half of a few.
    """
    count = len(motions)
    if count < 2:
        return
    linear = np.median(np.array(motions)[:, :4], axis=0).reshape(2, 2)
    sides = lengths(before - np.roll(before, 1, axis=1))
    longer, shorter = sides.max(axis=1), sides.min(axis=1)
    turned, ends = before.mean(axis=1) @ linear, after.mean(axis=1)
    distances = _off_the_section(turned, ends, SAME_PLACE * shorter)
    limits = POSITION_LIMIT * longer
    if count >= FEWEST_FOR_SCATTER:
        # Of an even number the lower of the two in the middle: the other may be a wrong tile's.
        middle = float(np.sort(distances)[(count - 1) // 2])
        scatter = np.full(count, MAD_TO_SIGMA * middle * POSITION_SIGMAS)
        if count <= FEW_TILES:
            scatter = np.minimum(scatter, MOST_SCATTER * shorter)
        limits = np.maximum(limits, scatter)
    for index in np.flatnonzero(distances > limits):
        yield int(index), float(distances[index]), float(limits[index])


def _off_the_section(
    turned: Points, ends: Points, same_place: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far each tile is from where the section's motion sends it, px.

    `turned` are the centres after the linear part of that motion, `ends` where they are.
    """
    shifts = ends - turned
    if len(shifts) > FEW_TILES:
        return lengths(shifts - np.median(shifts, axis=0))
    mean = shifts.mean(axis=0)
    if _exchanged(turned + mean, ends, same_place):
        return lengths(shifts - mean)
    # The tile that is most central among all is right, were half of the others wrong. Where
    # several are, as of two tiles, none is known to be right: each tile is judged by all of them.
    apart = lengths(shifts[:, None] - shifts)
    sums = apart.sum(axis=1)
    central = sums <= EQUALLY_CENTRAL * sums.min()
    return np.asarray(apart[:, central].max(axis=1))


def _exchanged(places: Points, ends: Points, same_place: NDArray[np.float64]) -> bool:
    """Return whether the tiles share their places, and some lie at the place of another.

    The mean over all tiles is then the section's own, since places were only exchanged.
    """
    apart = lengths(ends[:, None] - places)
    nearest = apart.argmin(axis=1)
    each_once = len(set(nearest.tolist())) == len(places)
    own = np.arange(len(places))
    return each_once and bool((apart.min(axis=1) < same_place).all() and (nearest != own).any())


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
