"""A newcomer's files, whatever microscope wrote them, run through with a few lines of YAML."""

import csv
import json

import numpy as np
import pytest
import yaml

from crossreg.io.cycle_tables import GLOBAL_COLUMNS, LOCAL_COLUMNS, read_table
from fiducial_images import drawn, spot_positions
from image_formats import MANY, ONE
from snakemake_runs import snakemake

SHAPE = (8, 96, 96)
PLANTED = {"01": (0, 0, 0), "02": (1, 3, -4), "03": (-1, -2, 5)}
CHANNELS = ["DAPI", "beads"]
SECTION = {"reference": "01", "channel": "beads", "block_size": 32}


def fiducials(cycle, seed=0):
    """Return the stack of a cycle's fiducials, moved as planted."""
    positions = spot_positions(SHAPE, 120, seed=3)
    return drawn(SHAPE, positions - np.array(PLANTED[cycle]), noise=4.0, seed=int(cycle) + seed)


def hyperstack(*cycles, seed=0):
    """Return images (T, C, Z, Y, X): the cycles as times, another channel and the fiducials."""
    other = np.random.default_rng(7).integers(90, 110, SHAPE).astype("uint16")
    return np.stack([np.stack([other, fiducials(cycle, seed)]) for cycle in cycles])


def run(folder, *words, status=0, **keys):
    """Run crossreg with a configuration; return what it printed."""
    (folder / "my.yaml").write_text(yaml.safe_dump({"results": "out", **keys}))
    done = snakemake(*words, "--configfile", "my.yaml", folder=folder)
    assert done.returncode == status, done.stdout
    return done.stdout


def check_tables(folder, rois):
    """Check that the tables hold the planted shifts of all cycles of these ROIs."""
    table = read_table(folder / "out" / "register_local_block3D.ecsv", LOCAL_COLUMNS)
    assert sorted(set(table["ROI name"])) == sorted(rois)
    for cycle in ("02", "03"):
        rows = table[table["label"] == cycle]
        found = [
            rows["shift_z"],
            rows["shift_x"] + rows["global_x"],
            rows["shift_y"] + rows["global_y"],
        ]
        median = np.median(np.array(found), axis=1)
        np.testing.assert_allclose(median, PLANTED[cycle], atol=0.1)
    names = read_table(folder / "out" / "register_global.ecsv", GLOBAL_COLUMNS)
    assert len(names) == 2 * len(rois)


def test_hyperstacks_with_names_of_ones_own_need_five_lines(tmp_path):
    suffix, write = MANY["ImageJ hyperstack"]
    (tmp_path / "images").mkdir()
    for cycle in PLANTED:
        for seed, roi in enumerate(("pos7", "left")):
            path = tmp_path / "images" / f"Exp_{roi}_hyb{cycle}{suffix}"
            write(path, hyperstack(cycle, seed=9 * seed), CHANNELS)
    keys = {
        "images": "images",
        "file_names": "Exp_{roi}_hyb{cycle}.tif",
        "fiducial": SECTION | {"channel": 1},
    }
    printed = run(tmp_path, "check_images", **keys)
    assert "6 stacks: ImageJ TIFF, 8 x 96 x 96 uint16, 0.1 x 0.1 um, z step 0.5 um" in printed
    with (tmp_path / "out" / "check_images.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert {row["fiducial"] for row in rows} == {"1"}
    assert {row["z_step_um"] for row in rows} == {"0.5"}
    run(tmp_path, "tables", "report", **keys)
    check_tables(tmp_path, ["pos7", "left"])
    assert "fiducial.block_size" in (tmp_path / "out" / "report.html").read_text()
    content = json.loads((tmp_path / "out" / "register_global.json").read_text())
    assert sorted(content) == ["ROI:left", "ROI:pos7"]


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("OME-TIFF", "ND2", "CZI", "LIF")]


@pytest.mark.parametrize("kind", ["OME-Zarr 0.5", *SLOW])
def test_cycles_may_be_the_times_of_one_file(tmp_path, kind):
    suffix, write = MANY[kind]
    write(tmp_path / f"all{suffix}", hyperstack(*PLANTED), CHANNELS)
    lines = [f"A1,{cycle},all{suffix},{time}" for time, cycle in enumerate(PLANTED)]
    (tmp_path / "sheet.csv").write_text("\n".join(["roi,cycle,path,time", *lines]) + "\n")
    section = SECTION | ({"channel": 1} if kind == "LIF" else {})
    run(tmp_path, "tables", samples="sheet.csv", fiducial=section)
    check_tables(tmp_path, ["A1"])


def test_a_changed_chunk_of_a_store_makes_its_cycle_run_again(tmp_path):
    suffix, write = MANY["OME-Zarr 0.4"]
    for cycle in PLANTED:
        write(tmp_path / f"hyb{cycle}{suffix}", hyperstack(cycle), CHANNELS)
    keys = {"images": ".", "file_names": f"hyb{{cycle}}{suffix}", "fiducial": SECTION}
    run(tmp_path, "tables", **keys)
    check_tables(tmp_path, ["1"])
    assert "Nothing to be done" in run(tmp_path, "tables", **keys)
    chunk = sorted((tmp_path / f"hyb02{suffix}" / "0").glob("0.1.*"))[0]
    chunk.write_bytes(chunk.read_bytes())
    printed = run(tmp_path, "tables", "-n", **keys)
    assert "cycle 02" in printed
    assert "cycle 03" not in printed


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (
            {},
            "none of the 2 images matches fileNameRegExp (for example 'E_a_hyb01.tif', 'E_",
        ),
        ({}, 'this would fit: file_names: "E_a_hyb{cycle}.tif"'),
        (
            {"file_names": "E_{roi}_hyb{cycle}.tif", "fiducial": {"reference": "9"}},
            "cycle 9 is miss",
        ),
        ({"parameters": "p.json"}, "'parameters' and 'fiducial' are both given"),
        ({"fiducial": {"reference": "01", "chanel": 1}}, "did you mean 'channel'?"),
    ],
)
def test_a_wrong_start_is_told_in_one_sentence(tmp_path, keys, sentence):
    (tmp_path / "images").mkdir()
    for cycle in ("01", "02"):
        (tmp_path / "images" / f"E_a_hyb{cycle}.tif").touch()
    printed = run(
        tmp_path, "-n", status=1, **({"images": "images", "fiducial": {"reference": "01"}} | keys)
    )
    assert sentence in printed
    assert "Traceback" not in printed


def test_channels_that_alternate_in_a_dax_file_are_told_apart_by_frames(tmp_path):
    suffix, write = ONE["DAX"]
    for cycle in PLANTED:
        both = hyperstack(cycle)[0].transpose(1, 0, 2, 3).reshape(1, 1, -1, *SHAPE[1:])
        write(tmp_path / f"zscan_{cycle}{suffix}", both, [])
    section = SECTION | {"channel": None, "frames": "1::2"}
    section["pixel_size_um"] = {"xy": 0.1, "z": 0.5}
    keys = {"images": ".", "file_names": f"zscan_{{cycle}}{suffix}"}
    run(tmp_path, "tables", **keys, fiducial=section)
    check_tables(tmp_path, ["1"])


def test_a_file_without_pixel_size_asks_for_it_once(tmp_path):
    np.save(tmp_path / "hyb01.npy", fiducials("01"))
    np.save(tmp_path / "hyb02.npy", fiducials("02"))
    keys = {"images": ".", "file_names": "hyb{cycle}.npy"}
    section = SECTION | {"channel": None}
    printed = run(tmp_path, "-n", status=1, **keys, fiducial=section)
    assert "hyb01.npy: the file does not say its pixel size; give it with pixel_size_um" in printed
    section |= {"pixel_size_um": {"xy": 0.1, "z": 0.5}}
    run(tmp_path, "-n", **keys, fiducial=section)


def test_a_pixel_size_that_contradicts_the_files_is_refused(tmp_path):
    suffix, write = MANY["OME-TIFF"]
    for cycle in PLANTED:
        write(tmp_path / f"hyb{cycle}{suffix}", hyperstack(cycle), CHANNELS)
    keys = {"images": ".", "file_names": f"hyb{{cycle}}{suffix}"}
    section = SECTION | {"pixel_size_um": {"xy": 0.2, "z": 0.5}}
    told = "the file says a pixel size of 0.1 um, but that of the experiment is 0.2 um"
    assert told in run(tmp_path, "check_images", status=1, **keys, fiducial=section)
    assert told in run(tmp_path, "tables", status=1, **keys, fiducial=section)
    section["pixel_size_um"]["files_are_wrong"] = True
    assert "0 problems" in run(tmp_path, "check_images", **keys, fiducial=section)
    run(tmp_path, "tables", **keys, fiducial=section)
    summary = (tmp_path / "out" / "summary.tsv").read_text().splitlines()
    assert "registered" in summary[1]
