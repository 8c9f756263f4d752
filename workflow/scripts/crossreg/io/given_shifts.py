"""Global shifts that a user brings along, read with what Snakemake itself has.

A run is planned where Snakemake may stand alone: this module needs no library of tables.
"""

import csv
import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from crossreg.io.errors import UserError
from crossreg.io.files import read_json, read_text

COLUMNS = ("aligned file", "shift_x", "shift_y")
"""Without these a table gives no shifts."""
NAMELESS = (".tif", ".tiff", "")
"""What stands in pyHiM's table of a run in one go instead of the names of files."""
NAME_OF_ROI = re.compile(r"\w[\w|.+-]{0,99}")
FIRST_LINE = re.compile(r"# %ECSV \d")


class GivenShifts:
    """Global shifts that the user brings along, looked up by cycle.

    A table (ECSV) is matched by the base name of the aligned file, a JSON file by ROI and cycle.
    """

    def __init__(self, path: Path | str) -> None:
        """Read the shifts; raise UserError if the file is malformed."""
        self.path = path
        self._by_file: dict[str, tuple[float, float, str]] = {}
        self._by_cycle: dict[tuple[str, str], tuple[float, float]] = {}
        self._used: set[Any] = set()
        if str(path).lower().endswith(".json"):
            self._read_json()
        else:
            self._read_table()

    def shift(
        self, roi: str, cycle: str, file: str, reference_file: str
    ) -> tuple[float, float] | None:
        """Return the shift (rows, columns) of a cycle; None if the file has none for it.

        Raises UserError if the shift was measured against another reference.
        """
        name = os.path.basename(file)
        if name in self._by_file:
            row, column, reference = self._by_file[name]
            if reference and reference != os.path.basename(reference_file):
                raise UserError(
                    f"{self.path}: the row of '{name}' was registered to '{reference}', but the"
                    f" reference is '{os.path.basename(reference_file)}'; correct one of them."
                )
            self._used.add(name)
            return row, column
        key = (roi.lstrip("0"), cycle)
        if key in self._by_cycle:
            self._used.add(key)
            return self._by_cycle[key]
        return None

    def unused(self) -> list[str]:
        """Return the entries that no cycle has asked for."""
        files = [name for name in self._by_file if name not in self._used]
        cycles = [f"ROI {roi}, cycle {cycle}" for roi, cycle in self._by_cycle]
        keys = list(self._by_cycle)
        return files + [
            name for name, key in zip(cycles, keys, strict=True) if key not in self._used
        ]

    def _read_table(self) -> None:
        for row in _rows_of_ecsv(self.path):
            if row.get("verdict") == "failed":
                continue
            name = os.path.basename(str(row["aligned file"]))
            x, y = (self._number(row[axis], f"row of '{name}'") for axis in COLUMNS[1:])
            if name.lower() in NAMELESS:
                raise UserError(
                    f"{self.path}: the rows hold '{name}' instead of names of files, as pyHiM"
                    " writes them where it runs several commands in one go; give its .json of"
                    " shifts instead, which names the cycles."
                )
            if name in self._by_file:
                raise UserError(f"{self.path}: '{name}' stands in two rows; remove one.")
            reference = str(row.get("reference file", ""))
            self._by_file[name] = (x, y, os.path.basename(reference))

    def _read_json(self) -> None:
        content = read_json(self.path)
        if not isinstance(content, dict):
            raise UserError(f'{self.path}: {{"ROI:005": {{"RT26": [row, column]}}}} is expected.')
        for roi, cycles in content.items():
            number = roi.removeprefix("ROI:")
            is_roi = roi.startswith("ROI:") or number.isdecimal()
            if not (is_roi and NAME_OF_ROI.fullmatch(number) and isinstance(cycles, dict)):
                raise UserError(f"{self.path}: '{roi}' is no ROI with cycles; write \"ROI:005\".")
            for cycle, shift in cycles.items():
                if not isinstance(shift, list) or len(shift) != 2:
                    raise UserError(
                        f"{self.path}: ROI {number}, cycle {cycle} needs two numbers [row, column]."
                    )
                where = f"ROI {number}, cycle {cycle}"
                x, y = (self._number(value, where) for value in shift)
                self._by_cycle[number.lstrip("0"), cycle] = (x, y)

    def _number(self, value: Any, where: str) -> float:
        is_number = isinstance(value, int | float)
        if not is_number or isinstance(value, bool) or not math.isfinite(value):
            raise UserError(f"{self.path}: {where} has the shift {value!r}; write a finite number.")
        return float(value)


def _rows_of_ecsv(path: Path | str) -> Iterator[dict[str, Any]]:
    """Yield the rows of an ECSV table, numbers and texts as its header says.

    Raises UserError if it is malformed or lacks a column.
    """
    lines = read_text(path).splitlines()
    try:
        names, readers, separator = _header(lines)
        rows = [line for line in lines if line.strip() and not line.startswith("#")]
        cells = csv.reader(rows, delimiter=separator, skipinitialspace=True, strict=True)
        if next(cells) != names:
            raise ValueError("its first line names other columns than its header")
        parsed = [
            {name: readers[name](cell) for name, cell in zip(names, row, strict=True)}
            for row in cells
        ]
    except (ValueError, KeyError, TypeError, StopIteration, csv.Error, yaml.YAMLError) as error:
        fault = (str(error).splitlines() or ["its header"])[0][:120]
        raise UserError(f"{path}: this is not an ECSV table ({fault}); write it again.") from None
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise UserError(
            f"{path}: the column '{missing[0]}' is missing; there are: {', '.join(names)}."
        )
    yield from parsed


def _header(lines: list[str]) -> tuple[list[str], dict[str, Callable[[str], Any]], str]:
    """Return the names of the columns, how to read the cells of each, and what separates them."""
    comments = [line.removeprefix("#").removeprefix(" ") for line in lines if line.startswith("#")]
    if not lines or not FIRST_LINE.match(lines[0]):
        raise ValueError("its first line is not # %ECSV")
    header = yaml.safe_load("\n".join(comments[1:]))
    readers = {column["name"]: _reader(column["datatype"]) for column in header["datatype"]}
    return list(readers), readers, header.get("delimiter", " ")


def _reader(datatype: str) -> Callable[[str], Any]:
    """Return the function that reads a cell; an empty cell of numbers is NaN."""
    if datatype == "string":
        return str
    if datatype == "bool":
        return lambda cell: cell == "True"
    if re.fullmatch("u?int(8|16|32|64)", datatype):
        return lambda cell: int(cell) if cell else math.nan
    if re.fullmatch("float(16|32|64|128)", datatype):
        return lambda cell: float(cell) if cell else math.nan
    raise ValueError(f"a column has the type {datatype}")
