"""The targets that apply the fields: from the stacks to spots, images and a folder for pyHiM."""

import csv
import json
import shutil

import numpy as np
import pytest
import yaml
import zarr
from astropy.table import Table

from experiment import Experiment

TARGETS = ("register_localizations", "register_stacks", "export_pyhim")
ROWS = {"RT1": -1.0, "RT2": -2.0}
"""The cycles of `experiment` are moved down by as many rows as their names say."""


def set_up(experiment: Experiment) -> None:
    """Add spots to an experiment: one per cycle, at row 30 and column 40 of it; one of no cycle."""
    with (experiment.folder / "spots.csv").open("w") as file:
        file.write("roi,cycle,z,y,x\n")
        file.writelines(f"1,{cycle},2,30,40\n" for cycle in ("RT0", "RT1", "RT2", "RT9"))
    Table(
        {
            "ROI #": [1, 1],
            "Barcode #": [1, 2],
            **{"zcentroid": [2.0, 2.0], "xcentroid": [40.0, 40.0], "ycentroid": [30.0, 30.0]},
        }
    ).write(experiment.folder / "barcodes.dat", format="ascii.ecsv")
    path = experiment.folder / "config.yaml"
    configuration = yaml.safe_load(path.read_text()) | {
        "localizations": ["spots.csv", "barcodes.dat"],
        "localizations_frame": "raw",
        "localizations_columns": {"z_units": "kept_plane"},
    }
    path.write_text(yaml.safe_dump(configuration))


def spots_of(experiment):
    with (experiment.results / "localizations" / "spots.csv").open() as file:
        return {row["cycle"]: row for row in csv.DictReader(file)}


def jobs(experiment, *targets):
    """Return which jobs of the rules that apply fields a run would do."""
    done = experiment.snakemake("-n", *targets)
    assert done.returncode == 0, done.stdout + done.stderr
    told = (done.stdout + done.stderr).splitlines()
    words = ("register the spots", "write the registered", "export ROI")
    return {line.partition(": ")[2] for line in told if any(word in line for word in words)}


def test_spots_images_and_pyhim_get_the_shifts_and_only_changes_run_again(fresh):
    set_up(fresh)
    other = fresh.image("001", "RT1")
    other = other.with_name(other.name.replace("ch00", "ch01"))
    shutil.copy2(fresh.image("001", "RT1"), other)
    # pyHiM's table has its own names of columns, so the two are registered one after another.
    configuration = yaml.safe_load((fresh.folder / "config.yaml").read_text())
    pyhim = configuration | {"localizations": "barcodes.dat"}
    del pyhim["localizations_columns"]
    own = configuration | {"localizations": "spots.csv"}
    (fresh.folder / "config.yaml").write_text(yaml.safe_dump(own))
    printed = fresh.succeed("register_localizations", "register_stacks")
    assert "4 spots: 1 reference, 2 measured, 1 missing. Of no cycle that was registered" in printed

    found = spots_of(fresh)
    assert {cycle: row["registration"] for cycle, row in found.items()} == {
        "RT0": "reference",
        "RT1": "measured",
        "RT2": "measured",
        "RT9": "missing",
    }
    for cycle, rows in ROWS.items():
        assert float(found[cycle]["y"]) == pytest.approx(30 + rows, abs=0.1)
        assert float(found[cycle]["x"]) == pytest.approx(40, abs=0.1)
    store = {c: zarr.open_group(fresh.results / f"registered/001/{c}.ome.zarr") for c in ROWS}
    reference = zarr.open_group(fresh.results / "registered/001/RT0.ome.zarr")["0"][0]
    for image in store.values():
        inner = (slice(1, -1), slice(8, -8), slice(8, -8))
        pair = reference[inner].ravel(), image["0"][0][inner].ravel()
        assert np.corrcoef(*pair)[0, 1] > 0.9

    targets = ("register_localizations", "register_stacks")
    assert jobs(fresh, *targets) == set()
    (fresh.folder / "spots.csv").write_text("roi,cycle,z,y,x\n1,RT1,2,31,40\n")
    assert jobs(fresh, *targets) == {"register the spots of spots.csv"}
    stack = fresh.image("001", "RT2")
    stack.write_bytes(stack.read_bytes())
    assert jobs(fresh, "register_stacks") == {"write the registered stacks of ROI 001, cycle RT2"}
    # So does the file of another channel.
    assert store["RT1"]["0"].shape[0] == 2
    other.write_bytes(other.read_bytes())
    assert jobs(fresh, "register_stacks") == {
        f"write the registered stacks of ROI 001, cycle {cycle}" for cycle in ROWS
    }

    fresh.succeed("register_stacks")
    shutil.rmtree(fresh.results / "registered/001/RT1.ome.zarr")
    wanted = {"write the registered stacks of ROI 001, cycle RT1"}
    before = sorted((fresh.results / "registered").rglob("*"))
    assert jobs(fresh, "register_stacks") == jobs(fresh, "register_stacks") == wanted
    assert sorted((fresh.results / "registered").rglob("*")) == before, "a dry run leaves nothing"
    fresh.succeed("register_stacks")
    assert (fresh.results / "registered/001/RT1.ome.zarr/0").is_dir()
    assert jobs(fresh, "register_stacks") == set()

    # A channel that some cycles lack is written of those that have it, and the run says so.
    wanted = own | {"register_stacks": {"channels": ["ch01"]}}
    (fresh.folder / "config.yaml").write_text(yaml.safe_dump(wanted))
    done = fresh.snakemake("register_stacks")
    assert done.returncode != 0
    told = "2 registered stacks could not be written, such as ROI 001, cycle RT0: "
    assert told in done.stdout + done.stderr
    assert "there is no channel 'ch01' of this cycle" in done.stdout + done.stderr
    assert zarr.open_group(fresh.results / "registered/001/RT1.ome.zarr")["0"].shape[0] == 1

    (fresh.folder / "config.yaml").write_text(yaml.safe_dump(pyhim))
    fresh.succeed("export_pyhim")
    folder = fresh.results / "pyhim" / "001"
    shifts = json.loads((folder / "register_global" / "data" / "shifts.json").read_text())
    assert shifts["ROI:001"]["RT2"][0] == pytest.approx(-2, abs=0.1)
    blocks = Table.read(folder / "register_local/data/shifts_block3D.dat", format="ascii.ecsv")
    assert set(blocks["label"]) == set(ROWS)
    spots = Table.read(
        folder / "localize_3d/data/localizations_3D_barcode.dat", format="ascii.ecsv"
    )
    assert np.allclose(spots["ycentroid"], [29, 28], atol=0.1)
    assert "registered" in spots.meta["comments"]


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"localizations": "none.csv"}, "none.csv: there is no such file"),
        ({"localizations": "spots.csv"}, "The key 'localizations_frame' is missing"),
        ({"localizations_frame": "local"}, "'localizations_frame' has the value 'local'"),
        ({"localizations_columns": {"row": "y"}}, "unknown key 'localizations_columns.row'"),
        ({"register_stacks": {"cycles": ["RT7"]}}, "asks for 'RT7', which is not there"),
        ({"register_stacks": {"format": "tiff"}}, "'register_stacks.format' has the value 'tiff'"),
    ],
)
def test_a_faulty_configuration_is_named_in_one_sentence(fresh, keys, sentence):
    (fresh.folder / "spots.csv").write_text("roi,cycle,z,y,x\n")
    path = fresh.folder / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | keys))
    done = fresh.snakemake("-n", "register_localizations")
    told = done.stdout + done.stderr
    assert done.returncode != 0
    assert sentence in told
    assert "Traceback" not in told


def test_without_spots_the_target_says_which_key_is_missing(fresh):
    done = fresh.snakemake("register_localizations")
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert "the key 'localizations' names no table of spots" in told
    assert "Error in rule" not in told and "Traceback" not in told


def test_an_export_without_parameters_of_pyhim_is_refused_before_the_first_job(fresh):
    path = fresh.folder / "config.yaml"
    keys = yaml.safe_load(path.read_text())
    del keys["parameters"]
    section = {"reference": "RT0", "channel": "ch00", "pixel_size_um": {"xy": 0.1, "z": 0.25}}
    names = "scan_{run}_{cycle}_{roi}_ROI_converted_decon_{channel}.tif"
    path.write_text(yaml.safe_dump(keys | {"fiducial": section, "file_names": names}))
    done = fresh.snakemake("export_pyhim")
    told = done.stdout + done.stderr
    assert done.returncode != 0
    assert told.count("export_pyhim needs pyHiM's parameters.json: give it with the key") == 1
    assert "Error in rule" not in told and "Traceback" not in told
    assert not (fresh.results / "register_global").exists()


def test_an_export_is_not_put_among_the_stacks(fresh):
    path = fresh.folder / "config.yaml"
    path.write_text(
        yaml.safe_dump(yaml.safe_load(path.read_text()) | {"results": "images/results"})
    )
    done = fresh.snakemake("export_pyhim")
    told = done.stdout + done.stderr
    assert done.returncode != 0
    assert "would take the exported files for its own; move the folder of the results" in told
    assert not (fresh.folder / "images" / "results" / "pyhim").exists()
