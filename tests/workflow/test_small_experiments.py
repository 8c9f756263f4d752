"""Experiments of every shape run through the real Snakemake and give the planted shifts."""

import json

import numpy as np
import pytest
import tifffile

from crossreg.fiducial.field.field_file import load_field
from crossreg.io.cycle_tables import GLOBAL_COLUMNS, LOCAL_COLUMNS, read_table
from fiducial_images import drawn, spot_positions
from snakemake_runs import snakemake, write_configuration

# What is added to a position in the cycle to bring it to the reference: planes, rows, columns.
PLANTED = {"RT1": (1, 3, -4), "DAPI": (-1, -2, 5)}


def write_experiment(folder, shape, planes_of_cycles=None, kinds=({},), dtype="uint16"):
    """Write the stacks of ROI 7: spots, moved as planted, each file of another kind of TIFF."""
    images = folder / "images" / "ROI 7"
    images.mkdir(parents=True)
    positions = spot_positions(shape, 120, seed=3)
    for index, (cycle, shift) in enumerate({"RT27": (0, 0, 0), **PLANTED}.items()):
        planes = shape[0] if index == 0 else planes_of_cycles or shape[0]
        shift = np.array(shift) * (1 if shape[0] > 1 else (0, 1, 1))
        stack = drawn((planes, *shape[1:]), positions - shift, noise=4.0, seed=index)
        channel = "ch01" if cycle == "DAPI" else "ch00"
        tifffile.imwrite(
            images / f"scan_001_{cycle}_007_ROI_converted_decon_{channel}.tif",
            (stack // 4 if dtype == "uint8" else stack).astype(dtype),
            photometric="minisblack",
            **kinds[index % len(kinds)],
        )


def run_through(folder, *arguments, parameters=None, **keys):
    configuration = write_configuration(folder, parameters, images="images", **keys)
    run = snakemake(*arguments, "--configfile", configuration, folder=folder)
    assert run.returncode == 0, run.stdout
    return run.stdout


def total_errors(folder):
    """Return (table, error of the total shift (n, 3) in z, x, y) of the merged local table."""
    table = read_table(folder / "out" / "register_local_block3D.ecsv", LOCAL_COLUMNS)
    found = np.array(
        [
            table["shift_z"],
            table["shift_x"] + table["global_x"],
            table["shift_y"] + table["global_y"],
        ]
    ).T
    return table, found - np.array([PLANTED[str(label)] for label in table["label"]])


KINDS = (
    {"imagej": True, "metadata": {"axes": "ZYX"}},
    {"ome": True, "metadata": {"axes": "ZYX"}},
    {"bigtiff": True, "compression": "zlib", "metadata": None},
)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_wide_stacks_that_are_no_multiple_of_the_block_have_a_full_grid(tmp_path, dtype):
    write_experiment(
        tmp_path, (10, 112, 200), kinds=KINDS if dtype == "uint8" else ({},), dtype=dtype
    )
    run_through(tmp_path, parameters={"blockSizeXY": 64})
    table, errors = total_errors(tmp_path)
    grid = [(i, j) for i in range(2) for j in range(4)]
    assert list(zip(table["block_i"], table["block_j"], strict=True)) == grid * 2
    assert set(table["blockXY"]) == {64}
    assert np.abs(errors).max() < 0.5


def test_cycles_may_have_more_planes_than_the_reference(tmp_path):
    write_experiment(tmp_path, (10, 128, 128), planes_of_cycles=13)
    run_through(tmp_path, parameters={"blockSizeXY": 64})
    _, errors = total_errors(tmp_path)
    assert np.abs(errors).max() < 0.5


def test_a_rigid_motion_is_one_shift_everywhere(tmp_path):
    write_experiment(tmp_path, (10, 128, 128))
    run_through(tmp_path, "tables", parameters={"blockSizeXY": 64}, motion="rigid")
    table, errors = total_errors(tmp_path)
    assert np.abs(errors).max() < 0.1
    for cycle in PLANTED:
        rows = table[table["label"] == cycle]
        assert np.ptp([rows[f"shift_{axis}"] for axis in "zxy"], axis=1).max() < 1e-5
        field = load_field(tmp_path / "out" / "fields" / "007" / f"{cycle}.npz").field
        assert np.ptp(field.shift_zyx, axis=(0, 1, 2)).max() < 1e-5


def test_single_planes_have_no_shift_along_z(tmp_path):
    write_experiment(tmp_path, (1, 128, 128))
    run_through(tmp_path, parameters={"blockSizeXY": 64})
    table, errors = total_errors(tmp_path)
    assert set(table["shift_z"]) == {0}
    assert np.abs(errors[:, 1:]).max() < 0.5


def test_given_shifts_are_used_and_a_missing_cycle_falls_back_to_z_projections(tmp_path):
    write_experiment(tmp_path, (10, 128, 128))
    (tmp_path / "given.json").write_text(json.dumps({"ROI:007": {"RT1": [2.5, -4], "RT9": [0, 0]}}))
    printed = run_through(tmp_path, parameters={"blockSizeXY": 64}, register_global="given.json")
    assert "entries that match no stack: 1, such as 'ROI 7, cycle RT9'" in printed
    assert (
        f"cycle DAPI is not in {tmp_path}/given.json: its global shift comes from the z-proj"
        in printed
    )
    shifts = read_table(tmp_path / "out" / "register_global.ecsv", GLOBAL_COLUMNS)
    assert list(shifts["source"]) == ["z-projection", "given"]
    assert (shifts["shift_x"][1], shifts["shift_y"][1]) == (2.5, -4)
    table, errors = total_errors(tmp_path)
    assert set(table["global_x"][table["label"] == "RT1"]) == {2.5}
    assert np.abs(errors).max() < 0.5


def test_numbers_in_a_section_may_be_given_on_the_command_line(tmp_path):
    write_experiment(tmp_path, (1, 64, 64))
    keys = ["borrow=false", "tolerance_nm={xy: 30, z: 50.5}"]
    printed = run_through(tmp_path, "--dry-run", "--printshellcmds", "--config", *keys)
    assert "--tolerance-nm 30 50.5" in printed
    assert "--no-borrow" in printed


def test_no_local_step_leaves_the_global_tables_only(tmp_path):
    write_experiment(tmp_path, (4, 96, 96))
    run_through(tmp_path, parameters={"localAlignment": "None", "alignByBlock": False})
    shifts = read_table(tmp_path / "out" / "register_global.ecsv", GLOBAL_COLUMNS)
    planted = np.array([PLANTED["DAPI"], PLANTED["RT1"]])[:, 1:]
    np.testing.assert_allclose(
        np.array([shifts["shift_x"], shifts["shift_y"]]).T, planted, atol=0.2
    )
    content = json.loads((tmp_path / "out" / "register_global.json").read_text())
    assert list(content) == ["ROI:007"]
    assert not (tmp_path / "out" / "register_local_block3D.ecsv").exists()


def test_check_images_reports_every_problem_at_once(tmp_path):
    write_experiment(tmp_path, (4, 96, 96))
    images = sorted((tmp_path / "images" / "ROI 7").iterdir())
    images[0].write_bytes(b"no image")
    tifffile.imwrite(images[1], np.zeros((4, 96, 90), "uint16"), photometric="minisblack")
    configuration = write_configuration(tmp_path, images="images")
    run = snakemake("check_images", "--configfile", configuration, folder=tmp_path)
    assert run.returncode == 1
    assert f"{images[0].name}: this is not a TIFF file" in run.stdout
    assert f"{images[1].name}: its planes have 96 x 90 px" in run.stdout
    assert "3 stacks checked, 2 problems" in run.stdout
