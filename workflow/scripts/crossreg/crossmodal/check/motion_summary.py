"""How far EM tiles moved, by tile and by section, and which sections stand out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crossreg.crossmodal import affine
from crossreg.crossmodal.check.motion import MAD_TO_SIGMA, median_angle, wrapped
from crossreg.crossmodal.check.sections import RegisteredTile
from crossreg.crossmodal.trakem2.patches import patch_corners

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


def tile_motion(tile: RegisteredTile, pixel_size: tuple[float, float]) -> TileMotion:
    """Return how a tile moved; `pixel_size` is nm a px of the stack in x and y.

    Raises ValueError if the tile's motion flattens it.
    """
    parts = affine.split(tile.motion)
    before, after = _corners(tile)
    shift = (after - before).mean(axis=0)
    distance_nm = np.hypot(*((after - before) * pixel_size).T).max()
    return TileMotion(
        tile=tile.patch.tile_id,
        moved_px=tile.moved,
        moved_nm=float(distance_nm),
        shift_x=float(shift[0]),
        shift_y=float(shift[1]),
        rotation=parts.rotation,
        scale=parts.scale,
        shear=parts.shear,
        mirrored=parts.mirrored,
    )


def section_motion(
    section: str, tiles: Sequence[RegisteredTile], pixel_size: tuple[float, float]
) -> SectionMotion:
    """Return the medians over the tiles of a section, of which there must be at least one."""
    motions = [tile_motion(tile, pixel_size) for tile in tiles]

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
    before, after = (np.stack(sides) for sides in zip(*map(_corners, tiles), strict=True))
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


def _corners(tile: RegisteredTile) -> tuple[affine.Points, affine.Points]:
    """Return the corners of a tile as frozen and as registered, (4, 2) each."""
    return patch_corners(tile.patch), tile.corners()
