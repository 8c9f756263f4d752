"""The frozen configuration of a registration: made once, read and verified ever after.

`<folder>/frozen/frozen.json` and `<folder>/frozen/sections/<stem>.json` appear together, in
one step, and are never written again. Both are canonical JSON.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crossreg.crossmodal.freeze.canonical import canonical_json, sha256, sha256_of_bytes
from crossreg.crossmodal.freeze.parameters import Parameters, effective_request
from crossreg.crossmodal.freeze.records import (
    FORMAT,
    Frozen,
    FrozenSection,
    Record,
    SectionEntry,
)
from crossreg.crossmodal.render.stack_store import section_stem, z_of_stem
from crossreg.crossmodal.render.tile_shape import is_number
from crossreg.io.errors import UserError
from crossreg.io.files import TEMPORARY_PREFIX, read_json

FROZEN_FOLDER = "frozen"
FROZEN_FILE = "frozen.json"
SECTIONS_FOLDER = "sections"
NOT_HASHED = ("sha256", "info")

Draft = Callable[[Frozen, SectionEntry, FrozenSection], bytes]
"""Returns the project of a section as it is created."""


@dataclass
class Freezer:
    """Takes one section after the other, so that memory does not grow with their number."""

    folder: Path
    entries: list[SectionEntry] = field(default_factory=list)

    def add_section(
        self, record: Record, unuid: str, tiles: Mapping[str, int], sticks_out: int
    ) -> None:
        """Keep a section's record; see `section_record`.

        `tiles` is the number of tiles of each stack, `sticks_out` how many EM tiles reach
        beyond the box.
        """
        stem = section_stem(record["z"])
        data = canonical_json(record).encode()
        _section_file(self.folder, stem).write_bytes(data)
        digest = sha256_of_bytes(data)
        self.entries.append(SectionEntry(record["z"], stem, unuid, digest, tiles, sticks_out))

    def finish(self, head: Frozen, draft: Draft) -> Frozen:
        """Return the frozen configuration, written: `head` and the sections.

        `draft` makes the projects, which carry the hash of the frozen configuration.
        """
        frozen = replace(head, sections=tuple(self.entries))
        frozen = replace(frozen, sha256=fingerprint(frozen.to_record()))
        entries = []
        for entry in frozen.sections:
            record = json.loads(_section_file(self.folder, entry.stem).read_bytes())
            section = FrozenSection.from_record(frozen, entry.stem, record)
            digest = sha256_of_bytes(draft(frozen, entry, section))
            entries.append(replace(entry, draft_sha256=digest))
        frozen = replace(frozen, sections=tuple(entries))
        text = canonical_json(frozen.to_record())
        (self.folder / FROZEN_FILE).write_text(text, encoding="utf-8")
        return frozen


@contextmanager
def freezing(folder: Path) -> Iterator[Freezer]:
    """Yield a Freezer; what it wrote becomes `folder`/frozen when the block succeeds.

    Nothing appears if the block fails or is killed. Raises UserError if `folder` has a frozen
    configuration already.
    """
    final = folder / FROZEN_FOLDER
    draft = folder / (TEMPORARY_PREFIX + FROZEN_FOLDER)
    _refuse_second(final)
    shutil.rmtree(draft, ignore_errors=True)
    (draft / SECTIONS_FOLDER).mkdir(parents=True)
    try:
        freezer = Freezer(draft)
        yield freezer
        if not (draft / FROZEN_FILE).is_file():
            raise RuntimeError("a Freezer has to be finished")
        _refuse_second(final)
        draft.rename(final)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def fingerprint(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the JSON of a frozen configuration, but for itself and `info`.

    The hashes of the projects as created do not count either: those carry this one.
    """
    hashed = {key: value for key, value in record.items() if key not in NOT_HASHED}
    hashed["sections"] = [
        {key: value for key, value in entry.items() if key != "draftSha256"}
        for entry in record.get("sections", [])
    ]
    return sha256(hashed)


def read_frozen(folder: Path) -> Frozen | None:
    """Return the frozen configuration of a registration's folder, verified; None: there is none.

    Raises UserError if it is of another format or was changed.
    """
    path = folder / FROZEN_FOLDER / FROZEN_FILE
    if not path.parent.exists():
        return None
    record = read_json(path)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise UserError(f"{path}: not a frozen configuration of the format {FORMAT}.")
    if record.get("sha256") != fingerprint(record):
        raise UserError(
            f"{path}: the file was changed after freezing; restore it from a backup, or freeze"
            " again under another name."
        )
    if not _names_sections(record):
        raise UserError(f"{path}: its sections are not named by their z; restore it from a backup.")
    try:
        return Frozen.from_record(record)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: something of a frozen configuration is missing ({error}); restore it from a"
            " backup."
        ) from None


def _names_sections(record: Mapping[str, Any]) -> bool:
    """Return whether each section has the stem of its z: stems become names of files."""
    sections = record.get("sections")
    return isinstance(sections, list) and all(
        isinstance(entry, dict)
        and is_number(entry.get("z"))
        and isinstance(entry.get("stem"), str)
        and z_of_stem(entry["stem"]) == entry["z"]
        for entry in sections
    )


def required_frozen(folder: Path) -> Frozen:
    """Return the frozen configuration of a registration's folder; UserError if there is none."""
    frozen = read_frozen(folder)
    if frozen is None:
        path = folder / FROZEN_FOLDER / FROZEN_FILE
        raise UserError(
            f"{path}: there is no frozen configuration; make it with the target trakem2_projects."
        )
    return frozen


def read_section(folder: Path, frozen: Frozen, entry: SectionEntry) -> FrozenSection:
    """Return the section that `entry` (of `frozen.sections`) describes, verified."""
    path = _section_file(folder / FROZEN_FOLDER, entry.stem)
    if not path.is_file():
        raise UserError(f"{path}: the frozen section is gone; restore it from a backup.")
    data = path.read_bytes()
    if sha256_of_bytes(data) != entry.sha256:
        raise UserError(
            f"{path}: the file was changed after freezing; restore it from a backup, or freeze"
            " again under another name."
        )
    # Its hash says that these bytes are ours: no need to look for faults of JSON.
    return FrozenSection.from_record(frozen, entry.stem, json.loads(data))


def request_differences(frozen: Frozen, parameters: Parameters) -> list[str]:
    """Return a phrase for each frozen key that the parameters now want otherwise."""
    then = effective_request(frozen.request)
    now = effective_request(parameters.request)
    return [
        f"{key} (frozen: {_shown(then.get(key))}, now: {_shown(now.get(key))})"
        for key in sorted(then.keys() | now.keys())
        if then.get(key) != now.get(key)
    ]


def check_start(folder: Path, frozen: Frozen, start_from: str | None) -> None:
    """Raise UserError if the projects were created with other starts than are asked for."""
    then = frozen.start_from.name if frozen.start_from else None
    if then != start_from:
        raise UserError(
            f"{folder / FROZEN_FOLDER / FROZEN_FILE}: frozen with start_from: {_shown(then)}, now"
            f" {_shown(start_from)}; set it back, or choose another 'name'."
        )


def check_request(folder: Path, frozen: Frozen, parameters: Parameters) -> None:
    """Raise UserError naming every difference between what is frozen and what is asked for."""
    differences = request_differences(frozen, parameters)
    if differences:
        raise UserError(
            f"{folder / FROZEN_FOLDER / FROZEN_FILE}: frozen with other parameters:"
            f" {'; '.join(differences)}; set them back, or choose another 'name'."
        )


def _section_file(folder: Path, stem: str) -> Path:
    return folder / SECTIONS_FOLDER / f"{stem}.json"


def _refuse_second(final: Path) -> None:
    if final.exists():
        raise UserError(f"{final}: already frozen; choose another 'name' for a second one.")


def _shown(value: Any) -> str:
    return "not given" if value is None else canonical_json(value)
