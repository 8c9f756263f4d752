"""How far EM tiles moved, by tile and by section, and which sections stand out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import lengths
from crossreg.crossmodal.check.motion.common_motion import MAD_TO_SIGMA, median_angle, wrapped
from crossreg.crossmodal.check.motion.registered_tile import RegisteredTile, stacked_corners

# Spread below which sections do not differ for a person's eye: clicking a landmark is good to
# about a pixel, which over a field of 1000 px is 0.1 % and 0.06 degrees.
LEAST_SPREAD = {
    "shift_x": 1.0,
    "shift_y": 1.0,
    "rotation": 0.06,
    "scale": 0.001,
    "shear": 0.001,
    "spread": 1.0,
}

RIGID, SCALED = "rigid", "scaled"

EXACT = 1e-6
"""Of scales, shears and degrees: what rounding leaves, and no hand can set."""

# Beyond any normal error: of a million sections one would be called wrong by chance.
WRONG_SECTION = 5.0

# The spread of few sections is itself uncertain. Divided by 1 + FEW_SECTIONS / (n - 2)^2, the
# largest score of n sections with normal errors in all properties stays below WRONG_SECTION in
# 19 of 20 cases (simulated for n = 3 to 100).
FEW_SECTIONS = 26.0


@dataclass(frozen=True)
class TileMotion:
    """How one EM tile moved in the frame of the project."""

    tile: str
    moved_px: float
    """Largest distance of a corner from where it was frozen."""
    moved_nm: float
    shift_x: float
    """Displacement of the centre of the corners, px."""
    shift_y: float
    rotation: float
    """Degrees, from the x axis to the y axis."""
    scale: float
    """Square root of the change of area."""
    shear: float
    mirrored: bool


@dataclass(frozen=True)
class SectionMotion:
    """Medians over the EM tiles of a section."""

    section: str
    tiles: int
    moved_px: float
    """Largest motion of a corner of any tile."""
    moved_nm: float
    shift_x: float
    shift_y: float
    rotation: float
    scale: float
    shear: float
    spread: float
    """Largest distance of a tile's corner from where the median affine sends it, px."""


def tile_motions(
    tiles: Sequence[RegisteredTile], pixel_size: tuple[float, float]
) -> tuple[TileMotion, ...]:
    """Return how each tile moved; `pixel_size` is nm a px of the stack in x and y.

    Raises ValueError if the motion of a tile flattens it.
    """
    before, after = stacked_corners(tiles)
    shifts = (after - before).mean(axis=1).tolist()
    distances_nm = lengths((after - before) * pixel_size).max(axis=1)
    rows = zip(tiles, shifts, distances_nm.tolist(), strict=True)
    return tuple(_tile_motion(tile, shift, moved_nm) for tile, shift, moved_nm in rows)


def _tile_motion(tile: RegisteredTile, shift: Sequence[float], moved_nm: float) -> TileMotion:
    parts = tile.parts
    return TileMotion(
        tile=tile.patch.tile_id,
        moved_px=tile.moved,
        moved_nm=moved_nm,
        shift_x=shift[0],
        shift_y=shift[1],
        rotation=parts.rotation,
        scale=parts.scale,
        shear=parts.shear,
        mirrored=parts.mirrored,
    )


def section_motion(
    section: str, tiles: Sequence[RegisteredTile], motions: Sequence[TileMotion]
) -> SectionMotion:
    """Return the medians over the tiles of a section, of which there must be at least one.

    `motions` are those of the tiles.
    """

    def median(name: str) -> float:
        return float(np.median([getattr(motion, name) for motion in motions]))

    return SectionMotion(
        section=section,
        tiles=len(tiles),
        moved_px=max(motion.moved_px for motion in motions),
        moved_nm=max(motion.moved_nm for motion in motions),
        shift_x=median("shift_x"),
        shift_y=median("shift_y"),
        rotation=median_angle(np.array([motion.rotation for motion in motions])),
        scale=median("scale"),
        shear=median("shear"),
        spread=_spread(tiles),
    )


def model_of(tiles: Sequence[RegisteredTile]) -> str:
    """Return 'rigid' if all tiles turned and none is scaled, 'scaled' if any is, else ''.

    What counts is the motion from the stage. Raises ValueError if it flattens a tile.
    """
    parts = [tile.total_parts for tile in tiles]
    if any(abs(part.scale - 1.0) > EXACT for part in parts):
        return SCALED
    turned = all(
        abs(part.rotation) > EXACT and abs(part.shear) < EXACT and not part.mirrored
        for part in parts
    )
    return RIGID if parts and turned else ""


def outlier_scores(sections: Sequence[SectionMotion]) -> list[float]:
    """Return a score for each section: how many standard deviations it is off the others.

    It is the largest over shift, rotation, scale, shear and spread of the distance from the
    median over the sections, divided by the robust standard deviation, and smaller where there
    are few sections to compare with. Above `WRONG_SECTION` a section deserves a look. Fewer than
    three sections have no outliers: all scores are 0.
    """
    if len(sections) < 3:
        return [0.0] * len(sections)
    scores = [_scores(name, sections, least) for name, least in LEAST_SPREAD.items()]
    caution = 1.0 + FEW_SECTIONS / (len(sections) - 2) ** 2
    return [float(score) for score in np.max(scores, axis=0) / caution]


def _spread(tiles: Sequence[RegisteredTile]) -> float:
    """Return how far a corner of any tile is from where the median affine sends it, px.

    The medians are those of the linear parts and then of the shifts, so that a single tile
    that went astray does not bend the map.
    """
    before, after = stacked_corners(tiles)
    linear = np.median([tile.motion[:4] for tile in tiles], axis=0)
    turned = affine.apply(affine.affine([*linear, 0.0, 0.0]), before.reshape(-1, 2))
    offset = after - turned.reshape(before.shape)
    shift = np.median(offset.mean(axis=1), axis=0)
    return float(np.linalg.norm(offset - shift, axis=2).max())


def _scores(name: str, sections: Sequence[SectionMotion], least: float) -> np.ndarray:
    values = np.array([getattr(section, name) for section in sections])
    if name == "rotation":
        distance = np.abs(wrapped(values - median_angle(values)))
    else:
        distance = np.abs(values - np.median(values))
    scores: np.ndarray = distance / max(least, MAD_TO_SIGMA * float(np.median(distance)))
    return scores
