"""Sample sheets: TSV files with one fiducial stack a line."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from crossreg.io.errors import UserError
from crossreg.io.files import read_text
from crossreg.workflow_support.discovery import Sample

REQUIRED = ("roi", "cycle", "path")
COLUMNS = (*REQUIRED, "channel")
# The workflow's own sheet also carries the global shifts that the user gave.
ALL_COLUMNS = (*COLUMNS, "given_x", "given_y")


def read_sheet(path: Path | str, columns: tuple[str, ...] = COLUMNS) -> list[Sample]:
    """Return the samples of a sheet with the columns roi, cycle, path (and maybe others).

    Columns not among `columns` are ignored. Raises UserError if the sheet is missing, has no such
    columns, or a line is incomplete.
    """
    text = read_text(path)
    if "\0" in text:
        raise UserError(f"{path}: this is not a text file; save the sheet as tab-separated text.")
    reader = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = [name.strip() for name in reader.fieldnames or []]
    # Spreadsheets leave columns without a name behind.
    named = [name for name in header if name]
    if len(set(named)) < len(named):
        raise UserError(f"{path}: a column stands twice in the first line; remove one.")
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise UserError(
            f"{path}: the column '{missing[0]}' is missing in the first line; the sheet needs"
            " roi, cycle and path, separated by tabs."
        )
    reader.fieldnames = header
    samples = []
    for row in _rows(reader, path):
        values = {name: (row.get(name) or "").strip() for name in columns}
        if not any(values.values()):
            continue
        empty = [name for name in REQUIRED if not values[name]]
        if empty or None in row:
            fault = f"has no {empty[0]}" if empty else "has more columns than the first line"
            raise UserError(f"{path}: line {reader.line_num} {fault}; correct the line.")
        samples.append(Sample(**values, listed_in=f"{path}, line {reader.line_num}"))
    if not samples:
        raise UserError(f"{path}: the sheet lists no stack; add a line for each.")
    return samples


def _rows(reader: csv.DictReader, path: Path | str) -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise UserError(
            f"{path}: line {reader.line_num + 1} cannot be read ({error}); save the sheet as"
            " tab-separated text."
        ) from None


def sheet_text(samples: Iterable[Sample]) -> str:
    """Return the text of a sheet with all columns; raise UserError if a path holds a tab."""
    lines = ["\t".join(ALL_COLUMNS)]
    for sample in samples:
        values = [getattr(sample, name) for name in ALL_COLUMNS]
        if any(sign in value for value in values for sign in "\t\n\r"):
            raise UserError(f"{sample.path!r}: the path holds a tab or a line end; rename it.")
        lines.append("\t".join(values))
    return "\n".join(lines) + "\n"
