"""Tables of spots, read and written a chunk at a time: ECSV (pyHiM's too), CSV, TSV, Parquet.

What is not replaced is written as it was read, down to the digits.
"""

import contextlib
import csv
import io
import itertools
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from astropy.table import Table

from crossreg.fiducial.apply.spot_columns import RAW_PREFIX
from crossreg.io.cycle_tables import parse_table
from crossreg.io.errors import UserError
from crossreg.io.separators import separator_of

CHUNK = 50_000
"""Rows in memory at a time."""
MARK = "registered"
"""What a registered ECSV table says in its comments, which pyHiM looks for."""
ECSV_START = "# %ECSV"
ECSV_DELIMITER = re.compile("# delimiter: *['\"]?,")
TEXT_SUFFIXES = (".ecsv", ".dat", ".table", ".csv", ".tsv", ".txt")
PARQUET_SUFFIXES = (".parquet", ".pq")
SUFFIXES = TEXT_SUFFIXES + PARQUET_SUFFIXES
Values = Mapping[str, np.ndarray]
"""Columns by name: float arrays, or text."""


class Chunk(Protocol):
    """Some rows of a table."""

    def texts(self, name: str) -> list[str]:
        """Return a column as text."""

    def numbers(self, name: str) -> np.ndarray:
        """Return a column as float64; NaN where it is empty. Raises UserError for other texts."""


class SpotTable(ABC):
    """A table of spots in a file."""

    names: list[str]

    @abstractmethod
    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows in their order."""

    @abstractmethod
    def writer(
        self, path: Path, positions: Mapping[str, int], added: list[str]
    ) -> contextlib.AbstractContextManager["Writer"]:
        """Yield what writes a copy of the table to `path`.

        The columns `positions` (name -> decimals) are replaced, their old values are kept in
        columns named with RAW_PREFIX, then come the columns `added`.
        """


class Writer(Protocol):
    """Writes the rows of a chunk after one another."""

    def write(self, chunk: Any, values: Values) -> None:
        """Write a chunk with new values of the positions and of the added columns."""


def open_spots(path: Path) -> contextlib.AbstractContextManager[SpotTable]:
    """Yield the table of spots in a file; raise UserError if it is of no known kind."""
    if path.suffix.lower() in PARQUET_SUFFIXES:
        # Only here: a library of 100 MB that tables of text do without.
        from crossreg.fiducial.apply.parquet_spots import open_parquet

        return open_parquet(path)
    if path.suffix.lower() not in TEXT_SUFFIXES:
        raise UserError(
            f"{path}: tables of spots end in {', '.join(SUFFIXES)}; save it as one of these."
        )
    return _open_text(path)


def check_names(names: Sequence[str], path: Path) -> None:
    """Raise UserError if two columns have one name; a first one without is that of row numbers."""
    if len(set(names)) < len(names) or not all(names[1:]):
        raise UserError(f"{path}: a column has no name, or that of another one; rename it.")


class TextChunk:
    """Rows of a text table, lists of their cells; `first` is the number of the first (from 1)."""

    def __init__(self, table: "TextTable", rows: list[list[str]], first: int) -> None:
        """Take the rows, which all have as many cells as the table has columns."""
        self.table, self.rows, self.first = table, rows, first

    def texts(self, name: str) -> list[str]:
        """Return a column as text."""
        column = self.table.names.index(name)
        return [row[column] for row in self.rows]

    def numbers(self, name: str) -> np.ndarray:
        """Return a column as float64, NaN where it is empty."""
        texts = self.texts(name)
        try:
            return np.array([float(text) if text else np.nan for text in texts])
        except ValueError:
            number, text = next(
                (number, text) for number, text in enumerate(texts) if text and not _is_number(text)
            )
            raise UserError(
                f"{self.table.path}: row {self.first + number} has {text[:60]!r} in the column"
                f" '{name}', which is no number; correct it (decimals with a point)."
            ) from None


class TextTable(SpotTable):
    """A table of text: cells separated by one sign, maybe after the header of an ECSV table."""

    def __init__(self, path: Path, file: IO[str]) -> None:
        """Read the header; raise UserError if it is faulty."""
        self.path, self.file = path, file
        lines = self._header_lines()
        self.ecsv = self._ecsv(lines) if lines[0].startswith(ECSV_START) else None
        self.separator = separator_of(lines[-1]) if self.ecsv is None else ecsv_separator(lines)
        self.names = next(csv.reader(lines[-1:], delimiter=self.separator), [])
        check_names(self.names, path)

    def chunks(self) -> Iterator[TextChunk]:
        """Yield the rows in their order; raise UserError for one with too few or many cells."""
        reader = csv.reader(self.file, delimiter=self.separator)
        first, width = 1, len(self.names)
        try:
            while rows := list(itertools.islice(reader, CHUNK)):
                rows = [row for row in rows if row]
                if any(len(row) != width for row in rows):
                    number, row = next((n, r) for n, r in enumerate(rows) if len(r) != width)
                    raise UserError(
                        f"{self.path}: row {first + number} has {len(row)} cells, but there are"
                        f" {width} columns; correct the row."
                    )
                yield TextChunk(self, rows, first)
                first += len(rows)
        except csv.Error as error:
            raise UserError(f"{self.path}: the table cannot be read ({error}).") from None

    @contextlib.contextmanager
    def writer(
        self, path: Path, positions: Mapping[str, int], added: list[str]
    ) -> Iterator["TextWriter"]:
        """Yield what writes a copy of the table, see `SpotTable`."""
        with path.open("w", encoding="utf-8", newline="") as file:
            names = [*self.names, *(RAW_PREFIX + name for name in positions), *added]
            if self.ecsv is not None:
                header = _ecsv_header(self.ecsv, list(positions), added, self.separator)
                file.writelines(line for line in header if line.startswith("#"))
            writer = TextWriter(self, file, positions, added)
            writer.write_rows([names])
            yield writer

    def _header_lines(self) -> list[str]:
        """Return the lines up to the one that names the columns; those of ECSV begin with #."""
        lines = [self.file.readline()]
        is_ecsv = lines[0].startswith(ECSV_START)
        while is_ecsv and lines[-1].startswith("#"):
            lines.append(self.file.readline())
        if not lines[-1].strip():
            raise UserError(f"{self.path}: the file has no line that names its columns.")
        return lines

    def _ecsv(self, lines: list[str]) -> Table:
        """Return the table without its rows; raise UserError if it is registered already."""
        table = parse_table([line.rstrip("\r\n") for line in lines], self.path)
        if any(MARK in str(comment) for comment in table.meta.get("comments") or []):
            raise UserError(
                f"{self.path}: the table says in its comments that it is registered already; give"
                " the table as it was before."
            )
        return table


class TextWriter:
    """Writes rows of text, quoted only where they must be."""

    def __init__(
        self, table: TextTable, file: IO[str], positions: Mapping[str, int], added: list[str]
    ) -> None:
        """Take the file to write to."""
        self.table, self.file, self.positions, self.added = table, file, positions, added

    def write(self, chunk: TextChunk, values: Values) -> None:
        """Write a chunk with new values."""
        columns = {self.table.names.index(name): name for name in self.positions}
        texts = {
            column: _as_texts(values[name], self.positions[name])
            for column, name in columns.items()
        }
        more = [[row[column] for row in chunk.rows] for column in columns]
        more += [_as_texts(values[name], 2) for name in self.added]
        for column, new in texts.items():
            for row, text in zip(chunk.rows, new, strict=True):
                row[column] = text
        pairs = zip(chunk.rows, zip(*more, strict=True), strict=True)
        self.write_rows([[*row, *rest] for row, rest in pairs])

    def write_rows(self, rows: list[list[str]]) -> None:
        """Write rows of cells."""
        separator, lines = self.table.separator, []
        for row in rows:
            line = separator.join(row)
            plain = line.count(separator) == len(row) - 1 and '"' not in line and "\n" not in line
            # An empty cell between blanks would be lost.
            if not plain or "\r" in line or (separator == " " and "" in row):
                line = separator.join(quoted(cell, separator) for cell in row)
            lines.append(line + "\n")
        self.file.writelines(lines)


@contextlib.contextmanager
def _open_text(path: Path) -> Iterator[TextTable]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield TextTable(path, file)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; check the path.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: the file is not UTF-8 text; save it as UTF-8.") from None


def ecsv_separator(lines: list[str]) -> str:
    """Return which sign separates the cells of an ECSV table: a comma if the header says so."""
    return "," if any(ECSV_DELIMITER.match(line) for line in lines) else " "


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _as_texts(values: np.ndarray, decimals: int) -> list[str]:
    if values.dtype.kind != "f":
        return [str(value) for value in values.tolist()]
    form = f"%.{decimals}f"
    return [form % value for value in values.tolist()]


def quoted(cell: str, separator: str) -> str:
    """Return a cell as it stands in a table: in quotes where it must be."""
    if cell and not any(sign in cell for sign in (separator, '"', "\n", "\r")):
        return cell
    return '"' + cell.replace('"', '""') + '"'


def _ecsv_header(table: Table, positions: list[str], added: list[str], separator: str) -> list[str]:
    """Return the lines of an ECSV table without rows, with the new columns, marked."""
    new = table.copy()
    for name in positions:
        raw = new[name]
        new[RAW_PREFIX + name] = raw
        if raw.dtype.kind != "f":
            new[name] = np.array([], float)
    for name in added:
        new[name] = np.array([], str if name == added[-1] else np.float32)
    new.meta["comments"] = [*(new.meta.get("comments") or []), MARK]
    text = io.StringIO()
    new.write(text, format="ascii.ecsv", delimiter=separator)
    return text.getvalue().splitlines(keepends=True)
