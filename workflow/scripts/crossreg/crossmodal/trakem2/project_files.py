"""The project files in the folder of a registration: created once, then a person's alone."""

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from crossreg.io.files import TEMPORARY_PREFIX

PROJECT_SUFFIXES = (".xml", ".xml.gz")

UNTOUCHED = "untouched"
"""Its bytes are those of the project as created."""
SAVED = "saved"
MISSING = "missing"


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


def no_files(folder: Path, stem: str) -> list[Path]:
    """Return what has the name of a section's project and is none: folders, links to nowhere."""
    paths = [folder / (stem + suffix) for suffix in PROJECT_SUFFIXES]
    return [path for path in paths if os.path.lexists(path) and not path.is_file()]


def project_state(folder: Path, stem: str, draft_sha256: str) -> str:
    """Return 'untouched', 'saved' or 'missing' for the project of a section."""
    return state_of(map(sha256_of_file, project_files(folder, stem)), draft_sha256)


def state_of(digests: Iterable[str], draft_sha256: str) -> str:
    """Return the state of a section from the hashes of its project files."""
    same = [digest == draft_sha256 for digest in digests]
    if not same:
        return MISSING
    return UNTOUCHED if all(same) else SAVED


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
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
