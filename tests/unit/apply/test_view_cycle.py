"""What napari is given to show: both stacks in micrometres, and how sure each block is."""

import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

import crossreg
import planted_tables
import view_cycle as command
from crossreg.fiducial.field.field_file import save_field
from crossreg.io.cycle_tables import PIXEL_NM, PLANE_NM, write_table
from crossreg.workflow_support.for_scripts.script_main import run
from fiducial_images import drawn, spot_positions

SHAPE, SHIFT = (10, 128, 160), (0.0, -4.4, 6.75)


class RecordingViewer:
    """Keeps what it is asked to show, as napari's viewer would show it."""

    def __init__(self):
        self.images = {}
        self.dims, self.scale_bar = SimpleNamespace(), SimpleNamespace()

    def add_image(self, data, name, **looks):
        self.images[name] = (data, looks)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return the results of a run with one cycle, and its stacks beside it."""
    folder = tmp_path_factory.mktemp("run")
    positions = spot_positions(SHAPE, 300, seed=1)
    stacks = [drawn(SHAPE, at, 5, 2) for at in (positions, positions - SHIFT)]
    for name, stack in zip(("RT0.tif", "RT1.tif"), stacks, strict=True):
        tifffile.imwrite(folder / name, stack, photometric="minisblack", metadata={"axes": "ZYX"})
    field = crossreg.register(*stacks, block_size=64).cycle_field
    kept = replace(field, roi=1, cycle="RT1", reference_file="RT0.tif", cycle_file="RT1.tif")
    save_field(folder / "results" / "fields" / "001" / "RT1.npz", kept)
    lines = [f"001\t{cycle}\t{folder / cycle}.tif" for cycle in ("RT0", "RT1")]
    (folder / "results" / "samples.tsv").write_text("\n".join(["roi\tcycle\tpath", *lines, ""]))
    row = planted_tables.global_table("001", "RT1")
    meta = {PLANE_NM: 250.0, PIXEL_NM: 200.0}
    write_table(folder / "results" / "register_global.ecsv", replace(row, meta=meta))
    return folder / "results"


def options(results, cycle="RT1"):
    words = ["--results", results, "--roi", "1", "--cycle", cycle]
    return command.parser().parse_args([str(word) for word in words])


def test_reference_and_registered_cycle_lie_on_each_other_in_micrometres(results):
    viewer = RecordingViewer()
    command.show(viewer, options(results))
    (reference, looks), (cycle, seen), (sigma, flat) = viewer.images.values()
    # As in the pictures.
    assert (looks["colormap"], seen["colormap"]) == ("magenta", "green")
    assert flat["scale"] == (0.2, 0.2)
    # Background is dark and spots are bright, whatever the empty margin of the moved cycle.
    low, high = seen["contrast_limits"]
    assert 480 < low < 520 < 600 < high <= cycle.max()
    assert looks["scale"] == (0.25, 0.2, 0.2)
    inner = (slice(1, -1), slice(10, -10), slice(10, -10))
    assert np.corrcoef(reference[inner].ravel(), cycle[inner].ravel())[0, 1] > 0.8
    # No planes: napari shows it in every one. One value per block, the last ones narrower.
    assert sigma.shape == SHAPE[1:]
    assert len(np.unique(sigma)) == 6
    assert (sigma[:64, :64] == sigma[0, 0]).all()
    assert "sigma of the blocks (nm)" in viewer.images
    found = crossreg.load_registration(results, 1, "RT1")
    assert sigma[0, 0] == pytest.approx(200 * found.table()["sigma_row"][0], rel=0.5)


def test_a_cycle_that_is_not_there_and_a_missing_napari_are_told(results, monkeypatch, capsys):
    with pytest.raises(crossreg.UserError, match="no field of ROI 1, cycle RT9"):
        command.show(RecordingViewer(), options(results, "RT9"))
    monkeypatch.setitem(sys.modules, "napari", None)
    words = ["--results", str(results), "--roi", "1", "--cycle", "RT1"]
    assert run(command.parser(), command.main, words) == 1
    assert "napari is not installed" in capsys.readouterr().err


@pytest.mark.parametrize("roi", ["pos7", "7"])
def test_stacks_of_equal_names_in_folders_of_rois_and_cycles_are_told_apart(results, tmp_path, roi):
    """A microscope names all files alike: the ROI and the cycle are names of folders."""
    field = crossreg.load_registration(results, "001", "RT1").cycle_field
    names = {"reference_file": "stack.tif", "cycle_file": "stack.tif"}
    save_field(tmp_path / "fields" / "pos7" / "RT1.npz", replace(field, roi=7, **names))
    lines = ["roi\tcycle\tpath"]
    for name in ("pos7", "pos8"):
        for cycle in ("RT0", "RT1"):
            path = tmp_path / name / cycle / "stack.tif"
            path.parent.mkdir(parents=True)
            # Only those of pos7 may be read.
            if name == "pos7":
                shutil.copy(results.parent / f"{cycle}.tif", path)
            lines.append(f"{name}\t{cycle}\t{path}")
    (tmp_path / "samples.tsv").write_text("\n".join([*lines, ""]))
    viewer, known = RecordingViewer(), RecordingViewer()
    chosen = options(tmp_path)
    chosen.roi = roi
    command.show(viewer, chosen)
    command.show(known, options(results))
    for shown in ("reference", "RT1, registered"):
        assert np.array_equal(viewer.images[shown][0], known.images[shown][0])
