"""Registered tables of spots as pyHiM's later steps read them: one ROI, sound positions only."""

import csv
import functools
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from crossreg.fiducial.apply.spot_columns import PYHIM_COLUMNS, REGISTERED_COLUMN
from crossreg.fiducial.apply.spot_tables import ECSV_START, ecsv_separator, quoted
from crossreg.fiducial.experiment.roi_numbers import numbers_of_rois, roi_called
from crossreg.io.files import whole

NEEDED = {PYHIM_COLUMNS[key] for key in ("roi", "cycle", "z", "y", "x")} | {REGISTERED_COLUMN}
NAMES_OF_ROIS = re.compile(r"(\{name: 'ROI #',.*?datatype: )string\b")
"""The line of an ECSV's header that says that ROIs are text."""
WITHOUT_A_POSITION = ("failed", "missing")
"""Statuses of spots that are where they were in their cycle."""


def is_of_pyhim(path: Path) -> bool:
    """Return whether a registered table is an ECSV in pyHiM's columns of spots in 3D."""
    lines = _header(path)
    return lines[0].startswith(ECSV_START) and set(_cells(lines)) >= NEEDED


def copy_rows_of_pyhim(
    source: Path, target: Path, roi: str, rois: Collection[str]
) -> tuple[int, int]:
    """Write the spots of a ROI that are in the reference; return how many, and how many are not.

    `roi` is the name of the ROI among all `rois`, which a table gives by name or number; for pyHiM
    it is the number. The header is copied, so that the new table is marked as registered, too. The
    rest are the spots of this ROI without a position.
    """
    number = str(numbers_of_rois(rois)[roi])
    called = functools.cache(functools.partial(roi_called, names=frozenset(rois)))
    lines = _header(source)
    names, separator = _cells(lines), ecsv_separator(lines)
    roi_at, status_at = names.index(PYHIM_COLUMNS["roi"]), names.index(REGISTERED_COLUMN)
    kept = left = 0
    with (
        source.open(encoding="utf-8", newline="") as file,
        whole(target) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as copy,
    ):
        copy.writelines(NAMES_OF_ROIS.sub(r"\1int64", file.readline()) for _ in lines)
        for row in csv.reader(file, delimiter=separator):
            if called(row[roi_at]) != roi:
                continue
            row[roi_at] = number
            if row[status_at] in WITHOUT_A_POSITION:
                left += 1
                continue
            copy.write(separator.join(quoted(cell, separator) for cell in row) + "\n")
            kept += 1
    return kept, left


def _header(path: Path) -> list[str]:
    """Return the lines of an ECSV up to the names of its columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(_up_to_names(file))


def _up_to_names(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if not line.startswith("#"):
            return


def _cells(lines: list[str]) -> list[str]:
    return next(csv.reader(lines[-1:], delimiter=ecsv_separator(lines)), [])
