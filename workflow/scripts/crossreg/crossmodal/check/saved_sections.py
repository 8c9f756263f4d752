"""The sections of a registration as the person left them, read one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crossreg.crossmodal.check.check_project import check_project
from crossreg.crossmodal.check.findings import ERROR, Finding, folder_findings
from crossreg.crossmodal.check.landmarks import checked_by_landmarks
from crossreg.crossmodal.check.saved_copies import (
    SavedCopy,
    copy_finding,
    saved_copies,
    used_copy_finding,
)
from crossreg.crossmodal.check.sections import CheckedSection, FrozenSection, Policy
from crossreg.crossmodal.freeze.frozen import (
    MISSING,
    SAVED,
    UNTOUCHED,
    Frozen,
    pixel_size,
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
    start: str
    """'saved' or 'interpolated' where its EM started from another registration, else ''."""
    record: dict[str, Any]
    """Content of the section's frozen file."""
    checked: CheckedSection
    """Findings and tiles of a saved project; both are empty for the others."""


def saved_sections(folder: Path, frozen: Frozen, policy: Policy) -> Iterator[SavedSection]:
    """Yield all sections frozen in `folder`, in the order of z, checked.

    Nothing in the folder is changed. Raises UserError only if a frozen section was damaged.
    """
    copies = copies_of(folder, frozen)
    for entry in frozen["sections"]:
        yield _saved_section(folder, frozen, entry, policy, copies.get(entry["stem"], []))


def copies_of(folder: Path, frozen: Frozen) -> dict[str, list[SavedCopy]]:
    """Return section -> what a person saved of it under another name, the newest first."""
    drafts = {entry["stem"]: entry["draftSha256"] for entry in frozen["sections"]}
    return saved_copies(folder, frozen["sha256"], drafts) if folder.is_dir() else {}


def saved_phrase(statuses: Sequence[str]) -> str:
    """Return how many sections are saved, as '61 of 100 sections saved'; the others follow."""
    others = [
        f"{count} {status}" for status in (UNTOUCHED, MISSING) if (count := statuses.count(status))
    ]
    rest = f" ({', '.join(others)})" if others else ""
    return f"{statuses.count(SAVED)} of {len(statuses)} sections saved{rest}"


def _saved_section(
    folder: Path, frozen: Frozen, entry: dict[str, Any], policy: Policy, copies: Sequence[SavedCopy]
) -> SavedSection:
    stem = entry["stem"]
    record = read_section(folder, entry)
    section = FrozenSection.from_records(stem, frozen["sha256"], frozen, record)
    try:
        status, checked = _checked(folder, entry, section, policy, copies, frozen)
    except OSError as error:
        # A file that is there and cannot be read is what the person left: not untouched.
        status, checked = SAVED, _unreadable(stem, error)
    return SavedSection(entry["z"], stem, status, section.start, record, checked)


def _checked(
    folder: Path,
    entry: dict[str, Any],
    section: FrozenSection,
    policy: Policy,
    copies: Sequence[SavedCopy],
    frozen: Frozen,
) -> tuple[str, CheckedSection]:
    """Return the status of a section, and what was found in the file that counts."""
    stem = section.section
    table = folder / f"{stem}.csv"
    if table.is_file():
        return _checked_by_table(folder, table, entry, section, policy, frozen)
    status, files = project_status(folder, entry), project_files(folder, stem)
    doubled = folder_findings([path.name for path in files], [stem])
    if doubled:
        return status, CheckedSection(stem, tuple(doubled))
    further: tuple[Finding, ...] = ()
    if copies and policy.saved_copies == "newest":
        own_ns = files[0].stat().st_mtime_ns if status == SAVED else -1
        if copies[0].saved_ns > own_ns:
            status, files = SAVED, [copies[0].path]
            further = (used_copy_finding(stem, copies[0]),)
    elif copies:
        further = (copy_finding(stem, status == SAVED, copies),)
    if status != SAVED:
        return status, CheckedSection(stem, further)
    checked = check_project(_content(files[0]), files[0].name, section, policy)
    return status, replace(checked, findings=(*further, *checked.findings))


def _checked_by_table(
    folder: Path,
    table: Path,
    entry: dict[str, Any],
    section: FrozenSection,
    policy: Policy,
    frozen: Frozen,
) -> tuple[str, CheckedSection]:
    """Return the section as its landmarks say; an error if its project was saved as well."""
    if project_status(folder, entry) == SAVED:
        texts = ("a saved project or a table of landmarks", f"both, the table is {table.name}")
        advice = "move the one that you do not want out of the folder"
        finding = Finding(ERROR, "two_editors", section.section, *texts, advice)
        return SAVED, CheckedSection(section.section, (finding,))
    origin = frozen["bounds"]["minX"], frozen["bounds"]["minY"]
    size = pixel_size(frozen)
    return SAVED, checked_by_landmarks(table, section, policy, origin, size)


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        # One byte more than what is accepted, so that a larger file is refused as such.
        return file.read(MAX_BYTES + 1)


def _unreadable(stem: str, error: OSError) -> CheckedSection:
    found = f"{Path(error.filename or stem).name}: {error.strerror or error}"
    advice = "make the file readable"
    finding = Finding(ERROR, "unreadable", stem, "a TrakEM2 project", found, advice)
    return CheckedSection(stem, (finding,))
