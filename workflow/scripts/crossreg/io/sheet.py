"""Sample sheets: one fiducial stack a line, as text editors, Excel and R write them."""

import codecs
import contextlib
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import UserError
from crossreg.io.files import read_text
from crossreg.io.schema import nearest
from crossreg.io.separators import separator_of

REQUIRED = ("roi", "cycle", "path")
COLUMNS = (*REQUIRED, "channel", "series", "time", "frames")
# What the workflow's own sheet carries beside.
ALL_COLUMNS = (*COLUMNS, "named_channel", "run", "given_x", "given_y", "pixel_xy", "pixel_z")
SEPARATOR_LINE = re.compile(r"sep=([\t;,])\s*?(?=\n|\r|$)", re.IGNORECASE)


def read_sheet(path: Path | str, columns: tuple[str, ...] = COLUMNS) -> list[Sample]:
    """Return the samples of a sheet with the columns roi, cycle, path (and maybe others).

    Tabs, semicolons or commas separate them, whichever the first line has most of; a text may
    stand in quotes; lines that begin with # are comments. Other columns than `columns` are ignored.
    Raises UserError if the sheet is missing, has no such columns, one that is likely misspelt, or
    an incomplete line.
    """
    text = _text(path)
    lines = list(_lines(text, path)) or [(1, [""])]
    header = _header(lines[0][1], columns, path)
    # R writes names of rows in front, nothing above them, and quotes.
    if text.startswith('"') and all(len(cells) == len(header) + 1 for _, cells in lines[1:]):
        header.insert(0, "")
    samples = []
    for line, cells in lines[1:]:
        row = dict(zip(header, cells, strict=False))
        values = {name: _value(row, name) for name in columns}
        if not any(values.values()):
            continue
        empty = [name for name in REQUIRED if not values[name]]
        if empty or any(cell.strip() for cell in cells[len(header) :]):
            fault = f"has no {empty[0]}" if empty else "has more columns than the first line"
            raise UserError(f"{path}: line {line} {fault}; correct the line.")
        samples.append(Sample(**values, listed_in=f"{path}, line {line}"))
    if not samples:
        raise UserError(f"{path}: the sheet lists no stack; add a line for each.")
    return samples


def _text(path: Path | str) -> str:
    """Return the text of a sheet: UTF-8, or what Excel calls Unicode."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        content = Path(path).read_bytes()
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return content.decode("utf-16").lstrip("\ufeff")
    text = read_text(path)
    if "\0" in text:
        raise UserError(f"{path}: this is not a text file; save the sheet as tab-separated text.")
    return text


def _lines(text: str, path: Path | str) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of the line, its cells) for every line but comments and those before the first.

    Excel may say the separator in a line of its own: "sep=;".
    """
    told = SEPARATOR_LINE.match(text.lstrip("\r\n"))
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    skipped = 0
    while skipped < len(lines) and (
        not lines[skipped].strip(" \t,;")
        or lines[skipped].startswith("#")
        or SEPARATOR_LINE.fullmatch(lines[skipped])
    ):
        skipped += 1
    content = "\n".join(lines[skipped:])
    separator = told[1] if told else separator_of(content.partition("\n")[0])
    reader = csv.reader(io.StringIO(content), delimiter=separator, strict=True)
    line = skipped
    try:
        for cells in reader:
            line = reader.line_num + skipped
            if not (cells and cells[0].lstrip().startswith("#")):
                yield line, cells
    except csv.Error as error:
        raise _unreadable(path, line + 1, error) from None


def _value(row: Mapping[str, str], name: str) -> str:
    """Return a cell; empty, too, where R says that there is no value."""
    value = row.get(name, "").strip()
    return "" if value == "NA" and name not in REQUIRED else value


def _header(cells: list[str], columns: tuple[str, ...], path: Path | str) -> list[str]:
    """Return the names of the columns, in lower case; raise UserError for wrong ones."""
    header = [name.strip().lower() for name in cells]
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
