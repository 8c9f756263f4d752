"""The frozen configuration of a registration: made once, read and verified ever after.

`<folder>/frozen/frozen.json` and `<folder>/frozen/sections/<stem>.json` appear together, in
one step, and are never written again. Both are canonical JSON.
"""

import hashlib
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossreg.crossmodal.freeze.canonical import canonical_json, sha256, sha256_of_bytes
from crossreg.crossmodal.freeze.parameters import Parameters, effective_request
from crossreg.crossmodal.render.stack_store import section_stem, z_of_stem
from crossreg.crossmodal.render.tile_shape import is_number
from crossreg.io.errors import UserError
from crossreg.io.files import TEMPORARY_PREFIX, read_json

FORMAT = "crossreg-frozen/1"
FROZEN_FOLDER = "frozen"
FROZEN_FILE = "frozen.json"
SECTIONS_FOLDER = "sections"
RESOLUTION_KEYS = ("stackResolutionX", "stackResolutionY")
NOT_HASHED = ("sha256", "info")
PROJECT_SUFFIXES = (".xml", ".xml.gz")

UNTOUCHED = "untouched"
SAVED = "saved"
MISSING = "missing"

Frozen = dict[str, Any]
"""The content of frozen.json."""

Draft = Callable[[Frozen, dict[str, Any], dict[str, Any]], bytes]
"""Returns the project as it is created, from frozen.json, its entry of a section, its record."""


@dataclass
class Freezer:
    """Takes one section after the other, so that memory does not grow with their number."""

    folder: Path
    entries: list[dict[str, Any]] = field(default_factory=list)

    def add_section(
        self, record: dict[str, Any], unuid: str, tiles: dict[str, int], sticks_out: int
    ) -> None:
        """Keep a section's record (z, resolvedTiles, patches, outside).

        `tiles` is the number of tiles of each stack, `sticks_out` how many EM tiles reach
        beyond the box.
        """
        stem = section_stem(record["z"])
        data = canonical_json(record).encode()
        self._record_file(stem).write_bytes(data)
        self.entries.append(
            {
                "z": record["z"],
                "stem": stem,
                "unuid": unuid,
                "sha256": sha256_of_bytes(data),
                "tiles": tiles,
                "sticksOut": sticks_out,
            }
        )

    def finish(self, head: dict[str, Any], draft: Draft) -> Frozen:
        """Return the frozen configuration, written: `head` (see `frozen_head`) and the sections.

        `draft` makes the projects, which carry the hash of the frozen configuration.
        """
        frozen = head | {"format": FORMAT, "sections": self.entries}
        frozen["sha256"] = fingerprint(frozen)
        for entry in self.entries:
            record = read_json(self._record_file(entry["stem"]))
            entry["draftSha256"] = sha256_of_bytes(draft(frozen, entry, record))
        (self.folder / FROZEN_FILE).write_text(canonical_json(frozen), encoding="utf-8")
        return frozen

    def _record_file(self, stem: str) -> Path:
        return self.folder / SECTIONS_FOLDER / f"{stem}.json"


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


def frozen_head(
    name: str,
    parameters: Parameters,
    *,
    bounds: dict[str, int],
    layer: dict[str, int],
    layers: list[dict[str, Any]],
    intensity: dict[str, list[float] | None],
    stacks: dict[str, dict[str, Any]],
    left_out: list[dict[str, Any]],
    info: dict[str, Any],
    project_form: int,
) -> dict[str, Any]:
    """Return all of a frozen configuration but its sections and its hash."""
    return {
        "info": info,
        "name": name,
        "owner": parameters.owner,
        "project": parameters.project,
        "inputStack": parameters.input_stack,
        "LMstacks": list(parameters.lm_stacks),
        "request": parameters.request,
        "bounds": bounds,
        "layer": layer,
        "layers": layers,
        "intensity": intensity,
        "stacks": stacks,
        "leftOut": left_out,
        "projectForm": project_form,
    }


def fingerprint(frozen: Frozen) -> str:
    """Return the SHA-256 of a frozen configuration, over everything but itself and `info`.

    The hashes of the projects as created do not count either: those carry this one.
    """
    hashed = {key: value for key, value in frozen.items() if key not in NOT_HASHED}
    hashed["sections"] = [
        {key: value for key, value in entry.items() if key != "draftSha256"}
        for entry in frozen.get("sections", [])
    ]
    return sha256(hashed)


def read_frozen(folder: Path) -> Frozen | None:
    """Return the frozen configuration of a registration's folder, verified; None: there is none.

    Raises UserError if it is of another format or was changed.
    """
    path = folder / FROZEN_FOLDER / FROZEN_FILE
    if not path.parent.exists():
        return None
    frozen = read_json(path)
    if not isinstance(frozen, dict) or frozen.get("format") != FORMAT:
        raise UserError(f"{path}: not a frozen configuration of the format {FORMAT}.")
    if frozen.get("sha256") != fingerprint(frozen):
        raise UserError(
            f"{path}: the file was changed after freezing; restore it from a backup, or freeze"
            " again under another name."
        )
    if not _names_sections(frozen):
        raise UserError(f"{path}: its sections are not named by their z; restore it from a backup.")
    return frozen


def _names_sections(frozen: Frozen) -> bool:
    """Return whether each section has the stem of its z: stems become names of files."""
    sections = frozen.get("sections")
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


def read_section(folder: Path, entry: dict[str, Any]) -> dict[str, Any]:
    """Return the record of the section that `entry` (of `sections`) describes, verified."""
    path = folder / FROZEN_FOLDER / SECTIONS_FOLDER / f"{entry['stem']}.json"
    if not path.is_file():
        raise UserError(f"{path}: the frozen section is gone; restore it from a backup.")
    if sha256_of_bytes(path.read_bytes()) != entry["sha256"]:
        raise UserError(
            f"{path}: the file was changed after freezing; restore it from a backup, or freeze"
            " again under another name."
        )
    record: dict[str, Any] = read_json(path)
    return record


def request_differences(frozen: Frozen, parameters: Parameters) -> list[str]:
    """Return a phrase for each frozen key that the parameters now want otherwise."""
    then = effective_request(frozen["request"])
    now = effective_request(parameters.request)
    return [
        f"{key} (frozen: {_shown(then.get(key))}, now: {_shown(now.get(key))})"
        for key in sorted(then.keys() | now.keys())
        if then.get(key) != now.get(key)
    ]


def pixel_size(frozen: Frozen) -> tuple[float, float]:
    """Return nm a px of the EM stack in x and y, NaN where the stack does not say."""
    version = frozen["stacks"][frozen["inputStack"]]["currentVersion"]
    x, y = (version.get(key) or math.nan for key in RESOLUTION_KEYS)
    return float(x), float(y)


def check_start(folder: Path, frozen: Frozen, start_from: str | None) -> None:
    """Raise UserError if the projects were created with other starts than are asked for."""
    then = (frozen.get("startFrom") or {}).get("name")
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


def create_once(path: Path, data: bytes) -> bool:
    """Return whether `path` was created with `data`; a file that is there is left alone.

    No half-written file ever has the name `path`.
    """
    if os.path.lexists(path):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(TEMPORARY_PREFIX + path.name)
    try:
        temporary.write_bytes(data)
        _link(temporary, path)
    except FileExistsError:
        return False
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return True


def project_files(folder: Path, stem: str) -> list[Path]:
    """Return the project files of a section that exist: as XML, compressed, or both."""
    return [path for suffix in PROJECT_SUFFIXES if (path := folder / (stem + suffix)).is_file()]


def project_status(folder: Path, entry: dict[str, Any]) -> str:
    """Return 'untouched' (bytes as created), 'saved' or 'missing' for a section's project."""
    files = project_files(folder, entry["stem"])
    if not files:
        return MISSING
    same = [_sha256_of_file(path) == entry["draftSha256"] for path in files]
    return UNTOUCHED if all(same) else SAVED


def _sha256_of_file(path: Path) -> str:
    # Piece by piece: a file that a person put there may be larger than the memory.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _link(temporary: Path, path: Path) -> None:
    """Give a whole file the name `path`; raise FileExistsError if that is taken."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # Some network and memory-stick file systems have no hard links. They cannot rename
        # without replacing either: claim the name first, so that no other file is lost.
        path.open("x").close()
        os.replace(temporary, path)


def _refuse_second(final: Path) -> None:
    if final.exists():
        raise UserError(f"{final}: already frozen; choose another 'name' for a second one.")


def _shown(value: Any) -> str:
    return "not given" if value is None else canonical_json(value)
