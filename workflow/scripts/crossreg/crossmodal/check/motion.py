"""How patches moved: the common motion of the LM patches, and EM patches that stand out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

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
