"""A cycle whose planes are another distance apart is refused, or resampled if the user says so."""

import csv
import json

import numpy as np
import pytest
import tifffile
import yaml

import crossreg
from crossreg.io.cycle_tables import GLOBAL_COLUMNS, LOCAL_COLUMNS, read_table
from fiducial_images import drawn, spot_positions
from snakemake_runs import snakemake

SHAPE = (20, 128, 128)
STEPS_UM = {"01": 0.5, "02": 0.25, "03": 0.8}
"""How far apart the planes of each cycle are; the first is the reference."""
SHIFTS_ZYX = {"01": (0, 0, 0), "02": (0.7, 3, -4), "03": (-0.6, -2, 5)}
"""In planes of the reference."""
SPOTS_ZYX = np.array([[6.0, 40.0, 30.0], [9.0, 70.0, 90.0], [12.0, 100.0, 50.0]])
"""Positions in the reference, at which every cycle shows a bright spot."""


def in_cycle(cycle: str, positions_zyx: np.ndarray) -> np.ndarray:
    """Return where a cycle shows positions of the reference, in its own planes."""
    there = positions_zyx - SHIFTS_ZYX[cycle]
    return there * (STEPS_UM["01"] / STEPS_UM[cycle], 1, 1)


@pytest.fixture
def experiment(tmp_path):
    positions = np.vstack([spot_positions(SHAPE, 500, seed=3), *4 * (SPOTS_ZYX,)])
    for seed, (cycle, step) in enumerate(STEPS_UM.items()):
        shape = (round(SHAPE[0] * STEPS_UM["01"] / step), *SHAPE[1:])
        size = {"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "PhysicalSizeZ": step}
        tifffile.imwrite(
            tmp_path / f"hyb{cycle}.ome.tif",
            drawn(shape, in_cycle(cycle, positions), 5, seed, (0.6 / step, 1.4, 1.4)),
            ome=True,
            metadata={"axes": "ZYX", **size},
        )
    return tmp_path


def run(folder, *targets, status=0, z_units="plane", **section):
    keys = {
        "images": ".",
        "file_names": "hyb{cycle}.ome.tif",
        "fiducial": {"reference": "01", "block_size": 64, **section},
        "results": "out",
        "localizations": "spots.csv",
        "localizations_frame": "raw",
        "localizations_columns": {"z_units": z_units},
        "register_stacks": {"format": "ome-tiff"},
    }
    (folder / "my.yaml").write_text(yaml.safe_dump(keys))
    done = snakemake(*targets, "--configfile", "my.yaml", folder=folder)
    assert done.returncode == status, done.stdout
    return done.stdout


def write_spots(folder, unit_of):
    """Write the spots of all cycles; `unit_of` gives what one plane of a cycle counts."""
    lines = ["cycle,z,y,x"]
    for cycle in STEPS_UM:
        for z, y, x in in_cycle(cycle, SPOTS_ZYX):
            lines.append(f"{cycle},{z * unit_of(cycle)},{y},{x}")
    (folder / "spots.csv").write_text("\n".join(lines) + "\n")


def registered_spots(folder):
    with (folder / "out" / "localizations" / "spots.csv").open() as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(row[axis]) for axis in "zyx"] for row in rows])


def test_another_z_step_is_refused_with_what_to_do(experiment):
    write_spots(experiment, lambda _: 1)
    for target in ("check_images", "tables"):
        printed = run(experiment, target, status=1)
        assert "the file says a z step of 0.25 um, but that of the experiment is 0.5 um" in printed
        assert "resample the cycle with fiducial.resample_z: true" in printed


def test_another_z_step_is_resampled_and_all_that_follows_is_right(experiment):
    write_spots(experiment, lambda _: 1)
    checked = run(experiment, "check_images", resample_z=True)
    assert "0 problems" in checked
    table = (experiment / "out" / "check_images.tsv").read_text()
    assert "planes are 0.5 planes of the reference apart: it is resampled along z" in table

    run(experiment, "register_localizations", "register_stacks", "all", resample_z=True)
    shifts = read_table(experiment / "out" / "register_global.ecsv", GLOBAL_COLUMNS)
    assert dict(zip(shifts["label"], shifts["z_step"], strict=True)) == {"02": 0.5, "03": 1.6}
    assert set(shifts["verdict"]) == {"registered"}
    blocks = read_table(experiment / "out" / "register_local_block3D.ecsv", LOCAL_COLUMNS)
    for cycle in ("02", "03"):
        rows = blocks[blocks["label"] == cycle]
        assert np.abs(rows["shift_z"] - SHIFTS_ZYX[cycle][0]).max() < 0.25

    # spots in raw planes of their own cycle come to planes of the reference
    error = registered_spots(experiment) - np.tile(SPOTS_ZYX, (3, 1))
    assert np.abs(error).max() < 0.25

    # stacks have the reference's planes, and show the spots where the reference does
    for cycle in STEPS_UM:
        image = tifffile.imread(experiment / "out" / "registered" / "1" / f"{cycle}.ome.tif")
        assert image.shape == SHAPE
        for position in SPOTS_ZYX:
            assert np.abs(centre_of_spot(image, position) - position).max() < 0.4

    # the same from Python, for a raw stack and positions in it
    found = crossreg.load_registration(experiment / "out", "1", "02")
    raw = in_cycle("02", SPOTS_ZYX)
    assert np.abs(found.to_reference(raw) - SPOTS_ZYX).max() < 0.25
    moved = found.warp(crossreg.read_stack(experiment / "hyb02.ome.tif"))
    written = tifffile.imread(experiment / "out" / "registered" / "1" / "02.ome.tif")
    np.testing.assert_array_equal(moved, written)
    about = json.loads(str(np.load(experiment / "out" / "fields" / "1" / "02.npz")["about"]))
    assert about["z_step"] == 0.5


def test_a_z_step_in_nm_is_refused_before_planes_are_made(experiment):
    path = experiment / "hyb03.ome.tif"
    size = {"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "PhysicalSizeZ": 800}
    tifffile.imwrite(path, tifffile.imread(path), ome=True, metadata={"axes": "ZYX", **size})
    write_spots(experiment, lambda _: 1)
    for target in ("check_images", "tables"):
        printed = run(experiment, target, status=1, resample_z=True)
        assert "the planes of the cycle would be 1600 planes of the reference" in printed
        assert "hyb03.ome.tif" in printed


def test_spots_in_micrometres_know_their_depth_already(experiment):
    write_spots(experiment, STEPS_UM.get)
    run(experiment, "register_localizations", z_units="um", resample_z=True)
    found = registered_spots(experiment) / (STEPS_UM["01"], 1, 1)
    assert np.abs(found - np.tile(SPOTS_ZYX, (3, 1))).max() < 0.25


def centre_of_spot(image, position):
    """Return the centre of mass of the bright pixels around a position (z, y, x)."""
    corner = np.rint(position).astype(int) - (3, 4, 4)
    part = image[tuple(slice(at, at + n) for at, n in zip(corner, (7, 9, 9), strict=True))]
    weights = np.maximum(part.astype(float) - part.max() / 2, 0)
    return corner + [
        float((weights * axis).sum() / weights.sum()) for axis in np.indices(part.shape)
    ]
