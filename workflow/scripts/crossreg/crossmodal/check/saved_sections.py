"""The sections of a registration as the person left them, read one after the other."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from crossreg.crossmodal.check.check_project import OTHER_CONFIGURATION, SHOWN_DIGITS, check_project
from crossreg.crossmodal.check.checked_section import Policy, Section
from crossreg.crossmodal.check.finding import ERROR, Finding, shown_name
from crossreg.crossmodal.check.folder_findings import folder_findings
from crossreg.crossmodal.check.landmarks.sections_by_landmarks import checked_by_landmarks
from crossreg.crossmodal.check.saved_copies import (
    SavedCopy,
    copy_finding,
    saved_copies,
    used_copy_finding,
)
from crossreg.crossmodal.check.section_files import SectionFiles, content, files_of_section
from crossreg.crossmodal.check.section_record import kept_record, section_of_record
from crossreg.crossmodal.freeze.frozen import read_section
from crossreg.crossmodal.freeze.records import Frozen, FrozenSection, SectionEntry
from crossreg.crossmodal.trakem2.project_files import MISSING, SAVED, UNTOUCHED, no_files
from crossreg.io.errors import UserError
from crossreg.io.files import read_json
from crossreg.io.plurals import counted
from crossreg.io.registration_folders import FROZEN


@dataclass(frozen=True)
class Registration:
    """A registration by hand: its folder, what was frozen there, and what counts as an error.

    Nothing in the folder is changed.
    """

    folder: Path
    frozen: Frozen
    policy: Policy
    reports: Path | None = None
    """Where trakem2_check keeps its records; those of unchanged files are taken as they are."""

    def sections(self) -> Iterator[tuple[FrozenSection, Section]]:
        """Yield each frozen section and what became of it, in the order of z.

        Raises UserError only if a frozen section was damaged.
        """
        for _, frozen, section in self.keyed_sections():
            yield frozen, section

    def keyed_sections(self) -> Iterator[tuple[str, FrozenSection, Section]]:
        """Yield the same, each after the key of its files; '' where they cannot be read."""
        copies = self.copies()
        for entry in self.frozen.sections:
            frozen = read_section(self.folder, self.frozen, entry)
            key, section = self._keyed(entry, copies, frozen)
            yield key, frozen, section

    def summaries(self) -> Iterator[Section]:
        """Yield the sections without their tiles, those with a record without reading more."""
        copies = self.copies()
        for entry in self.frozen.sections:
            yield self._keyed(entry, copies)[1].summary()

    def copies(self) -> dict[str, list[SavedCopy]]:
        """Return section -> what a person saved of it under another name, the newest first."""
        drafts = {entry.stem: entry.draft_sha256 for entry in self.frozen.sections}
        return saved_copies(self.folder, self.frozen.sha256, drafts) if self.folder.is_dir() else {}

    def _keyed(
        self,
        entry: SectionEntry,
        copies: Mapping[str, Sequence[SavedCopy]],
        frozen: FrozenSection | None = None,
    ) -> tuple[str, Section]:
        """Return a section after the key of its files.

        Where what was frozen of it is not given and a record holds, it comes without its tiles.
        """
        try:
            found = copies.get(entry.stem, [])
            files = files_of_section(self.folder, self.frozen, entry, self.policy, found)
            record = kept_record(self.reports, entry.stem, files.key)
            if record is not None:
                return files.key, section_of_record(record, frozen)
            frozen = frozen or read_section(self.folder, self.frozen, entry)
            section = replace(self._found(files, frozen), start=frozen.start)
            return files.key, section.measured(self.frozen.pixel_size)
        except OSError as error:
            frozen = frozen or read_section(self.folder, self.frozen, entry)
            return "", _unreadable(entry.stem, frozen.start, error)

    def _found(self, files: SectionFiles, frozen: FrozenSection) -> Section:
        """Return what was found in the file of a section that counts; OSError if it cannot be."""
        stem = frozen.section
        if files.table is not None:
            return self._found_in_table(files.table, files.state, frozen)
        if files.state == MISSING and (others := no_files(self.folder, stem)):
            return Section(stem, (_no_file(stem, others[0]),), state=MISSING)
        doubled = folder_findings([path.name for path, _ in files.projects], [stem])
        if doubled:
            return Section(stem, tuple(doubled), state=files.state)
        state = files.state
        path, data = files.projects[0] if files.projects else (Path(), b"")
        further: tuple[Finding, ...] = ()
        if files.copies and self.policy.saved_copies == "newest":
            newest = files.copies[0]
            if newest.saved_ns > (files.saved_ns if state == SAVED else -1):
                state, path, data = SAVED, newest.path, content(newest.path)
                further = (used_copy_finding(stem, newest),)
        elif files.copies:
            further = (copy_finding(stem, state == SAVED, files.copies),)
        if state != SAVED:
            return Section(stem, further, state=state)
        checked = check_project(data, shown_name(path.name), frozen, self.policy)
        findings = [self._named(one) for one in checked.findings]
        return replace(checked, findings=(*further, *findings))

    def _named(self, finding: Finding) -> Finding:
        """Return a finding that names the registration a project is of, if that lies beside it."""
        if finding.kind != OTHER_CONFIGURATION:
            return finding
        for name, fingerprint in _beside(self.folder):
            if finding.found.endswith(fingerprint[:SHOWN_DIGITS]):
                return replace(
                    finding,
                    expected=f"a project of '{self.frozen.name}'",
                    found=f"one of '{name}'",
                )
        return finding

    def _found_in_table(self, table: Path, state: str, frozen: FrozenSection) -> Section:
        """Return the section as its landmarks say; an error if its project was saved as well."""
        if state == SAVED:
            texts = ("a saved project or a table of landmarks", f"both, the table is {table.name}")
            advice = "move the one that you do not want out of the folder"
            finding = Finding(ERROR, "two_editors", frozen.section, *texts, advice)
            return Section(frozen.section, (finding,))
        origin, pixel_size = self.frozen.origin, self.frozen.pixel_size
        return checked_by_landmarks(table, frozen, self.policy, origin, pixel_size)


def saved_phrase(states: Sequence[str]) -> str:
    """Return how many sections are saved, as '61 of 100 sections saved'; the others follow."""
    others = [
        f"{count} {state}" for state in (UNTOUCHED, MISSING) if (count := states.count(state))
    ]
    rest = f" ({', '.join(others)})" if others else ""
    return f"{states.count(SAVED)} of {counted(len(states), 'section')} saved{rest}"


def _beside(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield name and fingerprint of the registrations beside one."""
    for path in sorted(folder.resolve().parent.glob(f"*/{FROZEN}")):
        with suppress(UserError):
            record = read_json(path)
            if isinstance(record, dict) and isinstance(record.get("sha256"), str):
                yield path.parent.parent.name, record["sha256"]


def _no_file(stem: str, path: Path) -> Finding:
    found = f"{path.name}, which is {'a folder' if path.is_dir() else 'no file, or leads to none'}"
    advice = "move it out of the folder, and create the project again by trakem2_projects"
    return Finding(ERROR, "no_file", stem, "a TrakEM2 project", found, advice)


def _unreadable(stem: str, start: str, error: OSError) -> Section:
    # A file that is there and cannot be read is what the person left: not untouched.
    found = f"{Path(error.filename or stem).name}: {error.strerror or error}"
    advice = "make the file readable"
    finding = Finding(ERROR, "unreadable", stem, "a TrakEM2 project", found, advice)
    return Section(stem, (finding,), start=start)
