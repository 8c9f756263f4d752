"""Small ECSV tables, written and read without a library of tables.

Astropy, which takes a third of a second to import, reads what is written here, and writes the
same bytes. Tables from elsewhere may hold more kinds of columns:
`crossreg.io.cycle_tables.read_table` reads those.
"""

import csv
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

QUOTED = re.compile(r'[\s"]')
PLAIN_TEXT = re.compile(r"[A-Za-z_][\w /().-]*[\w)]|[A-Za-z_]")
"""Texts that YAML takes for nothing else."""
YAML_WORDS = {"null", "true", "false", "yes", "no", "on", "off"}
ENTRY = re.compile(r"# - \{(\w+): (.*)\}")


@dataclass(frozen=True)
class Table:
    """Columns of equal length by name, in their order, and what is said of the whole table."""

    columns: dict[str, np.ndarray]
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def colnames(self) -> list[str]:
        """Return the names of the columns."""
        return list(self.columns)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the column (n,) of this name; raise KeyError if there is none."""
        return self.columns[name]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the rows, each as a dict of its values by column."""
        for cells in zip(*self.columns.values(), strict=True):
            yield dict(zip(self.columns, cells, strict=True))

    def taken(self, rows: slice | np.ndarray) -> "Table":
        """Return the table with some of its rows."""
        return Table({name: values[rows] for name, values in self.columns.items()}, self.meta)


def as_text(table: Table) -> str:
    """Return a table as ECSV; equal tables give equal texts."""
    kinds = {name: values.dtype for name, values in table.columns.items()}
    return header(kinds, table.meta) + "".join(_rows(table))


def header(columns: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    """Return the ECSV text of a table without rows; `columns` are types by name."""
    lines = ["%ECSV 1.0", "---", "datatype:"]
    for name, kind in columns.items():
        dtype = np.dtype(kind)
        word = "string" if dtype.kind == "U" else dtype.name
        lines.append(f"- {{name: {_plain_or_quoted(name)}, datatype: {word}}}")
    if meta:
        lines.append("meta: !!omap")
        lines += [f"- {{{key}: {json.dumps(_finite(value))}}}" for key, value in meta.items()]
    lines.append("schema: astropy-2.0")
    names = " ".join(map(_cell, columns))
    return "".join(f"# {line}\n" for line in lines) + names + "\n"


def _rows(table: Table) -> Iterator[str]:
    """Yield the lines of text of a table's rows."""
    cells = [list(map(_cell, map(str, values))) for values in table.columns.values()]
    for row in zip(*cells, strict=True):
        yield " ".join(row) + "\n"


def _cell(text: str) -> str:
    text = text.strip()
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if not text or QUOTED.search(text) else text


def _plain_or_quoted(text: str) -> str:
    """Return a text as YAML would write it in braces, where it is plain or needs quotes."""
    is_plain = PLAIN_TEXT.fullmatch(text) and text.lower() not in YAML_WORDS
    return text if is_plain else "'" + text.replace("'", "''") + "'"


def _finite(value: Any) -> Any:
    """Return a value for JSON, which is YAML too; numbers that are not finite become None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value


def parts(text: str) -> tuple[str, list[str]]:
    """Return what describes the columns of an ECSV, as one text, and the lines of its rows."""
    lines = text.splitlines(keepends=True)
    start = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    described = [line for line in lines[:start] if line.startswith("# - {name:")]
    return "".join(described + lines[start : start + 1]), lines[start + 1 :]


def values_of(rows: Sequence[str], columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the columns that lines of text hold.

    Raises ValueError where a row is not whole or a cell is no value of its column's type.
    """
    cells = list(csv.reader(rows, delimiter=" ", strict=True))
    if any(len(row) != len(columns) for row in cells):
        raise ValueError("a row has more or fewer cells than there are columns")
    by_column = zip(*cells, strict=True) if cells else [()] * len(columns)
    try:
        return {
            name: np.array(values, dtype=kind)
            for (name, kind), values in zip(columns.items(), by_column, strict=True)
        }
    except OverflowError as error:
        raise ValueError(str(error)) from None


def meta_of(text: str) -> dict[str, Any]:
    """Return what a table that `as_text` wrote says of itself; numbers not finite come as None."""
    entries = (ENTRY.fullmatch(line) for line in text.partition("# meta: !!omap\n")[2].split("\n"))
    found = itertools.takewhile(lambda entry: entry is not None, entries)
    try:
        return {entry[1]: json.loads(entry[2]) for entry in found if entry}
    except json.JSONDecodeError as error:
        raise ValueError(f"what the table says of itself is damaged: {error}") from None
