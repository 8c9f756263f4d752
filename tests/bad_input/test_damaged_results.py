"""What earlier jobs left, cut or spoilt as by a crash of the disk, is named in one sentence."""

import numpy as np
import pytest

from crossreg.fiducial.reference import load_reference, prepare_reference, save_reference
from crossreg.fiducial.summary import missing_cycle, read_summaries, write_summaries
from crossreg.io.arrays import load_array
from crossreg.io.errors import UserError
from crossreg.io.tables import (
    GLOBAL_COLUMNS,
    LOCAL_COLUMNS,
    read_global_row,
    read_local_table,
    read_table,
    write_merged,
    write_table,
)
from crossreg.pictures.previews import load_preview, save_preview, slab_of, stack_preview
from crossreg.report.page import run_times
from make_report import benchmarks
from planted_tables import global_table, local_table

STACK = np.random.default_rng(1).integers(0, 999, (4, 64, 64)).astype(np.uint16)


def save_array(path):
    with path.open("wb") as file:
        np.save(file, STACK)


def save_blocks(path):
    save_reference(path, prepare_reference(STACK, block_size_xy=32))


def save_small_images(path):
    save_preview(path, stack_preview(STACK, slab_of(STACK.max(axis=0), 32), full=True))


ARRAYS = {
    "projection.npy": (save_array, load_array),
    "blocks.npz": (save_blocks, load_reference),
    "preview.npz": (save_small_images, load_preview),
}


def cut(share):
    """Return a damage that leaves a share of the bytes, never all of them."""
    return lambda content: content[: min(int(len(content) * share), len(content) - 1)]


DAMAGES = {
    "emptied": cut(0),
    "cut in its header": cut(0.001),
    "cut early": cut(0.2),
    "cut in the middle": cut(0.5),
    "cut of its last byte": cut(1),
    "zeros": lambda content: bytes(len(content)),
    "text": lambda content: b"<html>login</html>",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ARRAYS)
def test_damaged_arrays(name, damage, tmp_path):
    save, load = ARRAYS[name]
    path = tmp_path / name
    save(path)
    load(path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(UserError) as told:
        load(path)
    assert str(told.value) == f"{path}: the file is damaged; remove it and run again."


def test_arrays_that_would_run_code_when_read_are_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    path = tmp_path / "projection.npy"
    np.save(path, np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="is damaged"):
        load_array(path)
    assert not (tmp_path / "sprung").exists()


TABLES = {
    "global.ecsv": (GLOBAL_COLUMNS, lambda: global_table("001", "RT1"), read_global_row),
    "local.ecsv": (LOCAL_COLUMNS, lambda: local_table("001", "RT1"), read_local_table),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", TABLES)
def test_damaged_tables_are_not_merged(name, damage, tmp_path):
    columns, table, read = TABLES[name]
    path, merged = tmp_path / name, tmp_path / "merged.ecsv"
    write_table(path, table())
    write_merged(merged, [path], columns)
    merged.unlink()
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    told = rf"{name}: .*; remove it and run again\."
    with pytest.raises(UserError, match=told):
        write_merged(merged, [path], columns)
    assert not merged.exists()
    with pytest.raises(UserError, match=told):
        read(path)


def test_a_table_that_ends_after_a_row_is_not_merged(tmp_path):
    path = tmp_path / "local.ecsv"
    write_table(path, local_table("001", "RT1").taken(slice(-1)))
    assert len(read_table(path)) == 15
    with pytest.raises(
        UserError, match=r"local\.ecsv: the table is cut off or was changed; remove it"
    ):
        write_merged(tmp_path / "merged.ecsv", [path], LOCAL_COLUMNS)
    with pytest.raises(
        UserError, match=r"local\.ecsv: the table is cut off or was changed; remove it"
    ):
        read_local_table(path)


def lines_changed(change):
    """Return a function that changes the lines of a table's rows, a list, in place."""

    def changed(text):
        lines = text.splitlines(keepends=True)
        start = next(i for i, line in enumerate(lines) if not line.startswith("#")) + 1
        rows = lines[start:]
        change(rows)
        return "".join(lines[:start] + rows)

    return changed


ROWS = {
    "text for a number": lambda rows: rows.__setitem__(2, rows[2].replace(" 128 ", " abc ")),
    "no number": lambda rows: rows.__setitem__(2, rows[2].replace(" 128 ", ' "" ')),
    "zeros": lambda rows: rows.__setitem__(2, "\0" * 30 + rows[2][30:]),
    "blank line": lambda rows: rows.__setitem__(2, "\n"),
    "row twice": lambda rows: rows.__setitem__(2, rows[1]),
    "row of another cycle": lambda rows: rows.__setitem__(2, rows[2].replace(" RT1 ", " RT2 ")),
    "all of another cycle": lambda rows: rows.__setitem__(
        slice(None), [row.replace(" RT1 ", " RT2 ") for row in rows]
    ),
}


@pytest.mark.parametrize("kind", ROWS)
def test_a_table_with_a_damaged_row_is_not_merged(tmp_path, kind):
    path = tmp_path / "001" / "RT1.ecsv"
    write_table(path, local_table("001", "RT1"))
    sound = path.read_text()
    path.write_text(lines_changed(ROWS[kind])(sound))
    assert path.read_text() != sound
    with pytest.raises(UserError, match=r"001/RT1\.ecsv: the table is cut off or was changed"):
        write_merged(tmp_path / "merged.ecsv", [path], LOCAL_COLUMNS)


@pytest.mark.parametrize("value", ["nan", "inf", "1e400", '""', "1,0"])
def test_a_global_shift_that_is_no_number_is_not_merged(tmp_path, value):
    path = tmp_path / "001" / "RT1.ecsv"
    write_table(path, global_table("001", "RT1"))
    read_global_row(path)
    path.write_text(path.read_text().replace(" 0.8 ", f" {value} "))
    with pytest.raises(UserError, match=r"001/RT1\.ecsv: the table is cut off or was changed"):
        read_global_row(path)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_run_times_are_passed_over(damage, tmp_path):
    whole, damaged = (tmp_path / "register_global" / name for name in ("RT1.tsv", "RT2.tsv"))
    whole.parent.mkdir()
    whole.write_text("s\th:m:s\tmax_rss\n2.5\t0:00:02\t150.5\n")
    damaged.write_bytes(DAMAGES[damage](whole.read_bytes()))
    seconds, memory = benchmarks(tmp_path)
    assert seconds["register_global"][0] == 2.5
    assert memory["register_global"][0] == 150.5
    (row,) = run_times(*benchmarks(tmp_path))
    assert (row["longest"], row["memory"]) == (2.5, 150.5)
    whole.unlink()
    # Without any number there is no row.
    assert len(run_times(*benchmarks(tmp_path))) < 2


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_summaries(damage, tmp_path):
    path = tmp_path / "summary.tsv"
    write_summaries(path, [missing_cycle("001", f"RT{number}", "lost") for number in range(20)])
    assert len(read_summaries(path)) == 20
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(UserError, match=r"summary\.tsv: .*remove it and run again"):
        read_summaries(path)
