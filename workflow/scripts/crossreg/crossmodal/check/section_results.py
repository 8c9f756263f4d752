"""What `trakem2_check` found about the sections of a registration, read back from its files."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossreg.crossmodal.check.findings import Finding
from crossreg.crossmodal.check.motion_summary import WRONG_SECTION
from crossreg.crossmodal.freeze.frozen import SAVED
from crossreg.io.errors import UserError
from crossreg.io.files import read_json, read_text


@dataclass(frozen=True)
class SectionResult:
    """A row of the table over sections, and the findings about it.

    Shifts and distances in px, `moved_nm` in nm, `rotation` in degrees. They are medians over
    the EM tiles, except `moved_px` and `moved_nm`: the largest motion of a corner of any tile.
    All are NaN, and `tiles` 0, where nothing can be measured: not saved, or with errors.
    """

    section: str
    """Stem of the section."""
    z: float
    status: str
    """'untouched', 'saved' or 'missing'."""
    start: str
    """'saved' or 'interpolated' where the EM started from another registration, else ''."""
    errors: int
    warnings: int
    tiles: int
    moved_px: float
    moved_nm: float
    shift_x: float
    shift_y: float
    rotation: float
    scale: float
    score: float
    findings: tuple[Finding, ...]

    @property
    def saved(self) -> bool:
        """Return whether a person saved the section."""
        return self.status == SAVED

    @property
    def apart(self) -> bool:
        """Return whether the section is unlike the others."""
        return self.score > WRONG_SECTION

    @property
    def suspicious(self) -> bool:
        """Return whether the section has no errors and deserves a look all the same."""
        return not self.errors and (self.warnings > 0 or self.apart)


def read_results(table: Path, reports: Path) -> list[SectionResult]:
    """Return the sections in the order of the table, with the findings in the folder of reports.

    Raises UserError if a file is missing, or not as `trakem2_check` writes it.
    """
    rows = csv.DictReader(read_text(table).splitlines(), delimiter="\t")
    try:
        return [_result(row, reports) for row in rows]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(
            f"{table}: this table or a report in {reports} is not as trakem2_check writes it;"
            " remove the table and run trakem2_check again."
        ) from None


def read_folder_findings(reports: Path) -> list[Finding]:
    """Return the findings that belong to no section.

    Raises UserError if the file is missing, or not as `trakem2_check` writes it.
    """
    path = reports / "folder.json"
    try:
        return [Finding(**record) for record in read_json(path)]
    except TypeError:
        raise UserError(
            f"{path}: it is not as trakem2_check writes it; remove it and run trakem2_check again."
        ) from None


def _result(row: dict[str, Any], reports: Path) -> SectionResult:
    def number(column: str) -> float:
        return float(row[column]) if row[column] else math.nan

    records = read_json(reports / f"{row['section']}.json")["findings"]
    return SectionResult(
        section=row["section"],
        z=float(row["z"]),
        status=row["status"],
        start=row["start"],
        errors=int(row["errors"]),
        warnings=int(row["warnings"]),
        tiles=int(row["tiles"] or 0),
        moved_px=number("moved_px"),
        moved_nm=number("moved_nm"),
        shift_x=number("shift_x"),
        shift_y=number("shift_y"),
        rotation=number("rotation"),
        scale=number("scale"),
        score=number("score"),
        findings=tuple(Finding(**record) for record in records),
    )
