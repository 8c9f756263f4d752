"""Boxes of transformed images, as TrakEM2 and Render derive them."""

import functools
import math
from typing import NamedTuple

import numpy as np

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine, Points
from crossreg.crossmodal.render.transform_data import Transform
from crossreg.crossmodal.render.transforms import apply

# Lens corrections are shared by many tiles; other boxes are not worth keeping.
CACHED = 256


class Box(NamedTuple):
    """The box of a transformed image, integers in px: corner, width and height."""

    x: int
    y: int
    width: int
    height: int


@functools.lru_cache(maxsize=CACHED)
def patch_box(transforms: tuple[Transform, ...], width: int, height: int, mres: int) -> Box:
    """Return the box of a TrakEM2 patch: an image of `width` x `height` px after `transforms`.

    `mres` is the resolution of the patch's mesh, whose vertices decide.
    """
    if not transforms:
        return Box(0, 0, width, height)
    return _box(apply(transforms, _mesh(width, height, mres)))


def render_bounds(
    transforms: tuple[Transform, ...],
    matrix: Affine,
    width: int,
    height: int,
    mesh_cell_size: float = 64.0,
) -> tuple[int, int, int, int]:
    """Return minX, minY, maxX, maxY that Render derives for a tile of `width` x `height` px.

    `matrix` follows the `transforms`.
    """
    box = _box(affine.apply(matrix, _border(transforms, width, height, mesh_cell_size)))
    return box.x, box.y, box.x + box.width, box.y + box.height


@functools.lru_cache(maxsize=CACHED)
def _border(
    transforms: tuple[Transform, ...], width: int, height: int, mesh_cell_size: float
) -> Points:
    """Return points on the border of an image after `transforms`, which tiles often share."""
    x = np.linspace(0, width - 1, max(2, _java_round(width / mesh_cell_size)))
    y = np.linspace(0, height - 1, max(2, _java_round(height / mesh_cell_size)))
    border = [np.column_stack((x, np.full_like(x, side))) for side in (0.0, height)]
    border += [np.column_stack((np.full_like(y, side), y)) for side in (0.0, width)]
    points = apply(transforms, np.concatenate(border))
    points.flags.writeable = False
    return points


def _box(points: Points) -> Box:
    if not np.isfinite(points).all():
        raise ValueError("the transform sends points of the image to infinity")
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.ceil(high - low)
    return Box(int(low[0]), int(low[1]), int(size[0]), int(size[1]))


def _mesh(width: int, height: int, mres: int) -> Points:
    """Return the vertices of TrakEM2's triangle mesh over an image, (N, 2)."""
    nx = max(2, mres)
    dx = width / (nx - 1)
    dy = 2.0 * math.sqrt(0.75 * dx * dx)
    ny = max(2, _java_round(height / dy) + 1)
    x, y = np.linspace(0, width - 1, nx), np.linspace(0, height - 1, ny)
    rows = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    centres = np.meshgrid((x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2)
    return np.concatenate((rows, np.stack(centres, axis=-1).reshape(-1, 2)))


def _java_round(value: float) -> int:
    """Return `value` rounded as Java's Math.round does: halves upwards."""
    return math.floor(value + 0.5)
