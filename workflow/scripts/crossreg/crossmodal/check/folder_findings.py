"""What is remarkable beside the projects: files that lie there, stacks that have changed."""

from collections.abc import Iterable, Mapping
from typing import Any

from crossreg.crossmodal.check.finding import ERROR, NOTE, Finding, shown_name
from crossreg.crossmodal.trakem2.project_files import PROJECT_SUFFIXES
from crossreg.io.plurals import counted


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
