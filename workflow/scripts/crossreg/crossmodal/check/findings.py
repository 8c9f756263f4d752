"""Findings: what is wrong or remarkable about a section's project, for people and for programs."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from crossreg.crossmodal.trakem2.project_files import PROJECT_SUFFIXES
from crossreg.io.words import counted

ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True)
class Finding:
    """One remark; an `error` keeps the section from being imported."""

    level: str
    kind: str
    section: str
    """Stem of the section; empty for the folder of projects."""
    expected: str
    found: str
    advice: str
    stack: str | None = None
    tile: str | None = None
    title: str | None = None

    def to_record(self) -> dict[str, Any]:
        """Return the finding as JSON has it in a report."""
        return asdict(self)

    def sentence(self) -> str:
        """Return the finding as one sentence for a person."""
        tile = f", tile {self.tile}" if self.tile is not None else ""
        titled = f' ("{self.title}")' if self.title not in (None, self.tile) else ""
        stack = f" of stack {self.stack}" if self.stack is not None else ""
        place = f"section {self.section}" if self.section else "the folder of projects"
        return (
            f"{place}{tile}{titled}{stack}: expected {self.expected},"
            f" found {self.found}; {self.advice}."
        )


def shown_name(name: str) -> str:
    """Return the name of a file as text, whatever bytes it consists of."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def has_errors(findings: Iterable[Finding]) -> bool:
    """Return whether any finding is an error."""
    return any(finding.level == ERROR for finding in findings)


def folder_findings(
    names: Iterable[str], stems: Iterable[str], copies: Iterable[str] = ()
) -> list[Finding]:
    """Return what is remarkable about the names of the files beside the projects.

    `stems` are the sections. A section in two files is an error; a file that is no project is a
    note. Expected are TrakEM2's own folders (`trakem2.*`), ours, landmark tables, the script for
    Fiji, and `copies`: projects saved under another name, which are findings of their sections.
    """
    names, stems = sorted(names), sorted(stems)
    found = []
    for stem in stems:
        both = [stem + suffix for suffix in PROJECT_SUFFIXES if stem + suffix in names]
        if len(both) > 1:
            found.append(
                Finding(
                    ERROR,
                    "two_files",
                    stem,
                    f"one of {' and '.join(both)}",
                    "both",
                    "move the one that you do not want out of the folder",
                )
            )
    expected = {stem + suffix for stem in stems for suffix in (*PROJECT_SUFFIXES, ".csv")}
    expected |= {"frozen", *copies}
    for name in names:
        if name not in expected and not name.startswith((".", "trakem2.", "crossreg_")):
            advice = "no action needed: it is ignored"
            found.append(Finding(NOTE, "stray_file", "", "only projects", shown_name(name), advice))
    return found


def stack_changes(
    section: str, stack: str, frozen: Mapping[str, Any], live: Mapping[str, Any]
) -> list[Finding]:
    """Return a note if the resolved tiles of a section are not those that were frozen.

    Both have tileIdToSpecMap and transformIdToSpecMap; only tiles in `frozen` are compared.
    """
    old, new = frozen["tileIdToSpecMap"], live["tileIdToSpecMap"]
    changed = sorted(tile for tile in old if tile in new and old[tile] != new[tile])
    gone = sorted(tile for tile in old if tile not in new)
    shared_old = frozen.get("transformIdToSpecMap") or {}
    shared_new = live.get("transformIdToSpecMap") or {}
    shared = sorted(name for name in shared_old if shared_old[name] != shared_new.get(name))
    lists = {"changed tile": changed, "missing tile": gone, "changed transform": shared}
    found = [f"{counted(len(ids), what)} ({ids[0]} ...)" for what, ids in lists.items() if ids]
    if not found:
        return []
    advice = "no action needed if the frozen tiles are meant; for the new ones take a new name"
    expected = "the stack as it was frozen"
    return [
        Finding(NOTE, "stack_changed", section, expected, ", ".join(found), advice, stack=stack)
    ]
