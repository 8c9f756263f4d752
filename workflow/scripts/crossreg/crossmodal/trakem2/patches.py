"""Patches: tiles as images of a TrakEM2 project, and the way between the two frames.

The frame of a project begins at the upper left corner of the bounds, `origin` (minX, minY) in
the frame of the stack.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine, Points
from crossreg.crossmodal.render.image_boxes import Box, patch_box
from crossreg.crossmodal.render.tile_specs import Spec, image_corners, split_transforms
from crossreg.crossmodal.render.transform_data import Transform
from crossreg.crossmodal.render.transforms import apply
from crossreg.io.errors import UserError

# TrakEM2's own value for a new patch: vertices of the mesh along a row.
DEFAULT_MRES = 32

FORBIDDEN_IN_PATH = '&<"'
UNSAFE_IN_TITLE = FORBIDDEN_IN_PATH + ">' "


@dataclass(frozen=True)
class Patch:
    """One tile as a project shows it; field by field the record in the frozen section."""

    oid: int
    stack: str
    tile_id: str
    layer: int
    """Index of the layer, 0 for the first LM stack."""
    title: str
    matrix: Affine
    keep: int
    transforms: tuple[Transform, ...]
    box: Box
    mres: int
    type: int
    """0 = 8-bit grey, 1 = 16-bit, 2 = 32-bit float, 3 = palette, 4 = RGB."""
    o_width: int
    o_height: int
    min: float
    max: float
    file_path: str
    start: Affine = affine.IDENTITY
    """Motion that `matrix` contains: of a section that started from another registration."""

    @cached_property
    def corners(self) -> Points:
        """Corners in the frame of the project, (4, 2) in px; read-only. A check asks often."""
        placed = affine.apply(self.matrix, self.distorted_corners - [self.box.x, self.box.y])
        placed.flags.writeable = False
        return placed

    @cached_property
    def stage_corners(self) -> Points:
        """Corners where the stage put it, in the frame of the project, (4, 2) in px."""
        if self.start == affine.IDENTITY:
            return self.corners
        return affine.apply(affine.invert(self.start), self.corners)

    @cached_property
    def distorted_corners(self) -> Points:
        """Corners of the image after the coordinate transforms, (4, 2) in px."""
        return apply(self.transforms, image_corners(self.o_width, self.o_height))

    def to_record(self) -> dict[str, Any]:
        """Return the patch as JSON has it in a frozen section."""
        record = asdict(self)
        record["tileId"] = record.pop("tile_id")
        record["matrix"] = list(self.matrix)
        record["transforms"] = [{"class": t.class_name, "data": t.data} for t in self.transforms]
        record["box"] = list(self.box)
        record["width"], record["height"] = self.box.width, self.box.height
        start = record.pop("start")
        if start != affine.IDENTITY:
            record["start"] = list(start)
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Patch":
        """Return the patch of a record that `to_record` made."""
        fields = {key: record[key] for key in cls.__dataclass_fields__ if key in record}
        fields["tile_id"] = record["tileId"]
        fields["matrix"] = affine.affine(record["matrix"])
        fields["transforms"] = tuple(Transform(t["class"], t["data"]) for t in record["transforms"])
        fields["box"] = Box(*record["box"])
        fields["start"] = affine.affine(record.get("start", affine.IDENTITY))
        return cls(**fields)


@dataclass(frozen=True)
class Slot:
    """Where a tile goes in a project."""

    oid: int
    stack: str
    tile_id: str
    layer: int

    @property
    def where(self) -> str:
        """The tile as messages name it."""
        return f"tile {self.tile_id} of stack {self.stack}"


@dataclass(frozen=True)
class Image:
    """The image of a tile as TrakEM2 opens it."""

    file_path: str
    type: int
    width: int
    height: int
    min: float
    max: float


def patch_of_tile(
    slot: Slot, spec: Spec, shared: Spec, image: Image, origin: tuple[float, float]
) -> Patch:
    """Return the patch of a tile spec; UserError if TrakEM2 cannot hold its transforms or path."""
    split = split_transforms(spec, shared, slot.where)
    try:
        box = patch_box(split.transforms, image.width, image.height, DEFAULT_MRES)
    except ValueError as error:
        raise UserError(f"{slot.where}: {error}; correct the stack.") from None
    if affine.is_singular(split.affine):
        raise UserError(
            f"{slot.where}: its affine transform cannot be inverted; correct the stack."
        )
    return Patch(
        oid=slot.oid,
        stack=slot.stack,
        tile_id=slot.tile_id,
        layer=slot.layer,
        title=safe_title(slot.tile_id),
        matrix=to_project(split.affine, box, origin),
        keep=split.keep,
        transforms=split.transforms,
        box=box,
        mres=DEFAULT_MRES,
        type=image.type,
        o_width=image.width,
        o_height=image.height,
        min=image.min,
        max=image.max,
        file_path=checked_path(image.file_path, slot.where),
    )


def started(patch: Patch, motion: Affine) -> Patch:
    """Return a patch moved from its stage position by `motion`, in the frame of the project."""
    return replace(patch, matrix=affine.compose(motion, patch.matrix), start=motion)


def to_project(matrix: Affine, box: Box, origin: tuple[float, float]) -> Affine:
    """Return a patch's matrix from a tile's affine in the frame of the stack."""
    return affine.compose(
        affine.translation(-origin[0], -origin[1]), matrix, affine.translation(box.x, box.y)
    )


def to_stack(matrix: Affine, box: Box, origin: tuple[float, float]) -> Affine:
    """Return a tile's affine in the frame of the stack from a patch's matrix."""
    return affine.compose(affine.translation(*origin), matrix, affine.translation(-box.x, -box.y))


def overhang(patch: Patch, width: float, height: float) -> float:
    """Return how far a patch reaches beyond a layer of this size, px; 0 if it does not."""
    extent = affine.apply(patch.matrix, image_corners(patch.box.width, patch.box.height))
    beyond = np.concatenate((-extent, extent - [width, height]))
    return max(0.0, float(beyond.max()))


def safe_title(text: str) -> str:
    """Return `text` with all that a save of TrakEM2 would lose or break made safe.

    TrakEM2 writes latin-1, escapes nothing, joins runs of spaces, and loses titles with "null".
    """
    safe = "".join(c if _latin(c) and c not in UNSAFE_IN_TITLE else "_" for c in text)
    position = safe.lower().find("null")
    while position >= 0:
        safe = f"{safe[: position + 2]}_{safe[position + 2 :]}"
        position = safe.lower().find("null")
    return safe


def checked_path(path: str, where: str) -> str:
    """Return `path`; UserError if TrakEM2 would lose or break it on saving."""
    bad = sorted({c for c in path if c in FORBIDDEN_IN_PATH or not _latin(c)})
    if bad or "  " in path or path != path.strip():
        what = f"the characters {' '.join(map(ascii, bad))}" if bad else "spaces side by side"
        raise UserError(
            f"{where}: the path of its image, {path}, has {what}, which TrakEM2 breaks on"
            " saving; rename the file, or rewrite the path by imagePaths."
        )
    return path


def _latin(character: str) -> bool:
    """Return whether a character is printable and in latin-1."""
    return " " <= character <= "~" or "\xa1" <= character <= "\xff"
