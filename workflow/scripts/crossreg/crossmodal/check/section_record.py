"""What `trakem2_check` keeps of a section: for programs, for the report, and for the import.

A record carries the key of the files that it was made from and a hash of itself: it counts as
long as both hold, so that a project is parsed and checked once and no stale record is believed.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossreg.crossmodal.affine import affine
from crossreg.crossmodal.check.checked_section import LandmarkFit, Section
from crossreg.crossmodal.check.finding import Finding
from crossreg.crossmodal.check.motion.motion_summary import SectionMotion, TileMotion
from crossreg.crossmodal.check.motion.registered_tile import RegisteredTile
from crossreg.crossmodal.freeze.canonical import canonical_json, sha256
from crossreg.crossmodal.freeze.records import FrozenSection, Record
from crossreg.crossmodal.render.image_boxes import Box
from crossreg.crossmodal.render.transform_data import Transform
from crossreg.io.errors import UserError
from crossreg.io.files import read_json, write_text

SELF = "sha256"
FAULTS = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading raises of a record that is none."""


def section_to_record(section: Section, key: str) -> Record:
    """Return all of a section as JSON has it; numbers that are not known are null."""
    record = {
        "section": section.section,
        "z": section.z,
        "status": section.state,
        "start": section.start,
        "faulty": section.faulty,
        "commonMotion": list(section.common_motion),
        "findings": [one.to_record() for one in section.all_findings],
        "furtherFindings": len(section.further),
        "landmarks": section.landmarks.to_records() if section.landmarks else [],
        "motion": _known(vars(section.motion)) if section.motion else None,
        "tiles": [_known(vars(one)) for one in section.tile_motions],
        "placed": [_placed(tile) for tile in section.tiles],
        "model": section.model,
        "key": key,
    }
    return record | {SELF: sha256(record)}


def with_findings(record: Mapping[str, Any], section: Section) -> Record:
    """Return a record of a section with what was found since, by comparing it with others."""
    changed = {
        "findings": [one.to_record() for one in section.all_findings],
        "furtherFindings": len(section.further),
        "faulty": section.faulty,
    }
    content = {key: value for key, value in record.items() if key != SELF} | changed
    return content | {SELF: sha256(content)}


def section_of_record(record: Mapping[str, Any], frozen: FrozenSection | None = None) -> Section:
    """Return the section of a record, with its tiles if what was frozen of it is given.

    Raises one of FAULTS if the record is none.
    """
    findings = tuple(Finding(**one) for one in record["findings"])
    own = len(findings) - record["furtherFindings"]
    tiles: tuple[RegisteredTile, ...] = ()
    if frozen is not None:
        patches = {patch.oid: patch for patch in frozen.patches}
        tiles = tuple(_tile(one, patches) for one in record["placed"])
    motion = record["motion"]
    return Section(
        section=record["section"],
        findings=findings[:own],
        tiles=tiles,
        common_motion=affine(record["commonMotion"]),
        landmarks=LandmarkFit.from_records(record["landmarks"]) if record["landmarks"] else None,
        state=record["status"],
        start=record["start"],
        further=findings[own:],
        motion=SectionMotion(**_numbers(motion)) if motion else None,
        tile_motions=tuple(TileMotion(**_numbers(one)) for one in record["tiles"]),
        model=record["model"],
    )


def record_file(reports: Path, stem: str) -> Path:
    """Return where the record of a section lies."""
    return reports / f"{stem}.json"


def write_record(reports: Path, record: Record) -> None:
    """Write a record into the folder of reports."""
    # Thousands of them may be written, and one that a crash of the machine damages does not count.
    path = record_file(reports, record["section"])
    write_text(path, canonical_json(record) + "\n", durable=False)


def kept_record(reports: Path | None, stem: str, key: str) -> Record | None:
    """Return the record of a section if it is whole and was made from the files with this key."""
    if reports is None:
        return None
    try:
        record = json.loads(record_file(reports, stem).read_bytes())
        content = {name: value for name, value in record.items() if name != SELF}
        holds = record["key"] == key and record[SELF] == sha256(content)
    except (OSError, RecursionError, *FAULTS):
        return None
    return record if holds else None


def read_sections(reports: Path) -> list[Section]:
    """Return the sections of all records in a folder of reports, in the order of z, no tiles.

    Raises UserError if there are none, or one is not as `trakem2_check` writes it.
    """
    paths = [path for path in sorted(reports.glob("*.json")) if path.name != FOLDER_RECORD]
    sections = []
    for path in paths:
        try:
            sections.append(section_of_record(read_json(path)))
        except FAULTS:
            raise UserError(_damaged(path)) from None
    if not sections:
        raise UserError(f"{reports}: there is no report of a section; run trakem2_check.")
    return sorted(sections, key=lambda one: one.z)


FOLDER_RECORD = "folder.json"
"""Findings that belong to no section."""


def read_folder_findings(reports: Path) -> list[Finding]:
    """Return the findings that belong to no section.

    Raises UserError if the file is missing, or not as `trakem2_check` writes it.
    """
    path = reports / FOLDER_RECORD
    try:
        return [Finding(**record) for record in read_json(path)]
    except FAULTS:
        raise UserError(_damaged(path)) from None


def _damaged(path: Path) -> str:
    return f"{path}: it is not as trakem2_check writes it; remove it and run trakem2_check again."


def _placed(tile: RegisteredTile) -> Record:
    return {
        "oid": tile.patch.oid,
        "matrix": list(tile.matrix),
        "added": [list(one) for one in tile.added],
        "box": list(tile.box),
    }


def _tile(record: Mapping[str, Any], patches: Mapping[int, Any]) -> RegisteredTile:
    return RegisteredTile(
        patch=patches[record["oid"]],
        matrix=affine(record["matrix"]),
        added=tuple(Transform(*one) for one in record["added"]),
        box=Box(*record["box"]),
    )


def _known(record: Mapping[str, Any]) -> Record:
    """Return a record with null in place of numbers that are not finite."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in record.items()
    }


def _numbers(record: Mapping[str, Any]) -> Record:
    """Return a record of `_known` with NaN in place of null."""
    return {key: math.nan if value is None else value for key, value in record.items()}
