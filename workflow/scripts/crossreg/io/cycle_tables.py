"""The tables of the fiducial chain (ECSV and JSON), in pyHiM's columns and types."""

import csv
import itertools
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crossreg.io import ecsv
from crossreg.io.ecsv import Table
from crossreg.io.errors import DamagedResultError, UserError
from crossreg.io.files import read_json, read_text, whole, write_json, write_text

if TYPE_CHECKING:
    import astropy.table

GLOBAL_COLUMNS = {
    "aligned file": str,
    "reference file": str,
    "shift_x": np.float32,
    "shift_y": np.float32,
    "error": np.float32,
    "diffphase": np.float32,
    "ROI #": np.int64,
    "label": str,
    "source": str,
    "verdict": str,
    "reason": str,
    "ROI name": str,
    "turn": np.float32,
    "z_step": np.float64,
}
LOCAL_COLUMNS = {
    "reference file": str,
    "aligned file": str,
    "blockXY": np.int64,
    "ROI #": np.int64,
    "label": str,
    "block_i": np.int64,
    "block_j": np.int64,
    "shift_z": np.float32,
    "shift_x": np.float32,
    "shift_y": np.float32,
    "quality_xy": np.float32,
    "quality_zy": np.float32,
    "quality_zx": np.float32,
    "global_x": np.float32,
    "global_y": np.float32,
    "measured_z": np.float32,
    "measured_x": np.float32,
    "measured_y": np.float32,
    "confidence": np.float32,
    "sigma_z": np.float32,
    "sigma_x": np.float32,
    "sigma_y": np.float32,
    "status": str,
    "ROI name": str,
}
LENGTH = re.compile("(?:shift|global|measured|sigma)_([zxy])")
"""Columns in px, those that end in z in kept planes."""
NM_DECIMALS = 2
PLANE_NM, PIXEL_NM = "plane_nm", "pixel_nm"
"""What a merged table says of itself: nm of a kept plane and of a px."""
LONGEST_LINE = 1 << 16
"""Bytes of a row at most: it names two files."""
# As in names of files; longer ones are no numbers of ROIs, and int64 holds these.
NUMBER_OF_ROI = re.compile("[0-9]{1,18}")


def new_table(columns: dict[str, type], values: Mapping[str, Any], **meta: Any) -> Table:
    """Return a table with these columns, in this order and of these types."""
    data: dict[str, np.ndarray] = {
        name: np.atleast_1d(np.asarray(values[name], dtype=kind)) for name, kind in columns.items()
    }
    return Table(data, meta)


def columns_in_nm(columns: Iterable[str]) -> dict[str, type]:
    """Return the columns that follow in a merged table: each length of `columns` in nm."""
    return {f"{name}_nm": np.float64 for name in columns if LENGTH.fullmatch(name)}


def in_nm(values: Mapping[str, np.ndarray], nm: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Return the columns of `columns_in_nm` for a table's columns `values`.

    `nm` is how many nm a kept plane ("z"), a row ("x") and a column ("y") are.
    """
    matches = (LENGTH.fullmatch(name) for name in values)
    return {
        f"{match[0]}_nm": np.round(np.asarray(values[match[0]], float) * nm[match[1]], NM_DECIMALS)
        for match in matches
        if match
    }


def write_merged(
    path: Path | str,
    sources: Iterable[Path | str],
    columns: dict[str, type],
    nm: Mapping[str, float],
    **meta: Any,
) -> int:
    """Write all rows of the tables in `sources`, in their order, as one ECSV; return their number.

    The rows are copied as text, so that no digit changes, with one cycle in memory at a time; their
    lengths in nm follow, see `in_nm`. Half a million rows take five seconds. Raises UserError as
    `read_rows`.
    """
    count = 0
    with whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(ecsv.header(columns | columns_in_nm(columns), meta))
        for source in sources:
            rows, table = _read(source, columns)
            lengths = in_nm(table.columns, nm).values()
            more = zip(*(map(str, values.tolist()) for values in lengths), strict=True)
            for row, cells in zip(rows, more, strict=True):
                file.write(f"{row[:-1]} {' '.join(cells)}\n")
            count += len(rows)
    return count


def check_whole(path: Path | str) -> None:
    """Raise DamagedResultError if a merged table (.ecsv, .json) was cut off since it was written.

    Of an ECSV its head and its last row are read: it may hold a million. Raises UserError if there
    is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; run again.")
    try:
        last_row = _last_line(path)
        if path.suffix == ".json":
            read_json(path)
            return
        *columns, names = ecsv.parts(_head(path))[0].splitlines()
        ends = csv.reader([names, last_row], delimiter=" ", strict=True)
        is_whole = bool(columns) and all(len(cells) == len(columns) for cells in ends)
    except (UserError, ValueError, csv.Error):
        is_whole = False
    if not is_whole:
        raise DamagedResultError(path, "the table is damaged or cut off")


def _head(path: Path) -> str:
    """Return the text of an ECSV up to the names of its columns."""
    lines = []
    with path.open(encoding="utf-8", newline="") as file:
        for line in file:
            lines.append(line)
            if not line.startswith("#"):
                break
    return "".join(lines)


def _last_line(path: Path) -> str:
    """Return the last line of a file; raise ValueError if it has no end."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LONGEST_LINE))
        end = file.read()
    if not end.endswith(b"\n"):
        raise ValueError("cut off")
    return end[:-1].rpartition(b"\n")[2].decode()


def size_nm_of(path: Path | str) -> tuple[float, float] | None:
    """Return how many nm a kept plane and a px of a merged table are; None if it does not say."""
    try:
        meta = ecsv.meta_of(read_text(path))
        return float(meta[PLANE_NM]), float(meta[PIXEL_NM])
    except (UserError, ValueError, KeyError):
        return None


def with_nm(table: Table, nm: Mapping[str, float]) -> Table:
    """Return a table with its lengths in nm as further columns, see `in_nm`."""
    return Table(table.columns | in_nm(table.columns, nm), table.meta)


def read_merged(sources: Iterable[Path | str], columns: dict[str, type], **meta: Any) -> Table:
    """Return all rows of the tables in `sources`, in their order; raises as `read_rows`."""
    parts = [read_cycle_table(source, columns) for source in sources]
    values = {
        name: np.concatenate([np.array([], dtype=kind), *(part[name] for part in parts)])
        for name, kind in columns.items()
    }
    return new_table(columns, values, **meta)


def with_verdicts(table: Table, verdicts: Mapping[tuple[int, str], tuple[str, str]]) -> Table:
    """Return a table of global shifts with the verdict and reason of each (ROI, cycle) in it.

    Rows of other cycles keep theirs; a failed cycle has no shift.
    """
    keys = [(int(row["ROI #"]), str(row["label"])) for row in table]
    own = [(str(row["verdict"]), str(row["reason"])) for row in table]
    final = [verdicts.get(key, known) for key, known in zip(keys, own, strict=True)]
    failed = np.array([verdict == "failed" for verdict, _ in final], dtype=bool)
    shifts = {name: np.where(failed, np.nan, table[name]) for name in ("shift_x", "shift_y")}
    said = {
        name: [pair[index] for pair in final] for index, name in enumerate(("verdict", "reason"))
    }
    return new_table(GLOBAL_COLUMNS, table.columns | shifts | said, **table.meta)


def read_rows(path: Path | str, columns: dict[str, type]) -> list[str]:
    """Return the rows of a cycle's table, a line of text each.

    Raises UserError if the table is missing, has not just these columns, lacks rows or numbers, or
    is of another cycle than its path says.
    """
    return _read(path, columns)[0]


def read_cycle_table(path: Path | str, columns: dict[str, type]) -> Table:
    """Return a cycle's table; raise UserError as `read_rows`."""
    return _read(path, columns)[1]


def _read(path: Path | str, columns: dict[str, type]) -> tuple[list[str], Table]:
    """Return (rows as text, table) of a cycle's table; raise UserError as `read_rows`."""
    text = read_text(path)
    described, rows = ecsv.parts(text)
    expected = ecsv.parts(ecsv.header(columns, {}))[0]
    if not expected.startswith(described):
        raise DamagedResultError(path, "this is not a table of this version")
    try:
        if described != expected or not rows or not rows[-1].endswith("\n") or "\0" in text:
            raise ValueError("cut off")
        table = Table(ecsv.values_of(rows, columns), ecsv.meta_of(text))
        _check_cycle(table, Path(path))
    except (ValueError, csv.Error):
        raise DamagedResultError(path, "the table is cut off or was changed") from None
    return rows, table


def _check_cycle(table: Table, path: Path) -> None:
    """Raise ValueError unless these are all rows of one cycle, block by block.

    A table at ROI/CYCLE.ecsv must be of that cycle.
    """
    cycles = {(int(row["ROI #"]), str(row["label"])) for row in table}
    roi = path.parent.name
    of_cycle = {(int(roi), path.stem)} if NUMBER_OF_ROI.fullmatch(roi) else cycles
    if len(cycles) != 1 or cycles != of_cycle:
        raise ValueError("rows of another cycle")
    if "block_i" not in table.columns:
        if len(table) != 1 or not np.isfinite([table["shift_x"], table["shift_y"]]).all():
            raise ValueError("no shift")
        return
    blocks = list(zip(table["block_i"].tolist(), table["block_j"].tolist(), strict=True))
    # The last block gives the size of the grid.
    if blocks != list(itertools.product(*(range(last + 1) for last in blocks[-1]))):
        raise ValueError("no full grid of blocks")


def write_table(path: Path | str, table: Table) -> None:
    """Write a table as ECSV, whole or not at all; equal tables give equal bytes."""
    write_text(path, ecsv.as_text(table))


def read_table(path: Path | str, columns: Iterable[str] = ()) -> "astropy.table.Table":
    """Return a table from elsewhere, read from ECSV.

    Raises UserError if it is malformed or lacks columns.
    """
    table = parse_table(read_text(path).splitlines(), path)
    missing = [name for name in columns if name not in table.colnames]
    if missing:
        raise UserError(
            f"{path}: the column '{missing[0]}' is missing; there are: {', '.join(table.colnames)}."
        )
    return table


def parse_table(lines: list[str], path: Path | str) -> "astropy.table.Table":
    """Return the table in the lines of an ECSV file; raise UserError if it is malformed."""
    from astropy.table import Table  # takes a third of a second, which most jobs do without

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # As lines: astropy takes a text of one line for a path or a URL, and opens it.
            return Table.read(lines, format="ascii.ecsv")
    except Exception as error:
        # astropy raises whatever its YAML and number parsers raise.
        first_line = (str(error).splitlines() or [""])[0][:120]
        raise UserError(
            f"{path}: this is not an ECSV table ({first_line}); write it again, or, if it is a"
            " result, remove it and run again."
        ) from None


def read_global_row(path: Path | str) -> dict[str, Any]:
    """Return the one row of a cycle's table of global shifts; raise UserError as `read_rows`."""
    return next(iter(read_cycle_table(path, GLOBAL_COLUMNS)))


def read_local_table(path: Path | str) -> Table:
    """Return a cycle's table of local shifts, a row per block; raise UserError as `read_rows`."""
    return read_cycle_table(path, LOCAL_COLUMNS)


def global_json(table: Table, roi_names: dict[int, str]) -> dict[str, dict[str, list[float]]]:
    """Return the content of register_global.json: {"ROI:005": {"RT26": [row, column]}}.

    Cycles that have failed are left out.
    """
    content: dict[str, dict[str, list[float]]] = {}
    for row in table:
        if str(row["verdict"]) == "failed":
            continue
        # The shortest decimals that give the float32 of the table back.
        shift = [float(str(np.float32(row[name]))) for name in ("shift_x", "shift_y")]
        content.setdefault(f"ROI:{roi_names[int(row['ROI #'])]}", {})[str(row["label"])] = shift
    return content


def write_global_json(path: Path | str, table: Table, roi_names: dict[int, str]) -> None:
    """Write register_global.json for a merged table of global shifts."""
    write_json(path, global_json(table, roi_names))
