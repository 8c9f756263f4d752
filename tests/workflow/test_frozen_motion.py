"""How far cycles deform is learned on request, and takes effect only where a person froze it."""

import os
import shutil

import numpy as np
import tifffile

from crossreg.fiducial.field.motion_file import read_motion, write_motion
from crossreg.io.cycle_tables import read_local_table
from fiducial_images import drawn, spot_positions
from snakemake_runs import snakemake, write_configuration

SHAPE = (9, 128, 128)
CYCLES = ("RT1", "RT2", "RT3")


def bent(at: np.ndarray, number: int) -> np.ndarray:
    """Return the planted shifts (n, 3) of the cycle of this number at positions (n, 3)."""
    wave = 1.6 * np.sin(at[:, 1:] / 25 + number)
    return np.column_stack([np.zeros(len(at)), wave]) + np.array([0.0, 2.0, -3.0])


def write_image(folder, cycle: str, number: int, seen: slice = slice(None)) -> None:
    """Write a stack of spots that moved, where only some of the rows show any."""
    spots = spot_positions(SHAPE, 120, seed=3)
    moved = spots - bent(spots, number) if number else spots
    rows = np.arange(SHAPE[1])[seen]
    moved = moved[(moved[:, 1] >= rows[0]) & (moved[:, 1] <= rows[-1])]
    tifffile.imwrite(
        folder / "images" / f"scan_001_{cycle}_007_ROI_converted_decon_ch00.tif",
        drawn(SHAPE, moved, noise=4.0, seed=number),
        photometric="minisblack",
    )


def run(folder, *arguments, **keys) -> str:
    configuration = write_configuration(folder, images="images", **keys)
    done = snakemake(*arguments, "--configfile", configuration, folder=folder)
    assert done.returncode == 0, done.stdout
    return done.stdout


def jobs(printed: str) -> dict[str, int]:
    """Return how many jobs of each rule a run names in its first table."""
    lines = printed.partition("Job stats:")[2].partition("\n\n")[0].splitlines()
    rows = [line.split() for line in lines if line.split()[-1:] and line.split()[-1].isdigit()]
    return {row[0]: int(row[1]) for row in rows}


def tables(folder) -> dict[str, bytes]:
    found = sorted((folder / "out" / "register_local").rglob("*.ecsv"))
    return {path.stem: path.read_bytes() for path in found}


def sigma_unseen(folder) -> float:
    """Return the middle standard error along rows and columns where RT3 shows no spots."""
    table = read_local_table(folder / "out" / "register_local" / "007" / "RT3.ecsv")
    below = np.asarray(table["block_i"]) >= 2
    return float(np.median([table["sigma_x"][below], table["sigma_y"][below]]))


def test_a_frozen_file_widens_what_is_not_seen_and_changes_no_more_than_it_should(tmp_path):
    (tmp_path / "images").mkdir()
    for number, cycle in enumerate(("RT27", *CYCLES)):
        write_image(tmp_path, cycle, number, slice(0, 50) if cycle == "RT3" else slice(None))
    printed = run(tmp_path, "learn_motion", "tables")
    learned = tmp_path / "out" / "motion.json"
    assert f"copy {learned} to a place of its own" in printed
    assert read_motion(learned)["cycles"] in (2, 3)
    before, unseen = tables(tmp_path), sigma_unseen(tmp_path)

    frozen = tmp_path / "motion.json"
    shutil.copy(learned, frozen)
    printed = run(tmp_path, "tables", motion="motion.json")
    assert jobs(printed)["register_local"] == 3
    assert not {"register_global", "reference_blocks"} & jobs(printed).keys()
    after = tables(tmp_path)
    assert after.keys() == before.keys()
    assert after != before
    assert sigma_unseen(tmp_path) > 1.1 * unseen

    # An older file in its place is another one, and the same one is none.
    text = frozen.read_text()
    frozen.write_text(text.replace('"cycles": ', '"cycles": 1'))
    os.utime(frozen, (1_000_000_000, 1_000_000_000))
    assert jobs(run(tmp_path, "-n", "tables", motion="motion.json"))["register_local"] == 3
    frozen.write_text(text)
    os.utime(frozen, (1_000_000_000, 1_000_000_000))
    assert jobs(run(tmp_path, "-n", "tables", motion="motion.json")) == {}

    # A new image changes its cycle only, and what is learned from it changes nothing.
    write_image(tmp_path, "RT1", 4)
    printed = run(tmp_path, "tables", "learn_motion", motion="motion.json")
    assert jobs(printed)["register_local"] == 1
    assert learned.read_bytes() != frozen.read_bytes()
    assert {one: tables(tmp_path)[one] for one in ("RT2", "RT3")} == {
        one: after[one] for one in ("RT2", "RT3")
    }

    write_image(tmp_path, "RT1", 1)
    run(tmp_path, "tables")
    assert tables(tmp_path) == before


def test_a_file_of_other_pixels_is_refused_before_the_first_job(tmp_path):
    (tmp_path / "images").mkdir()
    for number, cycle in enumerate(("RT27", "RT1")):
        write_image(tmp_path, cycle, number)
    frozen = tmp_path / "motion.json"
    weights = [[0.25, 0.75]]
    write_motion(
        frozen,
        {"cycles": 6, "rois": 1, "pixel_size_um": {"xy": 0.3, "z": 0.25}}
        | {"length_px": [100], "amplitude": [0, 1], "weights_xy": weights, "weights_z": weights},
    )
    configuration = write_configuration(tmp_path, images="images", motion="motion.json")
    done = snakemake("tables", "--configfile", configuration, folder=tmp_path)
    assert done.returncode == 1
    told = "it was learned where a pixel is 0.3 um, and here it is 0.1 um; run learn_motion on this"
    assert f"ERROR: {frozen}: {told}" in done.stdout
    assert "Traceback" not in done.stdout
