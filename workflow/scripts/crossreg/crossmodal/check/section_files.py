"""The files that decide on a section: its projects, a table of landmarks, and saved copies."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from crossreg import __version__
from crossreg.crossmodal.check.checked_section import Policy
from crossreg.crossmodal.check.saved_copies import SavedCopy
from crossreg.crossmodal.freeze.canonical import sha256, sha256_of_bytes
from crossreg.crossmodal.freeze.records import Frozen, SectionEntry
from crossreg.crossmodal.trakem2.project_files import no_files, project_files, state_of
from crossreg.crossmodal.trakem2.project_reading import MAX_BYTES


@dataclass(frozen=True)
class SectionFiles:
    """What a person left of one section, read once."""

    projects: tuple[tuple[Path, bytes], ...]
    """Its project files and what is in them: as XML, compressed, or both."""
    table: Path | None
    """Its landmarks, if there are any."""
    copies: tuple[SavedCopy, ...]
    """Projects of it under other names, the newest first."""
    state: str
    """Of its projects: 'untouched', 'saved' or 'missing'."""
    saved_ns: int
    """Time of the last save of its first project; -1 where there is none."""
    key: str
    """Hash of all that a check looks at: equal keys give equal findings and tiles."""


def files_of_section(
    folder: Path,
    frozen: Frozen,
    entry: SectionEntry,
    policy: Policy,
    copies: Sequence[SavedCopy],
) -> SectionFiles:
    """Return the files of a section; OSError if one of them cannot be read."""
    projects = tuple((path, content(path)) for path in project_files(folder, entry.stem))
    digests = [sha256_of_bytes(data) for _, data in projects]
    table = folder / f"{entry.stem}.csv"
    table_sha256 = sha256_of_bytes(content(table)) if table.is_file() else None
    saved_ns = projects[0][0].stat().st_mtime_ns if projects else -1
    looked_at = (
        __version__,
        frozen.sha256,
        entry.sha256,
        asdict(policy) | {"confirmed_sections": entry.z in policy.confirmed_sections},
        [(path.name, digest) for (path, _), digest in zip(projects, digests, strict=True)],
        table_sha256,
        [path.name for path in no_files(folder, entry.stem)],
        [(copy.name, copy.sha256, copy.saved_ns > saved_ns) for copy in copies],
    )
    return SectionFiles(
        projects=projects,
        table=table if table_sha256 else None,
        copies=tuple(copies),
        state=state_of(digests, entry.draft_sha256),
        saved_ns=saved_ns,
        key=sha256(looked_at),
    )


def content(path: Path) -> bytes:
    """Return what is in a file, and one byte more than what is accepted of a larger one."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
