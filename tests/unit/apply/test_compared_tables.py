"""Two tables of blocks: where and by how much they differ, however a shift is split."""

import contextlib
import io

import numpy as np
import pytest
from astropy.table import Table

import compare_block_tables as command
from crossreg.io.cycle_tables import PIXEL_NM, PLANE_NM
from crossreg.workflow_support.for_scripts.script_main import run


def table(shift=(0.0, 0.0, 0.0), split=None, edge=64, cycles=("RT1", "RT2")):
    """Return a table of 2 x 3 blocks per cycle with a shift (z, x, y), maybe in two parts."""
    i, j = (index.ravel() for index in np.indices((2, 3)))
    count, n = len(cycles), len(i)
    columns = {
        "blockXY": np.full(count * n, edge),
        "ROI #": np.full(count * n, 5),
        "label": np.repeat(cycles, n),
        "block_i": np.tile(i, count),
        "block_j": np.tile(j, count),
    }
    columns |= {
        f"shift_{axis}": np.full(count * n, value, np.float32)
        for axis, value in zip("zxy", shift, strict=True)
    }
    if split:
        columns |= {
            "global_x": np.full(count * n, split[0]),
            "global_y": np.full(count * n, split[1]),
        }
    return Table(columns)


def told(tmp_path, first, second, *options):
    for name, one in (("a.ecsv", first), ("b.dat", second)):
        one.write(tmp_path / name, format="ascii.ecsv", overwrite=True)
    words = [str(tmp_path / "a.ecsv"), str(tmp_path / "b.dat"), *map(str, options)]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(command.parser(), command.main, words)
    return status, out.getvalue(), err.getvalue()


def test_the_block_that_differs_is_named(tmp_path):
    other = table((1, 2, 3))
    other["shift_x"][10] += 4.5  # RT2, block (1, 1)
    status, text, _ = told(tmp_path, table((1, 2, 3)), other, "--picture", tmp_path / "d.png")
    assert status == 0
    rows = [line.split() for line in text.splitlines()[3:]]
    assert rows[0][:9] == ["5", "RT1", "6", *6 * ["0.000"]]
    assert rows[1][:9] == ["5", "RT2", "6", *3 * ["0.000"], "0.000", "4.500", "0.000"]
    assert text.splitlines()[4].endswith("(1, 1)")
    assert (tmp_path / "d.png").read_bytes().startswith(b"\x89PNG")
    status, _, said = told(tmp_path, other, other, "--picture", tmp_path / "d.jpg")
    assert status == 1 and "let its name end with .png" in said


def test_how_a_shift_is_split_does_not_matter(tmp_path):
    one, two = table((1, 2, 3), split=(10, 20)), table((1, 5, 2), split=(7, 21))
    text = told(tmp_path, one, two)[1]
    assert all(line.split()[3:9] == 6 * ["0.000"] for line in text.splitlines()[3:])


def test_blocks_of_one_table_only_and_without_shift_are_counted(tmp_path):
    second = table((1, 2, 3), cycles=("RT2",))
    second["shift_z"][0] = np.nan
    text = told(tmp_path, table((1, 2, 3)), second)[1]
    assert "6 blocks are in both tables; only in the first: 6, only in the second: 0." in text
    assert ", 1 without a shift" in text


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (table(edge=32), "edges of [64] and [32] px"),
        (table(cycles=("RT9",)), "No block is in both tables"),
        (Table({"a": [1]}), "the column 'ROI #' is missing"),
    ],
)
def test_tables_that_cannot_be_compared(tmp_path, second, sentence):
    status, _, err = told(tmp_path, table(), second)
    assert status == 1
    assert sentence in err


def test_a_table_that_says_its_size_of_pixels_gives_nm(tmp_path):
    one = table((1, 2, 3))
    one.meta.update({PLANE_NM: 500.0, PIXEL_NM: 100.0})
    _, text, _ = told(tmp_path, one, table((1.5, 2.25, 2)))
    assert text.splitlines()[3].split()[9:12] == ["250.0", "25.0", "100.0"]


def test_rois_are_called_by_their_names_and_found_in_a_table_without_them(tmp_path):
    named = table((1, 2, 3))
    named["ROI name"] = "pos5"
    for first, second in ((named, named), (named, table()), (table(), named)):
        status, text, _ = told(tmp_path, first, second)
        assert status == 0
        assert text.startswith("12 blocks are in both tables; only in the first: 0,")
        assert " pos5 RT1" in text


def test_leading_zeros_of_a_roi_do_not_count(tmp_path):
    named = table((1, 2, 3))
    named["ROI name"] = "005"
    status, text, _ = told(tmp_path, named, table())
    assert status == 0
    assert text.startswith("12 blocks are in both")
