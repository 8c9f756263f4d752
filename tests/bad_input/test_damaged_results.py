"""What earlier jobs left, cut or spoilt as by a crash of the disk, is named in one sentence."""

import os
import shutil

import numpy as np
import pytest
import tifffile

import reference_blocks
from crossreg.fiducial.reference import load_reference, prepare_reference, save_reference
from crossreg.fiducial.summary.cycle_summary import missing_cycle, read_summaries, write_summaries
from crossreg.io.cycle_tables import (
    GLOBAL_COLUMNS,
    LOCAL_COLUMNS,
    check_whole,
    read_global_row,
    read_local_table,
    read_table,
    write_global_json,
    write_merged,
    write_table,
)
from crossreg.io.errors import DamagedResultError, UserError
from crossreg.io.intermediate_arrays import load_arrays, made_with, save_arrays
from crossreg.pictures.of_cycles.previews import load_preview, save_preview
from crossreg.pictures.of_cycles.stack_previews import slab_of, stack_preview
from crossreg.report.page import run_times
from make_report import benchmarks
from planted_tables import global_table, local_table

STACK = np.random.default_rng(1).integers(0, 999, (4, 64, 64)).astype(np.uint16)


PARAMETERS = {"zBinning": 2, "background_sigma": 3.0, "mode": "full", "zmax": None}
OF_REFERENCE = {"image": "RT0.tif", "size and time of the image": "1000 17", **PARAMETERS}


def save_projection(path):
    save_arrays(path, [STACK[0]], OF_REFERENCE)


def load_projection(path):
    return load_arrays(path, 1, OF_REFERENCE)


def save_blocks(path):
    save_reference(path, prepare_reference(STACK, block_size_xy=32), OF_REFERENCE)


def save_small_images(path):
    save_preview(path, stack_preview(STACK, slab_of(STACK.max(axis=0), 32), full=True))


ARRAYS = {
    "projection.npy": (save_projection, load_projection),
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
        load_projection(path)
    assert not (tmp_path / "sprung").exists()


CHANGES = {
    "parameter": (OF_REFERENCE | {"zBinning": 1}, "made with zBinning 2, but 1 is asked for"),
    "another image": (OF_REFERENCE | {"image": "RT1.tif"}, "made with image 'RT0.tif'"),
    "image has changed": (
        OF_REFERENCE | {"size and time of the image": "1000 18"},
        "made with size and time of the image '1000 17'",
    ),
    "not said": (OF_REFERENCE | {"blockSizeXY": 128}, "made with blockSizeXY something else"),
}


@pytest.mark.parametrize("name", ["projection.npy", "blocks.npz"])
@pytest.mark.parametrize("change", CHANGES)
def test_arrays_made_with_something_else_are_refused(name, change, tmp_path):
    save, _ = ARRAYS[name]
    load = load_reference if name == "blocks.npz" else lambda path, of: load_arrays(path, 1, of)
    save(tmp_path / name)
    load(tmp_path / name, OF_REFERENCE)
    expected, told = CHANGES[change]
    with pytest.raises(UserError, match=rf"{name}: it was {told}.*; remove it and run again"):
        load(tmp_path / name, expected)


def test_arrays_of_an_earlier_version_are_refused(tmp_path):
    np.save(tmp_path / "projection.npy", STACK[0])
    with pytest.raises(UserError, match="was made by another version; remove it"):
        load_projection(tmp_path / "projection.npy")
    save_arrays(tmp_path / "new.npy", [STACK[0]], {"format": "crossreg-arrays/0"})
    with pytest.raises(UserError, match="made with format 'crossreg-arrays/0'"):
        load_arrays(tmp_path / "new.npy", 1, {})


def test_a_touched_image_is_another_one_and_a_moved_one_is_not(tmp_path):
    image, moved = tmp_path / "RT0.tif", tmp_path / "moved" / "RT0.tif"
    image.write_bytes(b"pixels")
    before = made_with(image, PARAMETERS)
    moved.parent.mkdir()
    shutil.move(image, moved)
    assert made_with(moved, PARAMETERS) == before
    os.utime(moved, ns=(1, 1))
    assert made_with(moved, PARAMETERS) != before


def test_a_reference_prepared_with_other_parameters_is_refused_by_the_command(
    tmp_path, sentence_of
):
    """Half a plane of shift became 4.8 when one image was touched after zBinning was changed."""
    image, prepared = tmp_path / "RT0.tif", tmp_path / "blocks.npz"
    tifffile.imwrite(image, STACK, photometric="minisblack")
    options = ["--reference", str(image), "--output", str(prepared), "--blockSizeXY", "32"]
    words = reference_blocks.parser().parse_args([*options, "--zBinning", "1"])
    reference_blocks.main(words)
    write_table(tmp_path / "global.ecsv", global_table("001", "RT1"))
    hand = ["--reference-blocks", prepared, "--reference", image, "--cycle", image]
    hand += ["--global-shift", tmp_path / "global.ecsv", "--output", tmp_path / "local.ecsv"]
    sentence = sentence_of("register_local", *hand, "--blockSizeXY", 32, "--zBinning", 2)
    assert "blocks.npz: it was made with zBinning 1, but 2 is asked for here; remove it" in sentence


NM = {"z": 500.0, "x": 100.0, "y": 100.0}
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
    write_merged(merged, [path], columns, NM)
    merged.unlink()
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    told = rf"{name}: .*; remove it and run again\."
    with pytest.raises(UserError, match=told):
        write_merged(merged, [path], columns, NM)
    assert not merged.exists()
    with pytest.raises(UserError, match=told):
        read(path)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["merged.ecsv", "merged.json"])
def test_damaged_merged_tables_are_told(name, damage, tmp_path):
    path, one = tmp_path / name, tmp_path / "local.ecsv"
    write_table(one, local_table("001", "RT1"))
    if name.endswith(".json"):
        write_global_json(path, global_table("001", "RT1"), {1: "001"})
    else:
        write_merged(path, [one], LOCAL_COLUMNS, NM)
    check_whole(path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(DamagedResultError, match="damaged or cut off; remove it and run again"):
        check_whole(path)


def test_a_merged_table_without_rows_is_whole(tmp_path):
    write_merged(tmp_path / "merged.ecsv", [], LOCAL_COLUMNS, NM, missing=[])
    check_whole(tmp_path / "merged.ecsv")


def test_a_table_that_ends_after_a_row_is_not_merged(tmp_path):
    path = tmp_path / "local.ecsv"
    write_table(path, local_table("001", "RT1").taken(slice(-1)))
    assert len(read_table(path)) == 15
    with pytest.raises(
        UserError, match=r"local\.ecsv: the table is cut off or was changed; remove it"
    ):
        write_merged(tmp_path / "merged.ecsv", [path], LOCAL_COLUMNS, NM)
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
        write_merged(tmp_path / "merged.ecsv", [path], LOCAL_COLUMNS, NM)


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
