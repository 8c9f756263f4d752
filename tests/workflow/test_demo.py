"""The demo runs through the real Snakemake and finds what was planted in it."""

import csv
import json
import subprocess

import numpy as np
import zarr

from crossreg.io.cycle_tables import GLOBAL_COLUMNS, LOCAL_COLUMNS, read_table
from snakemake_runs import REPOSITORY, copied_files, copy_of_the_repository, snakemake

ROIS, CYCLES = (1, 2), ("DAPI", "RT1", "RT2")
BLOCKS = [(i, j) for i in range(3) for j in range(4)]


def planted_shifts(folder):
    """Return the planted shift (z, x, y) of every block."""
    planted = {}
    for path in sorted((folder / "demo" / "data").glob("planted_*.tsv")):
        with path.open() as file:
            for row in csv.DictReader(file, delimiter="\t"):
                key = (int(row["roi"]), row["cycle"], int(row["block_i"]), int(row["block_j"]))
                planted[key] = [float(row[f"shift_{axis}"]) for axis in "zxy"]
    return planted


def test_every_block_is_near_the_planted_shift(demo):
    folder, _ = demo
    table = read_table(folder / "results" / "register_local_block3D.ecsv", LOCAL_COLUMNS)
    planted = planted_shifts(folder)
    keys = zip(table["ROI #"], table["label"], table["block_i"], table["block_j"], strict=True)
    truth = np.array([planted[int(r), str(c), int(i), int(j)] for r, c, i, j in keys])
    found = np.array(
        [
            table["shift_z"],
            table["shift_x"] + table["global_x"],
            table["shift_y"] + table["global_y"],
        ]
    ).T
    errors = found - truth
    assert np.abs(errors).max() < 0.5
    assert np.sqrt((errors**2).mean(axis=0)).max() < 0.15


def test_tables_are_complete_and_sorted(demo):
    folder, _ = demo
    table = read_table(folder / "results" / "register_local_block3D.ecsv", LOCAL_COLUMNS)
    found = list(
        zip(table["ROI #"], table["label"], table["block_i"], table["block_j"], strict=True)
    )
    assert found == [(roi, cycle, *block) for roi in ROIS for cycle in CYCLES for block in BLOCKS]
    assert set(table["blockXY"]) == {128}
    shifts = read_table(folder / "results" / "register_global.ecsv", GLOBAL_COLUMNS)
    found = list(zip(shifts["ROI #"], shifts["label"], strict=True))
    assert found == [(roi, cycle) for roi in ROIS for cycle in CYCLES]
    assert set(shifts["source"]) == {"computed"}


def test_the_run_says_how_far_off_the_shifts_are(demo):
    folder, printed = demo
    comparison = (folder / "results" / "demo_comparison.txt").read_text()
    assert "72 all" in comparison
    assert comparison in printed


def test_a_second_run_has_nothing_to_do(demo):
    folder, _ = demo
    assert "Nothing to be done" in snakemake(folder=folder, snakefile=folder / "Snakefile").stdout


TABLES = ["register_local_block3D.ecsv", "register_global.ecsv", "register_global.json"]


def test_bytes_do_not_depend_on_the_number_of_cores(demo, tmp_path):
    folder, _ = demo
    copy = copy_of_the_repository(tmp_path)
    run = snakemake("--cores", 1, *TABLES, folder=copy, snakefile=copy / "Snakefile")
    assert run.returncode == 0, run.stdout
    for name in TABLES:
        made, known = (place / "results" / name for place in (copy, folder))
        assert made.read_bytes() == known.read_bytes()


def test_nothing_that_it_makes_shows_up_in_git(demo):
    folder, _ = demo
    made = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    before = set(copied_files())
    new = [name for name in made if name not in before and "__pycache__" not in name]
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", *new],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert sorted(new) == sorted(ignored)


def test_spots_images_and_the_export_of_the_demo_are_where_they_were_planted(demo):
    folder, _ = demo
    targets = ("register_localizations", "register_stacks", "export_pyhim")
    run = snakemake(*targets, folder=folder, snakefile=folder / "Snakefile")
    assert run.returncode == 0, run.stdout
    for roi in ("001", "002"):
        with (folder / "results" / "localizations" / f"spots_{roi}.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["registration"] != "reference"]
        found, planted = (
            np.array([[float(row[f"{prefix}{axis}"]) for axis in "zyx"] for row in rows])
            for prefix in ("", "planted_")
        )
        rms = np.sqrt(((found - planted) ** 2).mean(axis=0))
        # In kept planes, of which each is two planes of the file, and px.
        assert rms[0] / 2 <= 0.08
        assert max(rms[1:]) <= 0.05
        exported = folder / "results" / "pyhim" / roi
        shifts = json.loads((exported / "register_global" / "data" / "shifts.json").read_text())
        assert set(shifts[f"ROI:{roi}"]) == set(CYCLES)
        images = [path.name for path in exported.glob("*.tif")]
        assert len(images) == 2 * (len(CYCLES) + 1)
        blocks = read_table(exported / "register_local" / "data" / "shifts_block3D.dat")
        assert len(blocks) == len(CYCLES) * len(BLOCKS)
    store = zarr.open_group(folder / "results" / "registered" / "002" / "RT1.ome.zarr", mode="r")
    places = planted[[row["cycle"] == "RT1" for row in rows]]
    errors = centroids(store["0"][1].max(axis=0), places[:, 1:]) - places[:, 1:]
    seen = np.isfinite(errors).all(axis=1)
    assert seen.sum() > 20
    assert np.sqrt((errors[seen] ** 2).mean(axis=0)).max() < 0.1


def centroids(image, places):
    """Return the centroids (n, 2) of spots near places in an image (Y, X); NaN if not alone."""
    reach = 6
    found = np.full(places.shape, np.nan)
    for number, place in enumerate(places):
        distance = np.hypot(*(places - place).T)
        y, x = np.rint(place).astype(int)
        part = image[y - reach : y + reach + 1, x - reach : x + reach + 1].astype(float)
        if np.sort(distance)[1] > 3 * reach and part.shape == 2 * (2 * reach + 1,):
            weights = np.clip(part - np.percentile(part, 80), 0, None)
            grid = np.indices(part.shape)
            found[number] = (grid * weights).sum(axis=(1, 2)) / weights.sum() + (y, x)
            found[number] -= reach
    return found
