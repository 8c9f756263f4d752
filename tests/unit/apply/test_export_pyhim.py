"""What pyHiM reads of a ROI: the shifts that there are, nothing of cycles without one."""

import contextlib
import io
import json

import numpy as np
import pytest
import tifffile
from astropy.table import Table

import export_pyhim as command
import planted_tables
from crossreg.fiducial.apply.spots_for_pyhim import copy_rows_of_pyhim
from crossreg.io import ecsv
from crossreg.io.cycle_tables import read_local_table, write_table
from crossreg.io.missing_notes import note_missing
from crossreg.workflow_support.for_scripts.script_main import run
from fiducial_images import drawn, spot_positions

SHAPE, ROI = (8, 128, 128), "003"
GOOD, FAILED, BROKEN, GAP = "RT6", planted_tables.BAD_CYCLE_AT[1], "RT8", "DAPI"
NAME = "scan_001_{cycle}_{roi}_ROI_converted_decon_{channel}.tif"
BLOCKS = planted_tables.GRID[0] * planted_tables.GRID[1]


def write_stack(folder, cycle, channel, roi=ROI):
    path = folder / NAME.format(cycle=cycle, roi=roi, channel=channel)
    path.parent.mkdir(exist_ok=True)
    stack = drawn(SHAPE, spot_positions(SHAPE, 60, seed=1), 5, 2)
    tifffile.imwrite(path, stack, photometric="minisblack", metadata={"axes": "ZYX"})
    return path


@pytest.fixture
def experiment(tmp_path):
    """Return a folder with stacks and tables: a good cycle, a failed, a broken one, and a gap."""
    lines = ["roi\tcycle\tpath\tchannel\tgiven_x\tgiven_y"]
    for cycle in ("RT0", GOOD, FAILED, BROKEN):
        paths = [write_stack(tmp_path / "images", cycle, channel) for channel in ("ch00", "ch01")]
        lines.append(f"{ROI}\t{cycle}\t{paths[0]}\t\t\t")
    lines.append(f"012\tRT0\t{write_stack(tmp_path / 'images', 'RT0', 'ch00', '012')}\t\t\t")
    (tmp_path / "samples.tsv").write_text("\n".join([*lines, ""]))
    (tmp_path / "gaps.tsv").write_text(
        f"roi\tcycle\tfault\treason\n{ROI}\t{GAP}\tno\tthis ROI has no stack of the cycle.\n"
    )
    for cycle in (GOOD, FAILED):
        for kind in ("global", "local"):
            table = getattr(planted_tables, f"{kind}_table")(ROI, cycle)
            write_table(tmp_path / kind / ROI / f"{cycle}.ecsv", table)
    for kind in ("global", "local"):
        note_missing(tmp_path / kind / ROI / f"{BROKEN}.ecsv", "it is cut off.")
    align = {"referenceFiducial": "RT0", "outputFile": "register"}
    parameters = {"common": {"alignImages": align}, "labels": {"barcode": {}}}
    (tmp_path / "parameters.json").write_text(json.dumps(parameters))
    return tmp_path


def exported(experiment, *options):
    """Run the command in this process; return the folder and what was said."""
    output = experiment / "results" / "pyhim" / ROI / "README.txt"
    words = ["--roi", ROI, "--samples", experiment / "samples.tsv", "--reference", "RT0"]
    words += ["--gaps", experiment / "gaps.tsv", "--parameters", experiment / "parameters.json"]
    words += ["--global-tables", experiment / "global", "--local-tables", experiment / "local"]
    for cycle in ("RT0", GOOD, FAILED, BROKEN):
        other = experiment / "images" / NAME.format(cycle=cycle, roi=ROI, channel="ch01")
        words += ["--other-channel", cycle, "ch01", other]
    with contextlib.redirect_stderr(io.StringIO()) as told:
        status = run(
            command.parser(), command.main, [*map(str, words), "--output", str(output), *options]
        )
    assert "Traceback" not in told.getvalue()
    return status, output.parent, told.getvalue()


def test_cycles_without_a_shift_are_in_no_json_and_have_rows_of_nan(experiment):
    status, folder, told = exported(experiment)
    assert status == 0, told
    shifts = json.loads((folder / "register_global" / "data" / "register.json").read_text())
    row = planted_tables.global_row(ROI, GOOD)
    assert shifts == {f"ROI:{ROI}": {GOOD: [row["shift_x"], row["shift_y"]]}}
    table = Table.read(folder / "register_local/data/register_block3D.dat", format="ascii.ecsv")
    # pyHiM stops with a KeyError at a block that is not there.
    assert set(table["ROI #"]) == {3}
    for cycle in (GOOD, FAILED, BROKEN, GAP):
        mine = table[table["label"] == cycle]
        assert len(set(zip(mine["block_i"], mine["block_j"], strict=True))) == BLOCKS
        # It deletes localizations whose shift is NaN.
        shift = np.array([mine[f"shift_{axis}"] for axis in "zxy"])
        assert np.isfinite(shift).all() if cycle == GOOD else np.isnan(shift).all()


def test_only_images_that_can_be_moved_are_there_each_channel_by_the_fiducials_shift(experiment):
    status, folder, told = exported(experiment)
    assert status == 0, told
    linked = {path.name for path in folder.glob("*.tif")}
    assert linked == {
        NAME.format(cycle=cycle, roi=ROI, channel=channel)
        for cycle in ("RT0", GOOD)
        for channel in ("ch00", "ch01")
    }
    row = planted_tables.global_row(ROI, GOOD)
    shift = np.rint([row["shift_x"], row["shift_y"]]).astype(int)
    for name in linked:
        stem = name.removesuffix(".tif")
        before = np.load(folder / "project" / "data" / f"{stem}_2d.npy")
        after = np.load(folder / "register_global" / "data" / f"{stem}_2d_registered.npy")
        expected = np.roll(before, shift, axis=(0, 1)) if GOOD in name else before
        inner = (slice(10, -10), slice(10, -10))
        assert np.corrcoef(after[inner].ravel(), expected[inner].ravel())[0, 1] > 0.95


def test_the_text_names_doubtful_cycles(experiment):
    assert "oubtful" not in (exported(experiment)[1] / "README.txt").read_text()
    path = experiment / "local" / ROI / f"{GOOD}.ecsv"
    table = read_local_table(path)
    said = {"verdict": "doubtful", "reason": "it slipped"}
    write_table(path, ecsv.Table(table.columns, table.meta | said))
    text = (exported(experiment)[1] / "README.txt").read_text()
    assert f"before you use their shifts:\n    {GOOD}: it slipped\n" in text


def test_the_text_says_what_was_left_out_and_which_commands_are_safe(experiment):
    _, folder, told = exported(experiment)
    text = (folder / "README.txt").read_text()
    reasons = {FAILED: "it does not match", BROKEN: "it is cut off.", GAP: "no stack of the cycle"}
    for cycle, reason in reasons.items():
        assert f"    {cycle}: " in text
        assert reason in text
        assert f"cycle {cycle} is left out" in told
    for unsafe in ("register_global", "appliesRegistrations", "2D or 3D"):
        assert unsafe in text.partition("Never run")[2]
    parameters = json.loads((folder / "parameters.json").read_text())["common"]
    assert parameters["alignImages"]["outputFile"] == "register"
    assert parameters["alignImages"]["localAlignment"] == "block3D"
    assert min(parameters["buildsPWDmatrix"]["toleranceDrift"]) > 1e5


def test_a_roi_without_any_shift_says_so_and_leaves_nothing_of_before(experiment):
    _, folder, _ = exported(experiment)
    note_missing(experiment / "local" / ROI / f"{GOOD}.ecsv", "it is dark.")
    status, _, told = exported(experiment)
    assert status == 0, told
    text = (folder / "README.txt").read_text()
    assert "nothing here for pyHiM: no cycle of this ROI has a shift" in text
    assert "it is dark." in text
    assert [path.name for path in folder.rglob("*") if path.is_file()] in (
        ["README.txt", ".exported_by_crossreg"],
        [".exported_by_crossreg", "README.txt"],
    )


def test_spots_of_other_rois_and_of_cycles_without_a_shift_are_not_handed_on(experiment):
    table = Table(
        {
            "Buid": ["a b", "c", "d", "e", "f"],
            "ROI #": [3, 3, 3, 3, 12],
            "Barcode #": [6, 7, 0, 9, 6],
            **{f"{axis}centroid": np.arange(5.0) for axis in "zxy"},
            "registration": ["measured", "failed", "reference", "missing", "borrowed"],
        }
    )
    table.meta["comments"] = ["registered"]
    table.write(experiment / "spots.dat", format="ascii.ecsv")
    (experiment / "other.ecsv").write_text("# %ECSV 1.0\n# ---\n# datatype: []\nx y\n1 2\n")
    spots = [str(experiment / name) for name in ("spots.dat", "other.ecsv")]
    status, folder, told = exported(experiment, "--spots", *spots)
    assert status == 0, told
    (path,) = (folder / "localize_3d" / "data").glob("*")
    assert path.name == "localizations_3D_barcode.dat"
    found = Table.read(path, format="ascii.ecsv")
    assert list(found["Buid"]) == ["a b", "d"]
    assert found.meta["comments"] == ["registered"]
    text = (folder / "README.txt").read_text()
    assert "from spots.dat: 2 spots; 2 of cycles that failed or are missing are left out" in text
    assert "-C mask_3d," in text


def test_files_that_pyhim_cannot_read_are_named(experiment):
    for path in (experiment / "images").glob(f"*{GOOD}_{ROI}*"):
        stack = tifffile.imread(path)
        both = np.stack([stack, stack], axis=1)
        tifffile.imwrite(path, both, photometric="minisblack", metadata={"axes": "ZCYX"})
    sheet = experiment / "samples.tsv"
    name = NAME.format(cycle=GOOD, roi=ROI, channel="ch00")
    sheet.write_text(sheet.read_text().replace(f"{name}\t", f"{name}\t0"))
    status, folder, told = exported(experiment)
    assert status == 0, told
    assert not (folder / name).exists()
    assert f"    {name}" in (folder / "README.txt").read_text().partition("TIFF stacks only")[2]


def test_an_export_among_the_stacks_is_refused(experiment):
    (experiment / "results").symlink_to(experiment / "images")
    status, folder, told = exported(experiment)
    assert status == 1
    assert "would take the exported files for its own; move the folder" in told
    assert not folder.exists()


@pytest.mark.parametrize("as_text", [True, False])
def test_spots_of_named_rois_are_handed_on_with_the_number_that_pyhim_wants(tmp_path, as_text):
    rois = ["pos3", "pos3", "pos12", "3"] if as_text else [3, 3, 12, 3]
    table = Table(
        {
            "Buid": ["a", "b", "c", "d"],
            "ROI #": rois,
            "Barcode #": [6, 7, 6, 8],
            **{f"{axis}centroid": np.arange(4.0) for axis in "zxy"},
            "registration": ["measured", "failed", "measured", "borrowed"],
        }
    )
    table.write(tmp_path / "spots.ecsv", format="ascii.ecsv")
    output = tmp_path / "out.dat"
    done = copy_rows_of_pyhim(tmp_path / "spots.ecsv", output, "pos3", {"pos3", "pos12"})
    assert done == (2, 1)
    found = Table.read(output, format="ascii.ecsv")
    assert list(found["Buid"]) == ["a", "d"]
    assert found["ROI #"].tolist() == [3, 3]
