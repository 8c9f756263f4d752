"""Spots come to where they lie in the reference; tables keep all else as it was."""

import contextlib
import csv
import io
import shutil
import subprocess

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

import register_localizations as command
from crossreg.fiducial.field.field_file import CycleField, save_field
from crossreg.fiducial.field.sampled_field import constant_field, sampled
from crossreg.workflow_support.for_scripts.script_main import run

SHAPE, BLOCK = (20, 200, 240), 64
GLOBAL_YX = (-12.25, 9.5)
NM = np.array((500.0, 100.0, 100.0))  # two planes of 0.25 um; px of 0.1 um


class PlantedField:
    def at(self, positions_zyx):
        z, y, x = np.asarray(positions_zyx, float).T
        shift = [1.5 + 0.02 * z + y / 400, -12 + np.sin(x / 60), 9 + 0.01 * y + 0.05 * z]
        return np.column_stack(shift), np.tile((0.1, 0.02, 0.03), (len(z), 1))


def write_field(folder, cycle, field, status="measured", **said):
    kept = CycleField(
        field=field,
        status=np.full((4, 4), status),
        roi=1,
        cycle=cycle,
        reference_file="r.tif",
        cycle_file="c.tif",
        shape_zyx=SHAPE,
        block_size_xy=BLOCK,
        z_binning=2,
        global_shift_yx=GLOBAL_YX,
        **said,
    )
    save_field(folder / "fields" / "001" / f"{cycle}.npz", kept)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return a results folder with a reference, a good, a failed and a missing cycle."""
    folder = tmp_path_factory.mktemp("results")
    cycles = ("RT0", "RT1", "RT2", "RT3")
    rows = "".join(f"001\t{cycle}\t{cycle}.tif\t\t\t\n" for cycle in cycles)
    (folder / "samples.tsv").write_text("roi\tcycle\tpath\tchannel\tgiven_x\tgiven_y\n" + rows)
    write_field(folder, "RT1", sampled(PlantedField(), SHAPE, BLOCK))
    nothing = constant_field(3 * (np.nan,), 3 * (np.nan,), SHAPE)
    write_field(folder, "RT2", nothing, status="failed")
    return folder


def registered(results, table, output, *options, frame="raw"):
    """Run the command in this process; return its status and what it said."""
    words = ["--table", table, "--output", output, "--frame", frame]
    words += ["--samples", results / "samples.tsv", "--fields", results / "fields"]
    words += ["--reference", "RT0", "--z-binning", "2"]
    words += ["--pixel-size-z", "0.25", "--pixel-size-xy", "0.1", *options]
    with contextlib.redirect_stderr(io.StringIO()) as told:
        status = run(command.parser(), command.main, [str(word) for word in words])
    return subprocess.CompletedProcess(words, status, stderr=told.getvalue())


def planted(count=300):
    """Return random positions in the reference, and those of the same spots in the cycle."""
    low, high = np.array((2, 20, 20)), np.array(SHAPE) - (3, 20, 20)
    positions = np.random.default_rng(3).uniform(low, high, (count, 3))
    return positions, positions - PlantedField().at(positions)[0]


def read_csv(path, delimiter=","):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def positions_of(rows, names=("z", "y", "x")):
    return np.array([[float(row[name]) for name in names] for row in rows])


@pytest.mark.parametrize("frame", ["raw", "global"])
@pytest.mark.parametrize(
    ("units", "z_units", "unit_zyx"),
    [
        ("px", "kept_plane", (1, 1, 1)),
        ("px", "plane", (0.5, 1, 1)),
        ("um", "um", 1000 / NM),
        ("nm", "nm", 1 / NM),
        ("nm", "plane", (0.5, 0.01, 0.01)),
    ],
)
def test_spots_reach_their_place_from_any_unit_and_frame(
    results, tmp_path, units, z_units, unit_zyx, frame
):
    truth, seen = planted()
    seen = seen + ((0, *GLOBAL_YX) if frame == "global" else 0)
    lines = ["name,roi,cycle,x,y,z"]
    for number, (z, y, x) in enumerate(seen / unit_zyx):
        lines.append(f"spot {number},1,RT1,{x},{y},{z}")
    (tmp_path / "spots.csv").write_text("\n".join(lines) + "\n")
    output = tmp_path / "out" / "spots.csv"
    options = ("--units", units, "--z-units", z_units)
    done = registered(results, tmp_path / "spots.csv", output, *options, frame=frame)
    assert done.returncode == 0, done.stderr
    rows = read_csv(output)
    assert np.abs(positions_of(rows) * unit_zyx - truth).max() < 0.005
    assert [row["name"] for row in rows] == [f"spot {number}" for number in range(len(seen))]
    raw = positions_of(rows, ("raw_z", "raw_y", "raw_x"))
    assert np.array_equal(
        raw, positions_of([dict(zip("xyz", r.split(",")[3:], strict=True)) for r in lines[1:]])
    )
    assert {row["registration"] for row in rows} == {"measured"}
    sigma = positions_of(rows, ("sigma_z_nm", "sigma_row_nm", "sigma_column_nm"))
    assert np.allclose(sigma, (50, 2, 3), atol=0.02)


def pyhim_table():
    truth, seen = planted(6)
    in_global = seen + np.array((0, *GLOBAL_YX))
    table = Table(
        {
            "Buid": [f"id {n}" for n in range(6)],
            "ROI #": np.full(6, 1),
            "CellID #": np.zeros(6, int),
            "Barcode #": [1, 1, 0, 2, 3, 9],
            "zcentroid": in_global[:, 0].astype(np.float32),
            "xcentroid": in_global[:, 2].astype(np.float32),
            "ycentroid": in_global[:, 1].astype(np.float32),
            "peak": np.array([3.25, 1e-7, 2, 3, 4, 5], np.float32),
        }
    )
    table.meta["comments"] = ["made by a test"]
    return table, truth


def test_tables_of_pyhim_are_taken_as_they_are_and_marked(results, tmp_path):
    table, truth = pyhim_table()
    table.write(tmp_path / "barcodes.dat", format="ascii.ecsv")
    output = tmp_path / "out" / "barcodes.dat"
    done = registered(results, tmp_path / "barcodes.dat", output, frame="global")
    assert done.returncode == 0, done.stderr
    assert "2 measured, 1 failed, 2 missing" in done.stderr
    found = Table.read(output, format="ascii.ecsv")
    assert (
        list(found["registration"]) == ["measured"] * 2 + ["reference", "failed"] + ["missing"] * 2
    )
    names = ("zcentroid", "ycentroid", "xcentroid")
    positions = np.array([found[name] for name in names]).T
    assert np.abs(positions[:2] - truth[:2]).max() < 0.005
    # What cannot be registered stays where it is.
    before = np.array([table[name] for name in names]).T
    assert np.abs(positions[2:] - before[2:]).max() < 1e-4
    assert np.array_equal(np.array([found[f"raw_{name}"] for name in names]).T, before)
    assert found.colnames[: len(table.colnames)] == table.colnames
    for name in table.colnames:
        assert found[name].dtype == table[name].dtype
    assert list(found["Buid"]) == list(table["Buid"])
    assert list(found["peak"]) == list(table["peak"])
    assert found.meta["comments"] == ["made by a test", "registered"]
    assert np.isnan(found["sigma_z_nm"][3:]).all()
    assert found["sigma_z_nm"][2] == 0


def test_parquet_keeps_types_and_other_columns(results, tmp_path):
    truth, seen = planted(50)
    table = pa.table(
        {
            "roi": pa.array([1] * 50),
            "cycle": pa.array(["RT1"] * 50).dictionary_encode(),
            "x": pa.array(seen[:, 2]),
            "y": pa.array(seen[:, 1], pa.float32()),
            "z": pa.array(seen[:, 0]),
            "flags": pa.array([[1, 2]] * 50),
        },
        metadata={"who": "a test"},
    )
    pq.write_table(table, tmp_path / "spots.parquet")
    output = tmp_path / "registered.parquet"
    options = ("--z-units", "kept_plane")
    done = registered(results, tmp_path / "spots.parquet", output, *options)
    assert done.returncode == 0, done.stderr
    found = pq.read_table(output)
    positions = np.column_stack([found[name].to_numpy() for name in "zyx"])
    assert np.abs(positions - truth).max() < 0.005
    assert found["flags"].to_pylist() == [[1, 2]] * 50
    assert found.schema.field("y").type == pa.float32()
    assert found.schema.metadata[b"who"] == b"a test"


@pytest.mark.parametrize("roi", ["pos7", "7", "007"])
def test_a_roi_is_found_by_its_name_and_by_its_number(tmp_path, roi):
    rows = "".join(f"pos7\t{cycle}\t{cycle}.tif\n" for cycle in ("RT0", "RT1"))
    (tmp_path / "samples.tsv").write_text("roi\tcycle\tpath\n" + rows)
    write_field(tmp_path, "RT1", sampled(PlantedField(), SHAPE, BLOCK))
    (tmp_path / "fields" / "001").rename(tmp_path / "fields" / "pos7")
    truth, found = planted()
    lines = [f"{roi},RT1,{z},{y},{x}" for z, y, x in found]
    (tmp_path / "spots.csv").write_text("\n".join(["roi,cycle,z,y,x", *lines, ""]))
    options = ("--units", "px", "--z-units", "kept_plane")
    done = registered(tmp_path, tmp_path / "spots.csv", tmp_path / "out.csv", *options)
    assert done.returncode == 0, done.stderr
    found = positions_of(read_csv(tmp_path / "out.csv"))
    assert np.abs(found - truth).max() < 0.005


def test_the_rois_that_there_are_are_listed_by_name_and_number(tmp_path):
    (tmp_path / "samples.tsv").write_text("roi\tcycle\tpath\npos7\tRT0\ta\npos7\tRT1\tb\n")
    (tmp_path / "spots.csv").write_text("roi,cycle,z,y,x\nleft,RT1,1,2,3\n")
    options = ("--units", "px", "--z-units", "kept_plane")
    done = registered(tmp_path, tmp_path / "spots.csv", tmp_path / "out.csv", *options)
    assert "there are the ROIs pos7 (7) and the cycles RT0, RT1" in done.stderr


def test_text_that_needs_quotes_and_empty_cells_survive(results, tmp_path):
    rows = ['"a, ""b""\nc",1,RT1,50,60,3', ",1,RT1,50,60,", "d,1,RT9,50,60,nan"]
    (tmp_path / "spots.csv").write_text("note,roi,cycle,x,y,z\n" + "\n".join(rows) + "\n")
    output = tmp_path / "out.csv"
    done = registered(results, tmp_path / "spots.csv", output, "--z-units", "plane")
    assert done.returncode == 0, done.stderr
    found = read_csv(output)
    assert [row["note"] for row in found] == ['a, "b"\nc', "", "d"]
    assert [row["registration"] for row in found] == ["measured", "missing", "missing"]
    assert [row["raw_z"] for row in found] == ["3", "", "nan"]


def test_spots_without_z_lie_in_the_middle_plane_and_names_are_free(results, tmp_path):
    truth, _ = planted(40)
    truth[:, 0] = 9.5
    shift = PlantedField().at(truth)[0]
    # Found in the middle plane of the cycle, which comes from another plane of the reference.
    truth[:, 0] += shift[:, 0]
    seen = truth - PlantedField().at(truth)[0]
    lines = [f"{y};{x};RT1" for _, y, x in seen]
    (tmp_path / "spots.tsv").write_text("row;col;round\n" + "\n".join(lines) + "\n")
    options = ("--column-y", "row", "--column-x", "col", "--column-cycle", "round")
    done = registered(results, tmp_path / "spots.tsv", tmp_path / "out.tsv", *options)
    assert done.returncode == 0, done.stderr
    found = positions_of(read_csv(tmp_path / "out.tsv", ";"), ("row", "col"))
    assert np.abs(found - truth[:, 1:]).max() < 0.01


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", "roi,cycle,x,y\n1,RT1,5,abc\n", "row 1 has 'abc' in the column 'y'"),
        ("a.csv", "roi,cycle,x,y\n1,RT1,5\n", "row 1 has 3 cells, but there are 4 columns"),
        ("a.csv", "roi,cycle,x\n1,RT1,5\n", "there is no column 'y' for y"),
        ("a.csv", "roi,cycle,x,y,z\n1,RT1,5,6,7\n", "say in localizations_columns whether z_units"),
        ("a.csv", "roi,cycle,x,x\n", "a column has no name, or that of another one"),
        ("a.csv", "", "no line that names its columns"),
        ("a.csv", "roi,cycle,x,y\n1,round1,5,6\n", "no spot is of a ROI and cycle that there is"),
        ("a.csv", "roi,cycle,x,y,registration\n", "the table is registered already"),
        ("a.csv", "roi,cycle,x,y,raw_x\n1,RT1,5,6,7\n", "there is a column 'raw_x' already"),
        ("a.csv", "roi,cycle,x,y,sigma_row_nm\n", "there is a column 'sigma_row_nm' already"),
        ("a.csv", "roi;cycle;x;y\n1;RT1;5,5;6\n", "row 1 has '5,5' in the column 'x'"),
        ("a.csv", "roi,cycle,x,y\n1.5,RT1,5,6\n", "no spot is of a ROI and cycle that there is"),
        ("a.xlsx", "x", "tables of spots end in"),
        ("a.parquet", "x", "this is no Parquet table"),
        ("a.ecsv", "# %ECSV 1.0\n# ---\n# nonsense: [\na b\n", "this is not an ECSV table"),
    ],
)
def test_a_faulty_table_is_named_in_one_sentence(results, tmp_path, name, content, sentence):
    (tmp_path / name).write_text(content)
    done = registered(results, tmp_path / name, tmp_path / "out" / name)
    assert done.returncode == 1, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out").glob("*"))


def test_two_keys_for_one_column_are_refused(results, tmp_path):
    (tmp_path / "a.csv").write_text("roi,cycle,x\n1,RT1,5\n")
    done = registered(results, tmp_path / "a.csv", tmp_path / "out.csv", "--column-y", "x")
    assert done.returncode == 1
    assert "the column 'x' is named for both y and x" in done.stderr


def test_row_numbers_and_other_line_ends_are_taken(results, tmp_path):
    (tmp_path / "a.csv").write_bytes(b",roi,cycle,x,y\r\n0,1,RT1,50,60\r\n1,1,RT9,50,60")
    done = registered(results, tmp_path / "a.csv", tmp_path / "out.csv")
    assert done.returncode == 0, done.stderr
    rows = read_csv(tmp_path / "out.csv")
    assert [row["registration"] for row in rows] == ["measured", "missing"]
    assert [row[""] for row in rows] == ["0", "1"]


def test_spots_without_a_position_stay_as_they_are_and_are_told(results, tmp_path):
    table = tmp_path / "spots.csv"
    table.write_text("cycle,z,y,x\nRT1,2,,20\nRT1,2,nan,20\nRT1,2,inf,20\nRT1,2,20,20\n")
    done = registered(results, table, tmp_path / "out.csv", "--z-units", "kept_plane")
    assert done.returncode == 0
    assert "3 of them have an empty or infinite position, and stay as they are" in done.stderr
    rows = read_csv(tmp_path / "out.csv")
    assert [row["registration"] for row in rows] == ["missing", "missing", "missing", "measured"]
    assert [row["raw_y"] for row in rows] == ["", "nan", "inf", "20"]


def test_spots_outside_of_the_image_are_told(results, tmp_path):
    (tmp_path / "a.csv").write_text("roi,cycle,x,y\n1,RT1,5000,60\n1,RT1,50,60\n")
    done = registered(results, tmp_path / "a.csv", tmp_path / "out.csv")
    assert done.returncode == 0, done.stderr
    assert "2 spots: 1 measured, 1 borrowed. 1 of them lie outside of the image" in done.stderr


def test_spots_of_doubtful_cycles_are_told(results, tmp_path):
    shutil.copytree(results, tmp_path / "results")
    said = {"verdict": "doubtful", "reason": "it slipped"}
    write_field(tmp_path / "results", "RT1", sampled(PlantedField(), SHAPE, BLOCK), **said)
    (tmp_path / "a.csv").write_text("roi,cycle,x,y\n1,RT1,50,60\n1,RT0,50,60\n")
    done = registered(tmp_path / "results", tmp_path / "a.csv", tmp_path / "out.csv")
    assert done.returncode == 0
    assert "doubtful (summary.tsv says why): spots of ROI 001, cycle RT1." in done.stderr
    assert "doubtful" not in registered(results, tmp_path / "a.csv", tmp_path / "b.csv").stderr


def test_damaged_parquet_tables_are_told(results, tmp_path):
    path, output = tmp_path / "a.parquet", tmp_path / "out" / "a.parquet"
    columns = {"roi": [1] * 999, "cycle": ["RT1"] * 999} | {k: np.arange(999.0) for k in "yx"}
    pq.write_table(pa.table(columns), path)
    content = path.read_bytes()
    path.write_bytes(content[:40] + bytes(200) + content[240:])
    done = registered(results, path, output)
    assert done.returncode == 1, done.stderr
    assert "the Parquet table is damaged" in done.stderr
    twice = pa.Table.from_arrays([pa.array([1.0]), pa.array([1.0])], names=["x", "x"])
    pq.write_table(twice, path)
    done = registered(results, path, output)
    assert "a column has no name, or that of another one" in done.stderr
    assert not list(output.parent.glob("*"))


def test_a_table_is_not_registered_twice(results, tmp_path):
    table, _ = pyhim_table()
    table.write(tmp_path / "spots.ecsv", format="ascii.ecsv")
    first = tmp_path / "first.ecsv"
    assert registered(results, tmp_path / "spots.ecsv", first, frame="global").returncode == 0
    again = registered(results, first, tmp_path / "second.ecsv", frame="global")
    assert again.returncode == 1
    assert "it is registered already" in again.stderr
    assert not (tmp_path / "second.ecsv").exists()
