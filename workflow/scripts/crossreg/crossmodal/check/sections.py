"""What was frozen of a section, and what is found in its project: the records of a check."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import IDENTITY, Affine, Points
from crossreg.crossmodal.check.findings import Finding, has_errors
from crossreg.crossmodal.check.motion import largest_distance
from crossreg.crossmodal.render.tile_specs import Spec, image_corners, registered_spec
from crossreg.crossmodal.render.transforms import Box, Transform
from crossreg.crossmodal.trakem2.patches import Patch, patch_corners, project_points, to_stack
from crossreg.crossmodal.trakem2.project_xml import Layer
from crossreg.crossmodal.trakem2.saved_project import SavedPatch


@dataclass(frozen=True)
class FrozenSection:
    """What was frozen of one section."""

    section: str
    """Stem of the section."""
    frozen: str
    """Fingerprint that the projects carry."""
    width: int
    height: int
    layers: tuple[Layer, ...]
    patches: tuple[Patch, ...]
    start: str = ""
    """'saved' or 'interpolated' where the EM started from another registration."""

    @classmethod
    def from_records(
        cls, stem: str, frozen: str, configuration: Mapping[str, Any], section: Mapping[str, Any]
    ) -> "FrozenSection":
        """Return the section from the content of frozen.json and of the section's file."""
        size = configuration["layer"]
        layers = (Layer(one["index"], one["stack"], one["oid"]) for one in configuration["layers"])
        patches = tuple(map(Patch.from_record, section["patches"]))
        start = section.get("start", "")
        return cls(stem, frozen, size["width"], size["height"], tuple(layers), patches, start)

    def is_em(self, patch: Patch) -> bool:
        """Return whether a person was to move the patch: it is on the last layer."""
        return patch.layer == self.layers[-1].index


@dataclass(frozen=True)
class Policy:
    """What to do about accidents; see the keys of `trakem2` in the configuration."""

    common_motion: str = "canvas"
    new_transforms: str = "error"
    unreadable_projects: str = "error"
    """'recover' reads the patches of a project that TrakEM2 saved as broken XML."""
    saved_copies: str = "error"
    """'newest' takes what was saved under another name, where it is newer."""
    confirmed_sections: tuple[float, ...] = ()
    """z of sections that a person says are right although nothing moved."""
    landmark_model: str = "similarity"
    """Of landmark tables that stand for a saved project."""
    landmark_units: str = "px"


@dataclass(frozen=True)
class Landmark:
    """A pair of points in the frame of the stacks, px."""

    name: str
    moving: tuple[float, float]
    fixed: tuple[float, float]


@dataclass(frozen=True)
class LandmarkFit:
    """How well the landmarks of a section fit its motion."""

    landmarks: tuple[Landmark, ...]
    residuals: tuple[float, ...]
    """px from where the motion sends each moving point; 0 for a thin plate."""
    left_out: tuple[float, ...]
    """px from where the motion of the other landmarks sends it; NaN where those are too few."""

    def to_records(self) -> list[dict[str, Any]]:
        """Return a row a landmark as JSON has it in a report; unknown numbers are null."""
        rows = zip(self.landmarks, self.residuals, self.left_out, strict=True)
        return [
            {
                "name": one.name,
                "moving": list(one.moving),
                "fixed": list(one.fixed),
                "residual_px": residual,
                "left_out_px": left_out if math.isfinite(left_out) else None,
            }
            for one, residual, left_out in rows
        ]


@dataclass(frozen=True)
class RegisteredTile:
    """An EM tile as registered, after the correction by the common motion."""

    patch: Patch
    matrix: Affine
    """In the frame of the project, to be used with `box`."""
    added: tuple[Transform, ...]
    """Coordinate transforms that the person added after the frozen ones."""
    box: Box
    motion: Affine
    """The affine map from the frozen to the registered corners, in the frame of the project."""
    moved: float
    """Largest distance of a corner from where it was frozen, px."""

    def corners(self) -> Points:
        """Return the registered corners in the frame of the project, (4, 2) in px; read-only."""
        return self._corners

    @cached_property
    def _corners(self) -> Points:
        placed = placed_corners(self.patch, self.matrix, self.added, self.box)
        placed.flags.writeable = False
        return placed

    @property
    def total_motion(self) -> Affine:
        """The affine map from the stage position to the registered one, in the project's frame.

        It differs from `motion` where the section started from another registration.
        """
        return affine.compose(self.motion, self.patch.start)

    def spec(self, frozen_spec: Spec, origin: tuple[float, float]) -> Spec:
        """Return the new tile spec from the frozen one; `origin` is (minX, minY) as frozen."""
        matrix = to_stack(self.matrix, self.box, origin)
        return registered_spec(frozen_spec, self.patch.keep, self.added, matrix)


@dataclass(frozen=True)
class CheckedSection:
    """The findings of a section, and its EM tiles as far as they can be used."""

    section: str
    findings: tuple[Finding, ...]
    tiles: tuple[RegisteredTile, ...] = ()
    common_motion: Affine = IDENTITY
    """What all LM patches were moved by and the EM tiles were corrected for."""
    landmarks: LandmarkFit | None = None
    """How landmarks fit, where they were given instead of a saved project."""

    @property
    def faulty(self) -> bool:
        """Whether the section must not be imported."""
        return has_errors(self.findings)


def registered_tile(
    patch: Patch, matrix: Affine, added: tuple[Transform, ...], box: Box
) -> RegisteredTile:
    """Return a tile that was left at `matrix`, with its motion since the project was created.

    Raises ValueError if an added transform sends the tile to infinity.
    """
    before, after = patch_corners(patch), placed_corners(patch, matrix, added, box)
    after.flags.writeable = False
    moved = largest_distance(before, after)
    tile = RegisteredTile(patch, matrix, added, box, affine.fit(before, after), moved)
    # What `corners` would compute again.
    tile.__dict__["_corners"] = after
    return tile


def placed_corners(patch: Patch, matrix: Affine, added: tuple[Transform, ...], box: Box) -> Points:
    """Return the corners (4, 2) of a patch with these transforms, in the frame of the project."""
    corners = image_corners(patch.o_width, patch.o_height)
    return project_points(matrix, (*patch.transforms, *added), box, corners)


Pair = tuple[Patch, SavedPatch]
"""A patch as frozen, and the same one as it was saved."""


def finding_of_section(
    level: str, kind: str, frozen: FrozenSection, expected: str, found: str, advice: str
) -> Finding:
    """Return a finding about a section as a whole."""
    return Finding(level, kind, frozen.section, expected, found, advice)


def finding_of_patch(
    level: str, kind: str, frozen: FrozenSection, patch: Patch, *texts: str
) -> Finding:
    """Return a finding about a patch; `texts` are expected, found and advice."""
    expected, found, advice = texts
    where = patch.stack, patch.tile_id, patch.title
    return Finding(level, kind, frozen.section, expected, found, advice, *where)
