"""Sample sheets: one fiducial stack a line, as text editors, Excel and R write them."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import UserError
from crossreg.io.files import read_text
from crossreg.io.schema import nearest

REQUIRED = ("roi", "cycle", "path")
COLUMNS = (*REQUIRED, "channel", "series", "time", "frames")
# What the workflow's own sheet carries beside.
ALL_COLUMNS = (*COLUMNS, "named_channel", "run", "given_x", "given_y", "pixel_xy", "pixel_z")
SEPARATORS = {"\t": "tabs", ";": "semicolons", ",": "commas"}


def read_sheet(path: Path | str, columns: tuple[str, ...] = COLUMNS) -> list[Sample]:
    """Return the samples of a sheet with the columns roi, cycle, path (and maybe others).

    Tabs, semicolons or commas separate them, whichever the first line has most of; a text may
    stand in quotes. Other columns than `columns` are ignored. Raises UserError if the sheet is
    missing, has no such columns, one that is likely misspelt, or an incomplete line.
    """
    text = read_text(path)
    if "\0" in text:
        raise UserError(f"{path}: this is not a text file; save the sheet as tab-separated text.")
    content = text.lstrip("\r\n")
    blank = text[: len(text) - len(content)].count("\n")
    separator = max(SEPARATORS, key=content.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
    reader.fieldnames = _header(reader, columns, path)
    samples = []
    for row in _rows(reader, path):
        values = {name: (row.get(name) or "").strip() for name in columns}
        if not any(values.values()):
            continue
        line = reader.line_num + blank
        empty = [name for name in REQUIRED if not values[name]]
        if empty or any((extra or "").strip() for extra in row.get("", []) or []):
            fault = f"has no {empty[0]}" if empty else "has more columns than the first line"
            raise UserError(f"{path}: line {line} {fault}; correct the line.")
        samples.append(Sample(**values, listed_in=f"{path}, line {line}"))
    if not samples:
        raise UserError(f"{path}: the sheet lists no stack; add a line for each.")
    return samples


def _header(reader: "csv.DictReader[str]", columns: tuple[str, ...], path: Path | str) -> list[str]:
    """Return the names of the columns, in lower case; raise UserError for wrong ones."""
    reader.restkey = ""
    try:
        header = [name.strip().lower() for name in reader.fieldnames or []]
    except csv.Error as error:
        raise _unreadable(path, 1, error) from None
    # Spreadsheets leave columns without a name behind.
    named = [name for name in header if name]
    if len(set(named)) < len(named):
        raise UserError(f"{path}: a column stands twice in the first line; remove one.")
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise UserError(
            f"{path}: the column '{missing[0]}' is missing in the first line; the sheet needs"
            " roi, cycle and path, separated by tabs, commas or semicolons."
        )
    for name in named:
        guess = nearest(name, list(columns))
        if name not in ALL_COLUMNS and guess and guess not in header:
            raise UserError(f"{path}: the column '{name}' is not known; did you mean '{guess}'?")
    return header


def _rows(reader: "csv.DictReader[str]", path: Path | str) -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise _unreadable(path, reader.line_num + 1, error) from None


def _unreadable(path: Path | str, line: int, error: csv.Error) -> UserError:
    return UserError(
        f"{path}: line {line} cannot be read ({error}); save the sheet as tab-separated text."
    )


def sheet_text(samples: Iterable[Sample], columns: tuple[str, ...] = ALL_COLUMNS) -> str:
    """Return the text of a sheet, separated by tabs; raise UserError if a path holds a tab."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    for sample in samples:
        values = [getattr(sample, name) for name in columns]
        if any(sign in value for value in values for sign in "\t\n\r"):
            raise UserError(f"{sample.path!r}: the path holds a tab or a line end; rename it.")
        writer.writerow(values)
    return text.getvalue()
