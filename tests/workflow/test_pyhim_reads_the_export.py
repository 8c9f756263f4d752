"""pyHiM itself, where it is installed, goes on from what the export wrote.

Set CROSSREG_PYHIM to its command (`pip install pyhim==0.10.0`, in an environment of its own).
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from astropy.table import Table

from experiment import SHAPE_ZYX, image_name, make_experiment

PYHIM = os.environ.get("CROSSREG_PYHIM")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYHIM, reason="CROSSREG_PYHIM does not name pyHiM's command"),
]
ROI = "003"
GIVEN_YX = {"RT1": (0.0, 0.0), "RT2": (-3.0, 2.0)}
"""Global shifts given, so that the blocks have residuals: (-1, 0) of RT1 and (1, -2) of RT2."""
MOVED_YX = {"RT1": (-1.0, 0.0), "RT2": (-2.0, 0.0)}
"""What brings the cycles of the experiment to the reference."""
PLACES_ZYX = [(1.0, y, x) for y in (14.0, 45.0) for x in (16.0, 47.0)]
BARCODES = range(5)
"""RT0 to RT4, of which the last two have no shift."""


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Return an experiment: two good cycles, an unrelated RT3, DAPI, too, and a cut RT4."""
    folder = tmp_path_factory.mktemp("pyhim")
    made = make_experiment(folder / "run", rois=(ROI,), cycles=("RT1", "RT2"))
    noise = np.random.default_rng(3).integers(900, 1100, SHAPE_ZYX).astype(np.uint16)
    names = [image_name(ROI, "RT3"), image_name(ROI, "DAPI").replace("ch00", "ch01")]
    for name in (*names, image_name(ROI, "DAPI")):
        path = made.folder / "images" / name
        tifffile.imwrite(path, noise, photometric="minisblack", metadata={"axes": "ZYX"})
    made.image(ROI, "RT4").write_bytes(b"II*\0cut off")
    given = {f"ROI:{ROI}": {cycle: list(shift) for cycle, shift in GIVEN_YX.items()}}
    (made.folder / "given.json").write_text(json.dumps(given))
    for section, key, value in (
        ("buildsPWDmatrix", "tracing_method", ["clustering"]),
        ("buildsPWDmatrix", "flux_min_3D", 0),
        ("alignImages", "blockSizeXY", 32),
    ):
        parameters = json.loads((made.folder / "parameters.json").read_text())
        parameters["common"].setdefault(section, {})[key] = value
        (made.folder / "parameters.json").write_text(json.dumps(parameters))
    (made.folder / "config.yaml").write_text(
        "images: images\nparameters: parameters.json\nresults: results\n"
        "register_global: given.json\n"
    )
    return made


def localizations(frame_yx):
    """Return a table of pyHiM's with the spots of the same places of the sample in every cycle."""
    rows = [(barcode, place) for barcode in BARCODES for place in PLACES_ZYX]
    barcodes, places = (np.array(part) for part in zip(*rows, strict=True))
    for cycle, moved in MOVED_YX.items():
        places[barcodes == int(cycle[2:]), 1:] += np.subtract(frame_yx.get(cycle, (0, 0)), moved)
    count, (z, y, x) = len(rows), places.astype(np.float32).T
    columns = {"Buid": [f"spot {n}" for n in range(count)], "ROI #": count * [int(ROI)]}
    columns |= {"CellID #": count * [0], "Barcode #": barcodes, "id": np.arange(count)}
    columns |= {"zcentroid": z, "xcentroid": x, "ycentroid": y}
    ones = np.ones(count, np.float32)
    columns |= dict.fromkeys(("sharpness", "roundness1", "roundness2"), ones)
    columns |= {"npix": count * [9]} | dict.fromkeys(("sky", "peak", "flux", "mag"), ones)
    return Table(columns)


def run_pyhim(folder, *commands):
    """Run commands of pyHiM one after another; return what it said."""
    told = ""
    for name in commands:
        words = [PYHIM, "-F", ".", "-C", name]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
        told += done.stdout + done.stderr
        assert done.returncode == 0, told
        assert "Normal termination" in done.stdout + done.stderr
    assert "KeyError" not in told
    return told


def positions(path):
    """Return the places (n, 3) of each barcode in a table, and its comments."""
    table = Table.read(path, format="ascii.ecsv")
    places = np.column_stack([table[f"{axis}centroid"] for axis in "zyx"])
    found = {int(n): places[table["Barcode #"] == n] for n in np.unique(table["Barcode #"])}
    return found, table.meta["comments"]


def check_in_place(found):
    """Check that the spots of the good cycles are where they belong, and no others are there."""
    assert sorted(found) == [0, 1, 2]
    for places in found.values():
        assert np.abs(places - PLACES_ZYX).max() < 0.15


def exported(experiment, **keys):
    configuration = yaml.safe_load((experiment.folder / "config.yaml").read_text()) | keys
    (experiment.folder / "now.yaml").write_text(yaml.safe_dump(configuration))
    experiment.succeed("export_pyhim", "--configfile", "now.yaml")
    return experiment.results / "pyhim" / ROI


COMMANDS = ("filter_localizations", "register_localizations", "build_traces", "build_matrix")


def test_its_localizations_get_the_shifts_and_those_without_one_go(experiment):
    folder = exported(experiment)
    assert {path.name.split("_")[2] for path in folder.glob("*.tif")} == {"RT0", "RT1", "RT2"}
    path = folder / "localize_3d" / "data" / "localizations_3D_barcode.dat"
    path.parent.mkdir(parents=True)
    localizations(GIVEN_YX).write(path, format="ascii.ecsv")
    shifts = (folder / "register_global" / "data" / "shifts.json").read_bytes()
    told = run_pyhim(folder, *COMMANDS)
    found, comments = positions(path)
    check_in_place(found)
    assert "registered" in comments
    assert "8 localizations out of 20 were removed" in told
    traces = folder / "tracing" / "data" / f"Trace_3D_barcode_KDtree_ROI-{int(ROI)}.ecsv"
    # It takes the first of its clusters for background.
    assert set(Table.read(traces, format="ascii.ecsv")["Barcode #"]) == {0, 1, 2}
    assert (folder / "register_global" / "data" / "shifts.json").read_bytes() == shifts


def test_spots_that_are_registered_already_stay_where_they_are(experiment):
    source = Path(experiment.folder, "barcodes.dat")
    localizations({}).write(source, format="ascii.ecsv", overwrite=True)
    folder = exported(experiment, localizations="barcodes.dat", localizations_frame="raw")
    path = folder / "localize_3d" / "data" / "localizations_3D_barcode.dat"
    before, _ = positions(path)
    check_in_place(before)
    assert "already registered" in run_pyhim(folder, *COMMANDS[1:])
    check_in_place(positions(path)[0])
