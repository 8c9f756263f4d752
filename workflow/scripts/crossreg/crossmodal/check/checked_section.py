"""What became of a frozen section: untouched, saved or missing, and what is found of it."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from crossreg.crossmodal.affine import IDENTITY, Affine
from crossreg.crossmodal.check.finding import ERROR, WARNING, Finding
from crossreg.crossmodal.check.motion.motion_summary import (
    WRONG_SECTION,
    SectionMotion,
    TileMotion,
    model_of,
    section_motion,
    tile_motions,
)
from crossreg.crossmodal.check.motion.registered_tile import RegisteredTile
from crossreg.crossmodal.freeze.records import FrozenSection
from crossreg.crossmodal.trakem2.patches import Patch
from crossreg.crossmodal.trakem2.project_files import SAVED, UNTOUCHED
from crossreg.crossmodal.trakem2.saved_project import SavedPatch

TO_CONFIRM, CONFIRMED_START = "nothing_moved", "start_confirmed"
"""Kinds of findings about a section that was saved although nothing in it was moved."""


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
    residuals: tuple[tuple[float, float], ...]
    """px in x and y from where the motion sends each moving point to its fixed one."""
    left_out: tuple[float, ...]
    """px from where the others that are not contradicted send it; NaN where those are too few."""
    contradicted: tuple[bool, ...]
    """Whether the other landmarks agree, and contradict this one."""

    @property
    def distances(self) -> tuple[float, ...]:
        """Length of each residual, px; 0 for a thin plate."""
        return tuple(math.hypot(*one) for one in self.residuals)

    @property
    def median_left_out(self) -> float:
        """Median of `left_out`, px; NaN where none is known."""
        known = [one for one in self.left_out if math.isfinite(one)]
        return statistics.median(known) if known else math.nan

    def to_records(self) -> list[dict[str, Any]]:
        """Return a row a landmark as JSON has it in a report; unknown numbers are null."""
        errors = zip(self.distances, self.left_out, self.contradicted, strict=True)
        return [
            {
                "name": one.name,
                "moving": list(one.moving),
                "fixed": list(one.fixed),
                "residual": list(residual),
                "residual_px": distance,
                "left_out_px": left_out if math.isfinite(left_out) else None,
                "contradicted": contradicted,
            }
            for one, residual, (distance, left_out, contradicted) in zip(
                self.landmarks, self.residuals, errors, strict=True
            )
        ]

    @classmethod
    def from_records(cls, records: list[Mapping[str, Any]]) -> "LandmarkFit":
        """Return what `to_records` wrote."""
        landmarks, residuals, left_out = [], [], []
        for one in records:
            (x, y), (u, v), (dx, dy) = one["moving"], one["fixed"], one["residual"]
            landmarks.append(Landmark(one["name"], (x, y), (u, v)))
            residuals.append((dx, dy))
            left_out.append(math.nan if one["left_out_px"] is None else one["left_out_px"])
        contradicted = tuple(bool(one["contradicted"]) for one in records)
        return cls(tuple(landmarks), tuple(residuals), tuple(left_out), contradicted)


@dataclass(frozen=True)
class Section:
    """A frozen section as the person left it."""

    section: str
    """Stem of the section."""
    findings: tuple[Finding, ...] = ()
    """About its own files."""
    tiles: tuple[RegisteredTile, ...] = ()
    """Its EM tiles as far as they can be used; none unless it is saved."""
    common_motion: Affine = IDENTITY
    """What all LM patches were moved by and the EM tiles were corrected for."""
    landmarks: LandmarkFit | None = None
    """How landmarks fit, where they were given instead of a saved project."""
    state: str = SAVED
    """'untouched', 'saved' or 'missing'."""
    start: str = ""
    """'saved' or 'interpolated' where its EM started from another registration, else ''."""
    further: tuple[Finding, ...] = ()
    """Found by comparing it with the other sections, and with the stack as it is now."""
    motion: SectionMotion | None = None
    """None where there is nothing to measure: not saved, with errors, or flattened tiles."""
    tile_motions: tuple[TileMotion, ...] = ()
    model: str = ""
    """'rigid' if all tiles were turned and none was scaled since the stage, 'scaled' if any was."""
    score: float | None = None
    """How many standard deviations its motion is off those of the other sections."""

    @property
    def z(self) -> float:
        """The z of the section."""
        return float(self.section)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """All that is to be said about the section."""
        return (*self.findings, *self.further)

    @property
    def faulty(self) -> bool:
        """Whether the section must not be imported."""
        return any(one.level == ERROR for one in self.all_findings)

    @property
    def saved(self) -> bool:
        """Whether a person saved the section, or gave landmarks."""
        return self.state == SAVED

    @property
    def apart(self) -> bool:
        """Whether the section is unlike the others."""
        return self.score is not None and self.score > WRONG_SECTION

    @property
    def has_warnings(self) -> bool:
        """Whether anything found is a warning."""
        return any(one.level == WARNING for one in self.all_findings)

    @property
    def suspicious(self) -> bool:
        """Whether the section has no errors and deserves a look all the same."""
        return not self.faulty and (self.has_warnings or self.apart)

    @property
    def to_confirm(self) -> bool:
        """Whether it was saved without any move, which a person has to confirm."""
        return any(one.kind == TO_CONFIRM for one in self.findings)

    @property
    def start_in_words(self) -> str:
        """Return where the EM tiles started and what became of that; '' for the stage."""
        if not self.start:
            return ""
        start = "as saved before" if self.start == SAVED else "between neighbours"
        if self.state == UNTOUCHED:
            return f"{start}, not confirmed"
        if not self.saved:
            return start
        kept = any(one.kind == CONFIRMED_START for one in self.findings)
        return f"{start}, {'confirmed' if kept else 'corrected'}"

    def measured(self, pixel_size: tuple[float, float]) -> "Section":
        """Return the section with its motion, if that can be said; `pixel_size` is nm a px."""
        if self.faulty or not self.tiles:
            return self
        try:
            motions = tile_motions(self.tiles, pixel_size)
            motion = section_motion(self.section, self.tiles, motions)
        except ValueError:
            # A transform that the person added may flatten a tile, which no affine describes.
            return self
        model = model_of(self.tiles)
        return replace(self, motion=motion, tile_motions=motions, model=model)

    def summary(self) -> "Section":
        """Return the section without its tiles and their motions, most of its memory."""
        return replace(self, tiles=(), tile_motions=())


Pair = tuple[Patch, SavedPatch]
"""A patch as frozen, and the same one as it was saved."""


def finding_of_patch(
    level: str, kind: str, frozen: FrozenSection, patch: Patch, *texts: str
) -> Finding:
    """Return a finding about a patch; `texts` are expected, found and advice."""
    expected, found, advice = texts
    where = patch.stack, patch.tile_id, patch.title
    return Finding(level, kind, frozen.section, expected, found, advice, *where)
