"""Tables of landmarks as BigWarp exports and imports them.

Rows without a header, every field in quotes: name, active, moving x, y (and z), fixed x, y (and z).
Where one of BigWarp's images was a volume, all points have a z as well.
"""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crossreg.crossmodal.check.checked_section import Landmark
from crossreg.io.errors import UserError

UNITS_NM = {"nm": 1.0, "um": 1000.0}
AXES = {6: 2, 8: 3}
"""Columns of a table -> axes of its points."""

FARTHEST = 1e12
"""Of any unit: far beyond any section, and its square is still a number."""

MAX_BYTES = 16 * 1024 * 1024
"""Far beyond what a person sets by hand."""


@dataclass(frozen=True)
class LandmarkTable:
    """The landmarks of a section that count, and how many rows do not."""

    landmarks: tuple[Landmark, ...]
    inactive: int = 0
    one_sided: int = 0
    """Points that were set in one of the two images only."""

    @property
    def passed_over(self) -> str:
        """Return in words which rows do not count; '' if all do."""
        counts = {"inactive": self.inactive, "without a partner": self.one_sided}
        parts = [f"{count} {what}" for what, count in counts.items() if count]
        return f" ({', '.join(parts)})" if parts else ""


def read_landmarks(path: Path, px: tuple[float, float]) -> LandmarkTable:
    """Return the landmarks in a file of BigWarp; `px` is px per unit in x and y.

    Raises UserError for a file that is none, and for points that are not of one plane.
    """
    found: list[Landmark] = []
    planes: set[tuple[float, ...]] = set()
    inactive = one_sided = 0
    for number, row in enumerate(csv.reader(io.StringIO(_text(path), newline="")), start=1):
        if not row:
            continue
        moving, fixed = _points(path, number, row)
        if not all(map(math.isfinite, (*moving, *fixed))):
            # BigWarp writes Infinity for a point that was not set.
            one_sided += 1
        elif row[1].strip().lower() != "true":
            inactive += 1
        elif max(map(abs, (*moving, *fixed))) > FARTHEST:
            raise UserError(f"{path}: line {number}: a point lies beyond any section; correct it.")
        else:
            planes.add((*moving[2:], *fixed[2:]))
            x, y = px
            there = (moving[0] * x, moving[1] * y), (fixed[0] * x, fixed[1] * y)
            found.append(Landmark(row[0].strip(), *there))
    if len(planes) > 1:
        raise UserError(
            f"{path}: its points have several z, but a section is one plane; open the section alone"
            " in BigWarp."
        )
    return LandmarkTable(tuple(found), inactive, one_sided)


def _text(path: Path) -> str:
    """Return the text of a table; BigWarp writes it in the encoding of its machine."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UserError(f"{path}: larger than any table of landmarks; put BigWarp's export here.")
    if b"\0" in data:
        raise UserError(f"{path}: this is no text; put the table that BigWarp exports here.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Only names hold other than ASCII signs.
        return data.decode("cp1252", errors="replace")


def _points(path: Path, number: int, row: list[str]) -> tuple[list[float], list[float]]:
    """Return the moving and the fixed point of a row."""
    axes = AXES.get(len(row))
    if axes is None:
        raise UserError(
            f"{path}: line {number}: {len(row)} columns, but BigWarp writes 6 for images and 8 for"
            " volumes: name, active, moving x, y (z), fixed x, y (z); export the landmarks again."
        )
    try:
        values = [float(word) for word in row[2:]]
    except ValueError:
        raise UserError(f"{path}: line {number}: a point is no number; correct it.") from None
    return values[:axes], values[axes:]


def unit_px(units: str, pixel_size: tuple[float, float]) -> tuple[float, float]:
    """Return px per unit in x and y; ValueError if the stack does not say its resolution."""
    if units == "px":
        return 1.0, 1.0
    x, y = (UNITS_NM[units] / size for size in pixel_size)
    if not math.isfinite(x) or not math.isfinite(y):
        raise ValueError(
            f"landmarks in {units} need the resolution of the EM stack, which has none"
        )
    return x, y


def landmark_rows(landmarks: Sequence[Landmark], px: tuple[float, float]) -> Iterator[str]:
    """Yield the lines of a file that BigWarp imports."""
    x, y = px
    for one in landmarks:
        values = (one.moving[0] / x, one.moving[1] / y, one.fixed[0] / x, one.fixed[1] / y)
        name = one.name.replace('"', '""')
        yield ",".join([f'"{name}"', '"true"', *(f'"{value!r}"' for value in values)])
