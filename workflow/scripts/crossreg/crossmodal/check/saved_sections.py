"""The sections of a registration as the person left them, read one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossreg.crossmodal.check.check_project import (
    CheckedSection,
    FrozenSection,
    Policy,
    check_project,
)
from crossreg.crossmodal.check.findings import ERROR, Finding, folder_findings
from crossreg.crossmodal.freeze.frozen import (
    MISSING,
    SAVED,
    UNTOUCHED,
    Frozen,
    project_files,
    project_status,
    read_section,
)
from crossreg.crossmodal.trakem2.saved_project import MAX_BYTES


@dataclass(frozen=True)
class SavedSection:
    """A frozen section, and what became of its project."""

    z: float
    stem: str
    status: str
    """'untouched', 'saved' or 'missing'."""
    record: dict[str, Any]
    """Content of the section's frozen file."""
    checked: CheckedSection
    """Findings and tiles of a saved project; both are empty for the others."""


def saved_sections(folder: Path, frozen: Frozen, policy: Policy) -> Iterator[SavedSection]:
    """Yield all sections frozen in `folder`, in the order of z, checked.

    Nothing in the folder is changed. Raises UserError only if a frozen section was damaged.
    """
    for entry in frozen["sections"]:
        yield _saved_section(folder, frozen, entry, policy)


def saved_phrase(statuses: Sequence[str]) -> str:
    """Return how many sections are saved, as '61 of 100 sections saved'; the others follow."""
    others = [
        f"{count} {status}" for status in (UNTOUCHED, MISSING) if (count := statuses.count(status))
    ]
    rest = f" ({', '.join(others)})" if others else ""
    return f"{statuses.count(SAVED)} of {len(statuses)} sections saved{rest}"


def _saved_section(
    folder: Path, frozen: Frozen, entry: dict[str, Any], policy: Policy
) -> SavedSection:
    stem = entry["stem"]
    record = read_section(folder, entry)
    try:
        status = project_status(folder, entry)
        checked = _checked(project_files(folder, stem), status, frozen, stem, record, policy)
    except OSError as error:
        # A file that is there and cannot be read is what the person left: not untouched.
        status, checked = SAVED, _unreadable(stem, error)
    return SavedSection(entry["z"], stem, status, record, checked)


def _checked(
    files: Sequence[Path],
    status: str,
    frozen: Frozen,
    stem: str,
    record: dict[str, Any],
    policy: Policy,
) -> CheckedSection:
    doubled = folder_findings([path.name for path in files], [stem])
    if doubled or status != SAVED:
        return CheckedSection(stem, tuple(doubled))
    with files[0].open("rb") as file:
        # One byte more than what is accepted, so that a larger file is refused as such.
        data = file.read(MAX_BYTES + 1)
    section = FrozenSection.from_records(stem, frozen["sha256"], frozen, record)
    return check_project(data, files[0].name, section, policy)


def _unreadable(stem: str, error: OSError) -> CheckedSection:
    found = f"{Path(error.filename or stem).name}: {error.strerror or error}"
    advice = "make the file readable"
    finding = Finding(ERROR, "unreadable", stem, "a TrakEM2 project", found, advice)
    return CheckedSection(stem, (finding,))
