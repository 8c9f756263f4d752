"""What was found about saved projects: a page per section, and the table over all sections."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from crossreg.crossmodal.check.checked_section import Section
from crossreg.crossmodal.check.finding import ERROR, NOTE, WARNING, Finding
from crossreg.crossmodal.check.motion.motion_summary import SectionMotion
from crossreg.crossmodal.check.saved_sections import saved_phrase
from crossreg.crossmodal.trakem2.project_files import SAVED, UNTOUCHED
from crossreg.io.errors import one_line
from crossreg.io.plurals import counted

LEVELS = (ERROR, WARNING, NOTE)

MOST_TOLD = 20
"""Findings that the terminal shows."""

MOTION_COLUMNS = tuple(f.name for f in fields(SectionMotion) if f.name != "section")
COLUMNS = (
    "section",
    "z",
    "status",
    "start",
    "errors",
    "warnings",
    "notes",
    *MOTION_COLUMNS,
    "score",
)
"""Columns of the table over sections; shifts in px, rotation in degrees."""

Row = dict[str, Any]
"""A row of the table; columns of a section that did not move, or has errors, are absent."""


def report_text(section: Section) -> str:
    """Return a page for people: the findings, worst first, then the landmarks and the tiles."""
    start = f", start: {section.start_in_words}" if section.start else ""
    levels = Counter(finding.level for finding in section.all_findings)
    found = ", ".join(counted(levels[level], level) for level in LEVELS)
    lines = [f"Section {section.section} (z = {section.z}): {section.state}{start}, {found}.", ""]
    for level in LEVELS:
        for finding in section.all_findings:
            if finding.level == level:
                lines.append(f"{level.upper()}: {one_line(finding.sentence())}")
    if section.landmarks:
        columns = ("name", "residual_px", "left_out_px")
        lines += ["", *_aligned(columns, section.landmarks.to_records())]
    if section.tile_motions:
        tiles = [vars(tile) for tile in section.tile_motions]
        lines += ["", *_aligned(list(tiles[0]), tiles)]
    return "\n".join([*lines, ""])


def table_row(section: Section) -> Row:
    """Return a section's row of the table."""
    levels = Counter(finding.level for finding in section.all_findings)
    row: Row = {"section": section.section, "z": section.z, "status": section.state}
    row |= {"start": section.start or None}
    row |= {f"{level}s": levels[level] for level in LEVELS}
    row |= asdict(section.motion) if section.motion else {}
    return row if section.score is None else row | {"score": section.score}


def table_tsv(rows: Sequence[Row]) -> str:
    """Return the table as TSV; cells that are not known are empty."""
    lines = ["\t".join(COLUMNS)]
    for row in rows:
        lines.append("\t".join(_exact(row.get(column)) for column in COLUMNS))
    return "\n".join([*lines, ""])


def table_text(sections: Sequence[Section], folder: Sequence[Finding]) -> str:
    """Return the table for people: rows that need a look are marked, the verdict stands last.

    `folder` are the findings that belong to no section.
    """
    marked = [table_row(section) | {"look": _mark(section)} for section in sections]
    lines = list(_aligned([*COLUMNS, "look"], marked))
    lines += ["", *(f"{one.level.upper()}: {one_line(one.sentence())}" for one in folder)]
    return "\n".join([*lines, verdict_line(sections), ""])


def told_findings(sections: Sequence[Section], reports: Path) -> list[str]:
    """Return the errors, then the warnings of all sections as sentences, as far as they are few.

    The rest is counted, with the file or folder of `reports` to see.
    """
    told = [
        (section.section, f"{level.upper()}: {one_line(one.sentence())}")
        for level in (ERROR, WARNING)
        for section in sections
        for one in section.all_findings
        if one.level == level
    ]
    lines = [sentence for _, sentence in told[:MOST_TOLD]]
    if rest := {section for section, _ in told[MOST_TOLD:]}:
        see = reports / f"{rest.pop()}.txt" if len(rest) == 1 else reports
        lines.append(f"and {len(told) - MOST_TOLD} more: see {see}")
    return lines


def verdict_line(sections: Sequence[Section]) -> str:
    """Return the sentence that sums a table up."""
    faulty = sum(section.faulty for section in sections)
    warned = sum(section.has_warnings for section in sections)
    apart = sum(section.apart for section in sections)
    waiting = sum(_mark(section) == START_WAITS for section in sections)
    asking = sum(section.to_confirm for section in sections)
    starts = f", {counted(waiting, 'start')} not confirmed" if waiting else ""
    unmoved = f", {asking} saved without a move and to be confirmed" if asking else ""
    return (
        f"{saved_phrase([section.state for section in sections])}; {faulty} with errors,"
        f" {warned} with warnings, {apart} unlike the others{starts}{unmoved}."
    )


START_WAITS = "start not confirmed"


def _mark(section: Section) -> str:
    if section.faulty:
        return "errors"
    if section.apart:
        return "unlike the others"
    if section.state == UNTOUCHED and section.start:
        return START_WAITS
    if section.to_confirm:
        return "confirm"
    if section.has_warnings:
        return "warnings"
    return "" if section.state == SAVED else section.state


def _aligned(columns: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """Yield lines of a table whose columns are as wide as their widest cell."""
    cells = [list(columns)] + [[_short(row.get(column)) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _short(value: Any) -> str:
    """Return a cell for people: four digits of a number, those of large ones before the point."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if not isinstance(value, float):
        return one_line(str(value))
    return f"{value:.1f}" if abs(value) >= 1000 else f"{round(value, 6):.4g}"


def _exact(value: Any) -> str:
    """Return a cell for programs, with the full precision of numbers."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(value) if isinstance(value, float) else str(value)
