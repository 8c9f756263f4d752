"""Projects saved under another name: "Save as" in TrakEM2 proposes names such as 00042-1.xml."""

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from crossreg.crossmodal.check.finding import ERROR, WARNING, Finding, shown_name
from crossreg.crossmodal.trakem2.project_files import PROJECT_SUFFIXES, sha256_of_file
from crossreg.crossmodal.trakem2.project_reading import GZIP_MAGIC
from crossreg.crossmodal.trakem2.project_xml import FROZEN_ATTRIBUTE, SECTION_ATTRIBUTE

HEAD_BYTES = 65_536
"""TrakEM2 writes <project> after a document type of some 15 kB."""

MARK = r'\b%s\s*=\s*"([^"]*)"'


@dataclass(frozen=True)
class SavedCopy:
    """A project file that carries a section's mark, but not its name."""

    path: Path
    saved_ns: int
    """Time of the save."""
    sha256: str

    @property
    def name(self) -> str:
        """Name of the file as text."""
        return shown_name(self.path.name)


def saved_copies(
    folder: Path, fingerprint: str, drafts: Mapping[str, str]
) -> dict[str, list[SavedCopy]]:
    """Return section -> its projects under other names, the newest first.

    `fingerprint` is of the frozen configuration; `drafts` is the SHA-256 of each section's
    project as created: mere copies of those do not count, nor does what cannot be read.
    """
    own = {stem + suffix for stem in drafts for suffix in PROJECT_SUFFIXES}
    found: dict[str, list[SavedCopy]] = {}
    for path in sorted(folder.iterdir()):
        is_project = path.name.endswith(PROJECT_SUFFIXES) and not path.name.startswith(".")
        if path.name in own or not is_project:
            continue
        try:
            if not path.is_file():
                continue
            section = _section_of(path, fingerprint)
            if section is None or section not in drafts:
                continue
            digest = sha256_of_file(path)
            if digest != drafts[section]:
                copy = SavedCopy(path, path.stat().st_mtime_ns, digest)
                found.setdefault(section, []).append(copy)
        except OSError:
            continue
    return {stem: sorted(copies, key=lambda c: -c.saved_ns) for stem, copies in found.items()}


def copy_finding(section: str, own_is_saved: bool, copies: Iterable[SavedCopy]) -> Finding:
    """Return what is to be said about copies that are not used."""
    names = ", ".join(copy.name for copy in copies)
    expected = f"the project saved as {section}.xml"
    if own_is_saved:
        advice = "no action needed if the file with the section's name is the right one"
        found = f"beside it {names}"
        return Finding(WARNING, "saved_copy", section, expected, found, advice)
    found = f"it saved under another name: {names}"
    advice = f"give the right one the name {section}.xml, or set saved_copies: newest"
    return Finding(ERROR, "saved_elsewhere", section, expected, found, advice)


def used_copy_finding(section: str, copy: SavedCopy) -> Finding:
    """Return the warning that a copy was taken, being newer than the project itself."""
    texts = (f"the project saved as {section}.xml", f"a newer one, {copy.name}")
    advice = "no action needed: saved_copies says to take the newest"
    return Finding(WARNING, "saved_copy", section, *texts, advice)


def _section_of(path: Path, fingerprint: str) -> str | None:
    """Return the section whose mark a file carries, None if it is not of this configuration."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(GZIP_MAGIC):
        try:
            head = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(head, HEAD_BYTES)
        except zlib.error:
            return None
    text = head.decode("latin-1")
    marks = [re.search(MARK % name, text) for name in (FROZEN_ATTRIBUTE, SECTION_ATTRIBUTE)]
    frozen, section = (mark.group(1) if mark else None for mark in marks)
    return section if frozen == fingerprint else None
