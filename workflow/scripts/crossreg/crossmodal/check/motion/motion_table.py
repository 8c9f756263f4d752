"""The motion of every tile as a table, and points of a user mapped through it.

All coordinates are in the frame of the stack, from the stage position to the registered one: a
start that came from another registration is part of the motion.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine, Points, lengths
from crossreg.crossmodal.check.motion.registered_tile import RegisteredTile
from crossreg.crossmodal.render.transforms import apply

COLUMNS = (
    *("section", "z", "stack", "tile", "m00", "m10", "m01", "m11", "m02", "m12"),
    *("before_x", "before_y", "after_x", "after_y", "shift_x", "shift_y", "moved_px"),
    *("shift_x_nm", "shift_y_nm", "moved_nm", "not_affine_px"),
    *("before_x_nm", "before_y_nm", "after_x_nm", "after_y_nm"),
)
"""x' = m00 x + m01 y + m02, y' = m10 x + m11 y + m12 in px; before, after: a tile's centre.

Affine and px are in the frame of the stack; nm count from the same origin.
"""

POINT_COLUMNS = ("stack", "z", "x", "y")
ADDED_COLUMNS = ("tile", "inside", "x_mapped", "y_mapped")

MOST_STEPS = 50
CLOSE_ENOUGH = 1e-9
FOUND = 1e-6
"""px: where the search for the inverse of a non-linear motion stops, and what it must reach."""


@dataclass(frozen=True)
class TileMap:
    """The motion of one tile, exact also where it is not affine; frame of the stack."""

    tile: RegisteredTile
    origin: tuple[float, float]

    def forwards(self, points: Points) -> Points:
        """Return stage positions (N, 2) after the registration."""
        patch = self.tile.patch
        stage = affine.compose(affine.invert(patch.start), patch.matrix)
        inside = affine.apply(affine.invert(stage), points - self.origin)
        image = inside + np.array([patch.box.x, patch.box.y])
        left = apply(self.tile.added, image) - [self.tile.box.x, self.tile.box.y]
        return affine.apply(self.tile.matrix, left) + self.origin

    def back(self, points: Points) -> Points:
        """Return the stage positions (N, 2) of registered ones; NaN where none is found."""
        undo = affine.invert(self.affine)
        guess = affine.apply(undo, points)
        for _ in range(MOST_STEPS if self.tile.added else 0):
            miss = points - self.forwards(guess)
            if np.abs(miss).max() < CLOSE_ENOUGH:
                break
            guess = guess + affine.apply(undo, points + miss) - affine.apply(undo, points)
        found = np.abs(points - self.forwards(guess)).max(axis=1, keepdims=True) < FOUND
        return np.where(found, guess, np.nan)

    @property
    def affine(self) -> Affine:
        """The affine motion that is nearest to it."""
        there = affine.translation(*self.origin)
        return affine.compose(there, self.tile.total_motion, affine.invert(there))

    def outline(self, registered: bool) -> Points:
        """Return the corners of the tile, (4, 2): registered, or at the stage position."""
        if registered:
            return self.tile.corners + self.origin
        return self.tile.patch.stage_corners + self.origin


def motion_head() -> str:
    """Return the first line of the table of motions."""
    return "\t".join(COLUMNS) + "\n"


def motion_lines(
    section: str, z: float, maps: Sequence[TileMap], pixel_size: tuple[float, float]
) -> str:
    """Return the lines of a section's tiles (TSV), numbers with full precision; empty if unknown.

    `pixel_size` is nm a px in x and y, NaN if it is not known.
    """
    before, after = (np.array([one.outline(side) for one in maps]) for side in (False, True))
    moved = after - before
    shifts = moved.mean(axis=1)
    affines = [one.affine for one in maps]
    expected = [affine.apply(*pair) for pair in zip(affines, before, strict=True)]
    columns = (
        *before.mean(axis=1).T,
        *after.mean(axis=1).T,
        *shifts.T,
        lengths(moved).max(axis=1),
        *(shifts * pixel_size).T,
        lengths(moved * pixel_size).max(axis=1),
        lengths(after - expected).max(axis=1),
        *(before.mean(axis=1) * pixel_size).T,
        *(after.mean(axis=1) * pixel_size).T,
    )
    numbers = np.column_stack((affines, *columns)).tolist()
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    for one, row in zip(maps, numbers, strict=True):
        patch = one.tile.patch
        writer.writerow([section, z, patch.stack, patch.tile_id, *map(_exact, row)])
    return out.getvalue()


def tile_of_point(
    point: NDArray[np.float64], maps: Sequence[TileMap], registered: bool
) -> tuple[TileMap, bool]:
    """Return the tile that a point belongs to, and whether the point lies in it.

    Where tiles overlap it is the one whose centre is nearest; a point beside all tiles belongs
    to the nearest one.
    """
    outlines = [one.outline(registered) for one in maps]
    index = nearest_holding(point, outlines)
    if index is not None:
        return maps[index], True
    distances = [np.hypot(*(outline.mean(axis=0) - point)) for outline in outlines]
    return maps[int(np.argmin(distances))], False


def nearest_holding(point: NDArray[np.float64], outlines: Sequence[Points]) -> int | None:
    """Return the index of the outline that holds a point and has the nearest centre, if any."""
    inside = [i for i, outline in enumerate(outlines) if contains(outline, point)]
    return min(inside, key=lambda i: np.hypot(*(outlines[i].mean(axis=0) - point)), default=None)


def contains(outline: Points, point: NDArray[np.float64]) -> bool:
    """Return whether a convex outline (N, 2), in either sense, contains a point."""
    edges = np.roll(outline, -1, axis=0) - outline
    offset = point - outline
    side = edges[:, 0] * offset[:, 1] - edges[:, 1] * offset[:, 0]
    return bool((side >= 0).all() or (side <= 0).all())


def mapped_point(row: Mapping[str, str], maps: Sequence[TileMap], back: bool) -> dict[str, str]:
    """Return what is added to a user's row: the tile, whether it holds the point, the new position.

    `maps` are the tiles of the point's section; without any the point has no new position.
    """
    if not maps:
        return dict.fromkeys(ADDED_COLUMNS, "") | {"inside": "no"}
    point = np.array([float(row["x"]), float(row["y"])])
    one, inside = tile_of_point(point, maps, registered=back)
    x, y = (one.back if back else one.forwards)(point[None])[0]
    words = (one.tile.patch.tile_id, "yes" if inside else "no", _exact(x), _exact(y))
    return dict(zip(ADDED_COLUMNS, words, strict=True))


def fixed_point(row: Mapping[str, str]) -> dict[str, str]:
    """Return what is added to the row of a point of an LM stack, which stays where it is."""
    return {"tile": "", "inside": "", "x_mapped": row["x"], "y_mapped": row["y"]}


def _exact(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else repr(float(value))
    return str(value)
