"""Cycles that could not be registered, and why: an outcome that jobs write instead of a result.

A stack that cannot be registered stops no run. Its job writes a note in place of each of its
outputs, the jobs that would read them pass it on, and what sums up cycles names it.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from crossreg.io.errors import UserError, one_line
from crossreg.io.files import read_text, write_text

MARK = "This result is missing:"
"""The beginning of every note; no table, array or picture begins like this."""


def note_missing(path: Path | str, reason: str) -> None:
    """Write a note with the reason in place of a result."""
    write_text(path, f"{MARK} {one_line(reason)}\n")


def missing_reason(path: Path | str) -> str | None:
    """Return the reason in a note; None if the file is a result, or not there."""
    mark = MARK.encode()
    try:
        with Path(path).open("rb") as file:
            if file.read(len(mark)) != mark:
                return None
            return file.read().decode("utf-8", errors="replace").strip()
    except OSError:
        return None


def refuse_missing(*paths: Path | str | None) -> None:
    """Raise UserError with the reason if one of the files is a note instead of a result."""
    for path in paths:
        reason = missing_reason(path) if path else None
        if reason is not None:
            raise UserError(reason)


@dataclass(frozen=True)
class Gap:
    """A cycle of a ROI that has no fiducial stack, and why it should have one.

    `is_fault` says that a run ends with an error for it.
    """

    roi: str
    cycle: str
    reason: str
    is_fault: bool = False


def gaps_text(gaps: Iterable[Gap]) -> str:
    """Return the text of a table of gaps (TSV), sorted."""
    lines = [
        "\t".join((gap.roi, gap.cycle, "yes" if gap.is_fault else "no", one_line(gap.reason)))
        for gap in sorted(gaps, key=lambda gap: (gap.roi, gap.cycle))
    ]
    return "\n".join(["roi\tcycle\tfault\treason", *lines, ""])


def read_gaps(path: Path | None) -> list[Gap]:
    """Return the gaps of a table; none for None. Raises UserError if the file is missing."""
    if path is None:
        return []
    rows = csv.DictReader(io.StringIO(read_text(path)), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [Gap(row["roi"], row["cycle"], row["reason"], row["fault"] == "yes") for row in rows]


def reasons(gaps: Iterable[Gap]) -> Mapping[tuple[str, str], str]:
    """Return (ROI, cycle) -> why it is missing."""
    return {(gap.roi, gap.cycle): gap.reason for gap in gaps}
