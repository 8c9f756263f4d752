"""What was found about saved projects: a report a section, and the table over all sections."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from crossreg.crossmodal.check.findings import ERROR, NOTE, WARNING, Finding
from crossreg.crossmodal.check.motion_summary import (
    WRONG_SECTION,
    SectionMotion,
    TileMotion,
    outlier_scores,
    section_motion,
    tile_motion,
)
from crossreg.crossmodal.check.saved_sections import SavedSection, saved_phrase
from crossreg.crossmodal.freeze.frozen import SAVED, UNTOUCHED
from crossreg.io.errors import one_line
from crossreg.io.words import counted

LEVELS = (ERROR, WARNING, NOTE)

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

EXACT = 1e-6
"""Of scales, shears and degrees: what rounding leaves, and no hand can set."""

Row = dict[str, Any]
"""A row of the table; columns of a section that did not move, or has errors, are absent."""


@dataclass(frozen=True)
class SectionReport:
    """All that is to be said about one section."""

    section: SavedSection
    findings: tuple[Finding, ...]
    tiles: tuple[TileMotion, ...]
    motion: SectionMotion | None
    """None where there is nothing to measure: not saved, with errors, or flattened tiles."""

    def without_tiles_as_frozen(self) -> "SectionReport":
        """Return the report without the frozen tiles, which are most of its memory."""
        checked = replace(self.section.checked, tiles=())
        return replace(self, section=replace(self.section, record={}, checked=checked))

    @property
    def is_rigid(self) -> bool:
        """Whether all tiles were turned, and none was scaled."""
        return bool(self.tiles) and all(
            abs(tile.scale - 1.0) < EXACT and abs(tile.shear) < EXACT and abs(tile.rotation) > EXACT
            for tile in self.tiles
        )


def section_report(
    section: SavedSection, further: Sequence[Finding], pixel_size: tuple[float, float]
) -> SectionReport:
    """Return the report of a section; `further` are findings beyond those of its project.

    `pixel_size` is nm a px in x and y.
    """
    findings = (*section.checked.findings, *further)
    tiles = section.checked.tiles
    if section.checked.faulty or not tiles:
        return SectionReport(section, findings, (), None)
    try:
        motions = tuple(tile_motion(tile, pixel_size) for tile in tiles)
        motion = section_motion(section.stem, tiles, pixel_size)
    except ValueError:
        # A transform that the person added may flatten a tile, which no affine describes.
        motions, motion = (), None
    return SectionReport(section, findings, motions, motion)


def with_rigid_warnings(reports: Sequence[SectionReport]) -> list[SectionReport]:
    """Return the reports, with a warning for sections turned without any scale among scaled ones.

    The dialog of "Align layers manually with landmarks" proposes "Rigid", which drops the scale.
    """
    if not any(one.motion and abs(one.motion.scale - 1.0) > EXACT for one in reports):
        return list(reports)
    return [_with_rigid_warning(one) if one.is_rigid else one for one in reports]


def _with_rigid_warning(report: SectionReport) -> SectionReport:
    warning = Finding(
        WARNING,
        "rigid_only",
        report.section.stem,
        "a scale as other sections have",
        "every tile turned and none scaled, as the model Rigid of the landmark dialog does",
        "align it again with Similarity or Affine, unless its scale is meant to be exactly 1",
    )
    return replace(report, findings=(*report.findings, warning))


def report_record(report: SectionReport) -> dict[str, Any]:
    """Return a report as JSON has it; numbers that are not known are null."""
    section, checked = report.section, report.section.checked
    return {
        "section": section.stem,
        "z": section.z,
        "status": section.status,
        "start": section.start,
        "faulty": section.checked.faulty,
        "commonMotion": list(section.checked.common_motion),
        "findings": [finding.to_record() for finding in report.findings],
        "landmarks": checked.landmarks.to_records() if checked.landmarks else [],
        "motion": _known(asdict(report.motion)) if report.motion else None,
        "tiles": [_known(asdict(tile)) for tile in report.tiles],
    }


def report_text(report: SectionReport) -> str:
    """Return a report as a page for people: the findings, worst first, then the tiles."""
    section = report.section
    lines = [f"Section {section.stem} (z = {section.z}): {section.status}, {_counted(report)}.", ""]
    for level in LEVELS:
        for finding in report.findings:
            if finding.level == level:
                lines.append(f"{level.upper()}: {one_line(finding.sentence())}")
    if report.tiles:
        rows = [asdict(tile) for tile in report.tiles]
        lines += ["", *_aligned(list(rows[0]), rows)]
    return "\n".join([*lines, ""])


def table_row(report: SectionReport) -> Row:
    """Return a section's row of the table, without its score."""
    section, levels = report.section, Counter(finding.level for finding in report.findings)
    row = {"section": section.stem, "z": section.z, "status": section.status}
    row |= {"start": section.start or None}
    row |= {f"{level}s": levels[level] for level in LEVELS}
    return row | (asdict(report.motion) if report.motion else {})


def with_scores(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with the score of each section that moved; see `outlier_scores`."""
    motions = {
        row["section"]: SectionMotion(**{f.name: row[f.name] for f in fields(SectionMotion)})
        for row in rows
        if "moved_px" in row
    }
    scores = dict(zip(motions, outlier_scores(list(motions.values())), strict=True))
    return [
        row | ({"score": scores[row["section"]]} if row["section"] in scores else {})
        for row in rows
    ]


def table_tsv(rows: Sequence[Row]) -> str:
    """Return the table as TSV; cells that are not known are empty."""
    lines = ["\t".join(COLUMNS)]
    for row in rows:
        lines.append("\t".join(_exact(row.get(column)) for column in COLUMNS))
    return "\n".join([*lines, ""])


def table_text(rows: Sequence[Row], folder: Sequence[Finding]) -> str:
    """Return the table for people: rows that need a look are marked, the verdict stands last.

    `folder` are the findings that belong to no section.
    """
    marked = [row | {"look": _mark(row)} for row in rows]
    lines = list(_aligned([*COLUMNS, "look"], marked))
    lines += ["", *(f"{one.level.upper()}: {one_line(one.sentence())}" for one in folder)]
    return "\n".join([*lines, verdict_line(rows), ""])


def verdict_line(rows: Sequence[Row]) -> str:
    """Return the sentence that sums a table up."""
    faulty = sum(row["errors"] > 0 for row in rows)
    apart = sum(row.get("score", 0.0) > WRONG_SECTION for row in rows)
    waiting = sum(_mark(row) == "start not confirmed" for row in rows)
    starts = f", {waiting} starts not confirmed" if waiting else ""
    return (
        f"{saved_phrase([row['status'] for row in rows])}; {faulty} with errors,"
        f" {apart} unlike the others{starts}."
    )


def _mark(row: Row) -> str:
    if row["errors"]:
        return "errors"
    if row.get("score", 0.0) > WRONG_SECTION:
        return "unlike the others"
    if row["status"] == UNTOUCHED and row.get("start"):
        return "start not confirmed"
    return "" if row["status"] == SAVED else row["status"]


def _counted(report: SectionReport) -> str:
    levels = Counter(finding.level for finding in report.findings)
    return ", ".join(counted(levels[level], level) for level in LEVELS)


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


def _known(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with null in place of numbers that are not finite."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in record.items()
    }
