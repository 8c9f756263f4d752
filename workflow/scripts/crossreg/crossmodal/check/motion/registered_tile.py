"""An EM tile as a person left it: where it is, and how it moved since the project was created."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine, Parts, Points
from crossreg.crossmodal.check.motion.common_motion import largest_distance
from crossreg.crossmodal.render.image_boxes import Box
from crossreg.crossmodal.render.tile_specs import Spec, registered_spec
from crossreg.crossmodal.render.transform_data import Transform
from crossreg.crossmodal.render.transforms import apply
from crossreg.crossmodal.trakem2.patches import Patch, to_stack


@dataclass(frozen=True)
class RegisteredTile:
    """An EM tile as registered, after the correction by the common motion."""

    patch: Patch
    matrix: Affine
    """In the frame of the project, to be used with `box`."""
    added: tuple[Transform, ...]
    """Coordinate transforms that the person added after the frozen ones."""
    box: Box

    @cached_property
    def corners(self) -> Points:
        """Registered corners in the frame of the project, (4, 2) in px; read-only."""
        placed = placed_corners(self.patch, self.matrix, self.added, self.box)
        placed.flags.writeable = False
        return placed

    @cached_property
    def motion(self) -> Affine:
        """The affine map from the frozen to the registered corners, in the project's frame."""
        if self.added:
            return affine.fit(self.patch.corners, self.corners)
        frozen, now = self.patch.box, self.box
        boxes = affine.translation(frozen.x - now.x, frozen.y - now.y)
        return affine.compose(self.matrix, boxes, affine.invert(self.patch.matrix))

    @cached_property
    def parts(self) -> Parts:
        """The motion as rotation, shear, scale and shift; ValueError if it flattens the tile."""
        return affine.split(self.motion)

    @cached_property
    def moved(self) -> float:
        """Largest distance of a corner from where it was frozen, px."""
        return largest_distance(self.patch.corners, self.corners)

    @property
    def total_motion(self) -> Affine:
        """The affine map from the stage position to the registered one, in the project's frame.

        It differs from `motion` where the section started from another registration.
        """
        return affine.compose(self.motion, self.patch.start)

    @property
    def total_parts(self) -> Parts:
        """The parts of `total_motion`; ValueError if it flattens the tile."""
        if self.patch.start == affine.IDENTITY:
            return self.parts
        return affine.split(self.total_motion)

    def spec(self, frozen_spec: Spec, origin: tuple[float, float]) -> Spec:
        """Return the new tile spec from the frozen one; `origin` is (minX, minY) as frozen."""
        matrix = to_stack(self.matrix, self.box, origin)
        return registered_spec(frozen_spec, self.patch.keep, self.added, matrix)


def checked_tile(
    patch: Patch, matrix: Affine, added: tuple[Transform, ...], box: Box
) -> RegisteredTile:
    """Return a tile that was left at `matrix`.

    Raises ValueError if an added transform sends the tile to infinity, or onto a line.
    """
    tile = RegisteredTile(patch, matrix, added, box)
    if not np.isfinite(tile.corners).all():
        raise ValueError("the transform sends a tile to infinity")
    _ = tile.motion
    return tile


def placed_corners(patch: Patch, matrix: Affine, added: tuple[Transform, ...], box: Box) -> Points:
    """Return the corners (4, 2) of a patch with these transforms, in the frame of the project."""
    return affine.apply(matrix, apply(added, patch.distorted_corners) - [box.x, box.y])


def stacked_corners(
    tiles: Sequence[RegisteredTile],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners of tiles as frozen and as registered, (tiles, 4, 2) each."""
    return _stacked(tile.patch.corners for tile in tiles), _stacked(tile.corners for tile in tiles)


def _stacked(corners: Iterable[Points]) -> NDArray[np.float64]:
    return np.array(list(corners), dtype=np.float64).reshape(-1, 4, 2)
