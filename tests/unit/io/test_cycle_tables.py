"""Tables keep pyHiM's columns, types and bytes; given shifts are matched to the right cycles."""

import io

import numpy as np
import pytest
from astropy.table import Table

from crossreg.io import ecsv
from crossreg.io.cycle_tables import (
    GLOBAL_COLUMNS,
    LOCAL_COLUMNS,
    columns_in_nm,
    global_json,
    new_table,
    read_merged,
    read_table,
    with_nm,
    with_verdicts,
    write_merged,
    write_table,
)
from crossreg.io.ecsv import as_text, meta_of, parts, values_of
from crossreg.io.errors import UserError
from crossreg.io.given_shifts import GivenShifts
from planted_tables import local_table

REAL_GLOBAL = "register_global.table"
REAL_LOCAL = "register_global_block3D.dat"
NM = {"z": 500.0, "x": 108.3, "y": 108.3}


def global_row(label, shift, roi=5):
    return new_table(
        GLOBAL_COLUMNS,
        {
            "aligned file": f"{label}.tif",
            "reference file": "RT27.tif",
            "shift_x": shift[0],
            "shift_y": shift[1],
            "error": np.nan,
            "diffphase": 0,
            "turn": 0,
            "z_step": 1.0,
            "ROI #": roi,
            "label": label,
            "source": "computed",
            "verdict": "registered",
            "reason": "",
            "ROI name": f"{roi:03d}",
        },
        note="of one cycle",
    )


@pytest.mark.parametrize(
    ("columns", "file"), [(GLOBAL_COLUMNS, REAL_GLOBAL), (LOCAL_COLUMNS, REAL_LOCAL)]
)
def test_columns_begin_with_pyhims_in_its_order_and_types(shared_data, columns, file):
    theirs = Table.read(shared_data / "pyhim-2d" / file, format="ascii.ecsv")
    ours = new_table(columns, {name: [] for name in columns})
    assert ours.colnames[: len(theirs.colnames)] == theirs.colnames
    for name in theirs.colnames:
        assert ours[name].dtype.kind == theirs[name].dtype.kind, name
        if theirs[name].dtype.kind != "U":
            assert ours[name].dtype == theirs[name].dtype, name


def merged(folder, *tables, columns=GLOBAL_COLUMNS, **meta):
    """Return the path of the merged table of some tables."""
    sources = [folder / f"{index}.ecsv" for index in range(len(tables))]
    for source, table in zip(sources, tables, strict=True):
        write_table(source, table)
    assert write_merged(folder / "merged.ecsv", sources, columns, NM, **meta) == len(tables)
    return folder / "merged.ecsv"


def test_a_merged_table_has_the_rows_and_not_the_notes_of_its_parts(tmp_path):
    rows = [global_row("DAPI", (1.25, -2)), global_row("a b", (-0.5, 0.1), roi=12)]
    path = merged(tmp_path, *rows)
    back = read_table(path, GLOBAL_COLUMNS)
    assert list(back["label"]) == ["DAPI", "a b"]
    np.testing.assert_array_equal(back["shift_x"], np.array([1.25, -0.5], "float32"))
    for name, kind in GLOBAL_COLUMNS.items():
        assert back[name].dtype.kind == np.dtype(kind).kind
    assert "note" not in back.meta
    # Merging as text gives the bytes that writing the whole table gives.
    whole = new_table(
        GLOBAL_COLUMNS, {name: [row[name][0] for row in rows] for name in GLOBAL_COLUMNS}
    )
    write_table(tmp_path / "whole.ecsv", with_nm(whole, NM))
    assert path.read_bytes() == (tmp_path / "whole.ecsv").read_bytes()


def test_lengths_follow_in_nm_after_all_other_columns(tmp_path):
    table = local_table("001", "RT1")
    write_table(tmp_path / "one.ecsv", table)
    write_merged(tmp_path / "merged.ecsv", [tmp_path / "one.ecsv"], LOCAL_COLUMNS, NM)
    found = read_table(tmp_path / "merged.ecsv")
    in_nm = [name for name in found.colnames if name.endswith("_nm")]
    assert found.colnames == [*LOCAL_COLUMNS, *in_nm]
    lengths = ("shift_z", "global_y", "measured_x", "sigma_z", "sigma_x", "sigma_y")
    assert {f"{name}_nm" for name in lengths} <= set(in_nm)
    for name in in_nm:
        expected = np.asarray(table[name[:-3]], float) * NM[name[-4]]
        np.testing.assert_allclose(found[name], expected, atol=0.006)
    write_table(tmp_path / "whole.ecsv", with_nm(ecsv.Table(table.columns), NM))
    assert (tmp_path / "whole.ecsv").read_bytes() == (tmp_path / "merged.ecsv").read_bytes()


def test_a_cycle_without_a_shift_has_none_in_nm(tmp_path):
    failed = with_verdicts(global_row("RT1", (1.5, 2)), {(5, "RT1"): ("failed", "it differs")})
    assert np.isnan(with_nm(failed, NM)["shift_x_nm"]).all()
    assert list(with_nm(global_row("RT1", (1.5, 2)), NM)["shift_y_nm"]) == [216.6]


def test_a_merged_table_says_what_is_missing(tmp_path):
    path = merged(tmp_path, global_row("RT1", (0, 0)), missing=[{"ROI": "001", "label": "RT2"}])
    assert read_table(path).meta["missing"] == [{"ROI": "001", "label": "RT2"}]


def test_tables_of_other_columns_are_not_merged(tmp_path):
    write_table(tmp_path / "old.ecsv", new_table({"shift_x": float}, {"shift_x": 1.0}))
    with pytest.raises(UserError, match=r"old\.ecsv: .* remove it"):
        write_merged(tmp_path / "merged.ecsv", [tmp_path / "old.ecsv"], GLOBAL_COLUMNS, NM)
    assert not (tmp_path / "merged.ecsv").exists()


AWKWARD = ["a b", 'x"y', "", "#c", "é", "a'b", "None", "nan", "-", "\\", "1", "a, b", " c "]
NUMBERS = [1e-9, 1e16, np.nan, 0.1, -0.0, 1e5, np.inf, 3, 123456.78, -7.25, 1 / 3, 2**24 + 1, 0]


def test_tables_are_the_bytes_that_astropy_writes_and_are_read_back():
    columns = {"a name": str, "shift_x": np.float32, "ROI #": np.int64, "y": np.float64}
    values = [AWKWARD, NUMBERS, list(range(-6, 7)), NUMBERS]
    ours = new_table(columns, dict(zip(columns, values, strict=True)), threshold=3.5, pairs=4)
    theirs = Table(
        {name: np.array(of, kind) for (name, kind), of in zip(columns.items(), values, strict=True)}
    )
    theirs.meta.update(threshold=3.5, pairs=4)
    written = io.StringIO()
    theirs.write(written, format="ascii.ecsv")
    assert as_text(ours) == written.getvalue()
    rows = parts(as_text(ours))[1]
    for name, back in values_of(rows, columns).items():
        expected = [text.strip() for text in AWKWARD] if name == "a name" else ours[name]
        np.testing.assert_array_equal(back, expected)


def test_what_a_table_says_of_itself_is_read_by_astropy_and_by_us(tmp_path):
    meta = {
        "reason": "few: \"a\" # {b}, 'c' - \u2028\n",
        "verdict": "no",
        "held_out": [0.1, float("nan")],
        "missing": [{"ROI": "001", "label": "RT2"}],
        "count": 3,
        "nothing": None,
    }
    path = tmp_path / "one.ecsv"
    write_table(path, new_table({"x": float}, {"x": 1.0}, **meta))
    expected = meta | {"held_out": [0.1, None]}
    assert meta_of(path.read_text()) == expected
    assert dict(read_table(path).meta) == expected


def test_merging_nothing_gives_all_columns_and_no_row(tmp_path):
    table = read_table(merged(tmp_path, columns=LOCAL_COLUMNS))
    assert table.colnames == [*LOCAL_COLUMNS, *columns_in_nm(LOCAL_COLUMNS)]
    assert len(table) == 0


def test_the_json_has_pyhims_shape_and_short_numbers():
    table = global_row("RT26", (-5.18, 6.62))
    assert global_json(table, {5: "005"}) == {"ROI:005": {"RT26": [-5.18, 6.62]}}


def test_the_verdict_of_the_local_step_is_the_last_word(tmp_path):
    sources = [tmp_path / "one.ecsv", tmp_path / "two.ecsv"]
    for source, label in zip(sources, ("RT1", "RT2"), strict=True):
        write_table(source, global_row(label, (1.5, 2)))
    table = read_merged(sources, GLOBAL_COLUMNS)
    judged = with_verdicts(table, {(5, "RT2"): ("failed", "it does not match, 'at all'")})
    write_table(tmp_path / "merged.ecsv", judged)
    back = read_table(tmp_path / "merged.ecsv", GLOBAL_COLUMNS)
    assert list(back["verdict"]) == ["registered", "failed"]
    assert list(back["reason"].filled("")) == ["", "it does not match, 'at all'"]
    np.testing.assert_array_equal(back["shift_x"], [1.5, np.nan])
    np.testing.assert_array_equal(back["shift_y"], [2, np.nan])
    assert global_json(judged, {5: "005"}) == {"ROI:005": {"RT1": [1.5, 2]}}
    given = GivenShifts(tmp_path / "merged.ecsv")
    assert given.shift("005", "RT1", "RT1.tif", "RT27.tif") == (1.5, 2)
    assert given.shift("005", "RT2", "RT2.tif", "RT27.tif") is None


@pytest.mark.parametrize("file", [REAL_GLOBAL, "register_global.json"])
def test_pyhims_own_shifts_are_found_for_their_cycles(shared_data, file):
    given = GivenShifts(shared_data / "pyhim-2d" / file)
    names = {
        "RT26": "somewhere/scan_001_RT26_005_ROI_converted_decon_ch00.tif",
        "RT1": "scan_001_RT1_005_ROI_converted_decon_ch00.tif",
    }
    reference = "elsewhere/scan_001_RT27_005_ROI_converted_decon_ch00.tif"
    assert given.shift("005", "RT26", names["RT26"], reference) == pytest.approx((-5.18, 6.62))
    assert given.shift("005", "RT1", names["RT1"], reference) is None
    assert len(given.unused()) == 1
    assert "DAPI" in given.unused()[0]


def test_a_table_of_pyhim_without_names_of_files_is_explained(tmp_path):
    nameless = Table({"aligned file": [".tif"], "shift_x": [1.5], "shift_y": [2.5]})
    nameless.write(tmp_path / "shifts.table", format="ascii.ecsv")
    with pytest.raises(UserError, match=r"rows hold '.tif' instead of names .* give its .json"):
        GivenShifts(tmp_path / "shifts.table")


def test_shifts_against_another_reference_are_refused(shared_data):
    given = GivenShifts(shared_data / "pyhim-2d" / REAL_GLOBAL)
    with pytest.raises(UserError, match="registered to 'scan_001_RT27.*the reference is 'RT1.tif'"):
        given.shift("5", "RT26", "scan_001_RT26_005_ROI_converted_decon_ch00.tif", "RT1.tif")


@pytest.mark.parametrize(
    "text", ["", "a b\n1 2\n", "# %ECSV 1.0\n# ---\n# x: [\na\n1\n", "\x00\x01"]
)
def test_a_file_that_is_no_table_is_refused(tmp_path, text):
    path = tmp_path / "given.ecsv"
    path.write_text(text)
    with pytest.raises(UserError, match="given.ecsv"):
        read_table(path, ["shift_x"])
