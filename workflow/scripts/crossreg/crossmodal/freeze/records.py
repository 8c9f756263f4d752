"""The frozen configuration as typed records: `Frozen`, its sections, and what JSON keeps of them.

Field by field they are the content of frozen/frozen.json and of frozen/sections/<stem>.json.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from crossreg.crossmodal.freeze.parameters import Request
from crossreg.crossmodal.render.stack_store import RESOLUTIONS, ResolvedTiles
from crossreg.crossmodal.trakem2.patches import Patch
from crossreg.crossmodal.trakem2.project_xml import Layer

FORMAT = "crossreg-frozen/1"
EARLIEST_PROJECT_FORM = 1
"""Of projects frozen before their form was recorded."""

Record = dict[str, Any]
"""A JSON object."""


class Bounds(TypedDict):
    """The box of all projects in the frame of the stacks, whole px."""

    minX: int
    minY: int
    maxX: int
    maxY: int


def box_sides(bounds: Bounds) -> tuple[float, float, float, float]:
    """Return minX, minY, maxX, maxY."""
    return bounds["minX"], bounds["minY"], bounds["maxX"], bounds["maxY"]


class LayerSize(TypedDict):
    """Size of every layer, px."""

    width: int
    height: int


@dataclass(frozen=True)
class LeftOut:
    """A section that was asked for and has no project."""

    z: float
    reason: str


@dataclass(frozen=True)
class StartedFrom:
    """The registration that the EM tiles start from."""

    name: str
    sha256: str
    """Hash of its frozen configuration."""
    saved: tuple[float, ...]
    """z of the sections that were saved there."""
    unlike: tuple[float, ...]
    """z of those from which no other section starts."""
    left_out: tuple[LeftOut, ...] = ()
    """Saved there, but with errors."""
    warned: tuple[LeftOut, ...] = ()
    """Taken, although the check there warns of them."""

    def to_record(self) -> Record:
        """Return it as JSON has it."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "saved": list(self.saved),
            "unlike": list(self.unlike),
            "leftOut": [vars(one) for one in self.left_out],
            "warned": [vars(one) for one in self.warned],
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "StartedFrom":
        """Return what `to_record` wrote; early records say nothing of faults."""
        left_out, warned = (record.get(key, []) for key in ("leftOut", "warned"))
        return cls(
            record["name"],
            record["sha256"],
            tuple(record["saved"]),
            tuple(record["unlike"]),
            tuple(LeftOut(**one) for one in left_out),
            tuple(LeftOut(**one) for one in warned),
        )


@dataclass(frozen=True)
class SectionEntry:
    """What frozen.json says of one section; the rest is in a file of its own."""

    z: float
    stem: str
    unuid: str
    """TrakEM2's name of the project."""
    sha256: str
    """Hash of the section's file."""
    tiles: Mapping[str, int]
    """Number of tiles of each stack."""
    sticks_out: int
    """EM tiles that reach beyond the box."""
    draft_sha256: str = ""
    """Hash of the project as it is created."""

    def to_record(self) -> Record:
        """Return the entry as JSON has it."""
        return {
            "z": self.z,
            "stem": self.stem,
            "unuid": self.unuid,
            "sha256": self.sha256,
            "tiles": dict(self.tiles),
            "sticksOut": self.sticks_out,
            "draftSha256": self.draft_sha256,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "SectionEntry":
        """Return the entry of a record that `to_record` made; KeyError if it is none."""
        return cls(
            z=record["z"],
            stem=record["stem"],
            unuid=record["unuid"],
            sha256=record["sha256"],
            tiles=record["tiles"],
            sticks_out=record["sticksOut"],
            draft_sha256=record["draftSha256"],
        )


@dataclass(frozen=True)
class Frozen:
    """The content of frozen.json."""

    name: str
    owner: str | None
    project: str | None
    input_stack: str
    """The EM stack, whose tiles a person moves."""
    lm_stacks: tuple[str, ...]
    request: Request
    bounds: Bounds
    layer: LayerSize
    layers: tuple[Layer, ...]
    intensity: Mapping[str, Sequence[float] | None]
    """Stack -> grey values shown as black and white; None: as each tile says."""
    stacks: Mapping[str, Record]
    """Stack -> its metadata as its place answered."""
    left_out: tuple[LeftOut, ...]
    info: Mapping[str, Any]
    project_form: int
    start_from: StartedFrom | None = None
    sections: tuple[SectionEntry, ...] = ()
    sha256: str = ""
    """Hash over all but itself, `info` and the hashes of the projects."""

    @property
    def origin(self) -> tuple[float, float]:
        """Upper left corner of the projects in the frame of the stacks."""
        return self.bounds["minX"], self.bounds["minY"]

    @property
    def em_metadata(self) -> Record:
        """Metadata of the EM stack."""
        return self.stacks[self.input_stack]

    @property
    def resolution(self) -> tuple[float | None, ...]:
        """Return nm a px of the EM stack in x, y and z; None where the stack does not say."""
        version = self.em_metadata["currentVersion"]
        return tuple(version.get(key) or None for key in RESOLUTIONS)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Return nm a px of the EM stack in x and y, NaN where the stack does not say."""
        x, y, _ = (math.nan if value is None else float(value) for value in self.resolution)
        return x, y

    def to_record(self) -> Record:
        """Return the configuration as JSON has it."""
        record: Record = {
            "format": FORMAT,
            "sha256": self.sha256,
            "info": dict(self.info),
            "name": self.name,
            "owner": self.owner,
            "project": self.project,
            "inputStack": self.input_stack,
            "LMstacks": list(self.lm_stacks),
            "request": self.request,
            "bounds": self.bounds,
            "layer": self.layer,
            "layers": [vars(layer) for layer in self.layers],
            "intensity": dict(self.intensity),
            "stacks": dict(self.stacks),
            "leftOut": [vars(one) for one in self.left_out],
            "projectForm": self.project_form,
            "sections": [entry.to_record() for entry in self.sections],
        }
        if self.start_from is not None:
            record["startFrom"] = self.start_from.to_record()
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Frozen":
        """Return the configuration of a record; KeyError or TypeError if it is none."""
        start = record.get("startFrom")
        return cls(
            name=record["name"],
            owner=record["owner"],
            project=record["project"],
            input_stack=record["inputStack"],
            lm_stacks=tuple(record["LMstacks"]),
            request=record["request"],
            bounds=record["bounds"],
            layer=record["layer"],
            layers=tuple(Layer(**layer) for layer in record["layers"]),
            intensity=record["intensity"],
            stacks=record["stacks"],
            left_out=tuple(LeftOut(**one) for one in record["leftOut"]),
            info=record["info"],
            project_form=record.get("projectForm", EARLIEST_PROJECT_FORM),
            start_from=StartedFrom.from_record(start) if start else None,
            sections=tuple(map(SectionEntry.from_record, record["sections"])),
            sha256=record["sha256"],
        )


@dataclass(frozen=True)
class FrozenSection:
    """What was frozen of one section, with what it needs to know of the configuration."""

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
    tiles: Mapping[str, ResolvedTiles] = field(default_factory=dict)
    """Stack -> raw tiles: all of the EM, and those taken of LM stacks."""
    outside: tuple[str, ...] = ()
    """Tile ids of EM tiles that are in no project."""

    @classmethod
    def from_record(cls, frozen: Frozen, stem: str, record: Mapping[str, Any]) -> "FrozenSection":
        """Return the section of a record that `section_record` made."""
        return cls(
            section=stem,
            frozen=frozen.sha256,
            width=frozen.layer["width"],
            height=frozen.layer["height"],
            layers=frozen.layers,
            patches=tuple(map(Patch.from_record, record["patches"])),
            start=record.get("start", ""),
            tiles=record["resolvedTiles"],
            outside=tuple(record["outside"]),
        )

    @property
    def z(self) -> float:
        """The z of the section."""
        return float(self.section)

    @property
    def em_tiles(self) -> ResolvedTiles:
        """Raw tiles of the EM stack."""
        return self.tiles[self.layers[-1].stack]

    def is_em(self, patch: Patch) -> bool:
        """Return whether a person was to move the patch: it is on the last layer."""
        return patch.layer == self.layers[-1].index


def section_record(
    z: float,
    tiles: Mapping[str, ResolvedTiles],
    patches: Sequence[Patch],
    outside: Sequence[str],
    start: str | None = None,
) -> Record:
    """Return what the file of a frozen section holds; the arguments are as in `FrozenSection`."""
    record: Record = {
        "z": z,
        "resolvedTiles": dict(tiles),
        "patches": [patch.to_record() for patch in patches],
        "outside": list(outside),
    }
    return record if start is None else record | {"start": start}
