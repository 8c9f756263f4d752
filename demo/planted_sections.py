"""Synthetic LM and EM tiles of the same sections, with a planted misalignment of the EM.

Both show the same blobs. In the frame of the stacks, x and y in px of the EM, the LM is where
it belongs; the EM of each section is turned, scaled and moved as a whole, which a person
undoes in TrakEM2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine, Points
from crossreg.crossmodal.render.stack_store import TILES, TRANSFORMS, ResolvedTiles
from crossreg.crossmodal.render.tile_specs import image_corners
from crossreg.crossmodal.render.transform_data import PREFIX, Transform
from crossreg.crossmodal.render.transforms import AFFINE_CLASS, apply

EM_STACK, LM_STACK = "EM", "LM"
SECTIONS = (1.0, 2.0, 3.0)
SIZE = (640, 480)
"""Width and height of a section, px of the EM."""

LM_PIXEL = 4.0
"""px of the EM a pixel of the LM."""
NM_A_PIXEL, NM_A_SECTION = 10.0, 60.0

EM_TILES = tuple((x, y) for y in (0, 220) for x in (0, 300))
EM_TILE_SIZE = (340, 260)
LM_TILES = ((0, 0), (300, 0))
LM_TILE_SIZE = (85, 120)

LENS_ID = "lens"
LENS = Transform(
    PREFIX + "PolynomialTransform2D",
    "0.5 1.0 0.0 1.0E-5 -1.0E-5 0.0 -0.5 0.0 1.0 0.0 1.0E-5 1.0E-5",
)
"""A mild distortion that all EM tiles share: c0 + c1 x + c2 y + c3 x^2 + c4 xy + c5 y^2."""

BLOBS = 70
EM_SIGMA, LM_SIGMA = 7.0, 14.0
"""Radius of a blob, px of the EM; the LM is blurred."""


@dataclass(frozen=True)
class DemoTile:
    """A tile: its image, and where it is."""

    stack: str
    tile_id: str
    image: np.ndarray
    """(rows, columns): 8-bit EM, 16-bit LM."""
    given: Affine
    """Its affine as the stack has it, after the lens where there is one."""
    planted: Affine
    """Its affine where it belongs."""

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """What comes before the affine."""
        return (LENS,) if self.stack == EM_STACK else ()

    def planted_corners(self) -> Points:
        """Return where the corners of the image belong, (4, 2)."""
        rows, columns = self.image.shape
        return self.to_stack(image_corners(columns, rows))

    def to_stack(self, points: Points) -> Points:
        """Return where points (N, 2) of the image belong, in the frame of the stacks."""
        return affine.apply(self.planted, apply(self.transforms, points))

    def spec(self, z: float, url: str) -> dict[str, Any]:
        """Return the tile spec; `url` is the place of the image."""
        rows, columns = self.image.shape
        data = " ".join(map(repr, self.given))
        entries = [{"type": "ref", "refId": LENS_ID}] if self.transforms else []
        entries.append({"type": "leaf", "className": AFFINE_CLASS, "dataString": data})
        full = float(np.iinfo(self.image.dtype).max)
        return {
            "tileId": self.tile_id,
            "z": z,
            "width": columns,
            "height": rows,
            "minIntensity": 0.0,
            "maxIntensity": full,
            "layout": {"sectionId": str(z)},
            "mipmapLevels": {"0": {"imageUrl": url}},
            "transforms": {"type": "list", "specList": entries},
        }


def misalignment(z: float) -> Affine:
    """Return what the EM of a section is away from where it belongs."""
    rng = np.random.default_rng([7, int(z)])
    angle = np.radians(rng.uniform(2, 6) * rng.choice([-1, 1]))
    scale = rng.uniform(0.95, 1.05)
    x, y = rng.uniform(-40, 40, 2)
    cos, sin = float(scale * np.cos(angle)), float(scale * np.sin(angle))
    centre = SIZE[0] / 2, SIZE[1] / 2
    turn = (cos, sin, -sin, cos, float(x), float(y))
    return affine.compose(
        affine.translation(*centre), turn, affine.translation(-centre[0], -centre[1])
    )


def demo_tiles(z: float) -> Iterator[DemoTile]:
    """Yield the tiles of a section, LM first."""
    rng = np.random.default_rng([8, int(z)])
    blobs = rng.uniform((0, 0), SIZE, (BLOBS, 2))
    for index, (x, y) in enumerate(LM_TILES):
        place = (LM_PIXEL, 0.0, 0.0, LM_PIXEL, float(x), float(y))
        tile = DemoTile(LM_STACK, f"lm_{z:g}_{index}", np.zeros(LM_TILE_SIZE[::-1]), place, place)
        light = brightness(tile.to_stack(pixels(LM_TILE_SIZE)), blobs, LM_SIGMA)
        yield with_image(tile, 300 + 3000 * light, 40, np.uint16, rng)
    for index, (x, y) in enumerate(EM_TILES):
        place = affine.compose(affine.translation(x, y), turned_a_little(rng))
        given = affine.compose(misalignment(z), place)
        tile = DemoTile(EM_STACK, f"em_{z:g}_{index}", np.zeros(EM_TILE_SIZE[::-1]), given, place)
        stain = brightness(tile.to_stack(pixels(EM_TILE_SIZE)), blobs, EM_SIGMA)
        yield with_image(tile, 190 - 130 * stain, 12, np.uint8, rng)


def turned_a_little(rng: np.random.Generator) -> Affine:
    """Return the turn of a tile against its neighbours, as a stage leaves it."""
    angle = rng.normal(0, 0.01)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    return cos, sin, -sin, cos, 0.0, 0.0


def pixels(size: tuple[int, int]) -> Points:
    """Return the centres of the pixels of an image (width, height), row by row, (N, 2)."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    return np.column_stack((columns.ravel() + 0.5, rows.ravel() + 0.5))


def brightness(points: Points, blobs: Points, sigma: float) -> np.ndarray:
    """Return how much of blobs (M, 2) there is at points (N, 2), from 0 to 1."""
    total = np.zeros(len(points))
    for blob in blobs:
        total += np.exp(-((points - blob) ** 2).sum(axis=1) / (2 * sigma**2))
    return np.clip(total, 0, 1)


def with_image(
    tile: DemoTile, grey: np.ndarray, noise: float, dtype: type, rng: np.random.Generator
) -> DemoTile:
    """Return the tile with an image of these grey values, noise added."""
    noisy = grey + rng.normal(0, noise, grey.shape)
    clipped = np.clip(noisy, 0, np.iinfo(dtype).max)
    image: np.ndarray = clipped.astype(dtype).reshape(tile.image.shape)
    return DemoTile(tile.stack, tile.tile_id, image, tile.given, tile.planted)


def resolved(tiles: dict[str, dict[str, Any]]) -> ResolvedTiles:
    """Return a section of a stack from its tile specs."""
    lens = {"id": LENS_ID, "type": "leaf", "className": LENS.class_name, "dataString": LENS.data}
    return {TILES: tiles, TRANSFORMS: {LENS_ID: lens}}
