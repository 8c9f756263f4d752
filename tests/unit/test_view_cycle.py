"""What napari is given to show: both stacks in micrometres, and how sure each block is."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import tifffile

import crossreg
import view_cycle as command
from crossreg.fiducial.field.field_file import save_field
from crossreg.workflow_support.command import run
from fiducial_images import drawn, spot_positions

SHAPE, SHIFT = (10, 128, 160), (0.0, -4.4, 6.75)


class RecordingViewer:
    """Keeps what it is asked to show, as napari's viewer would show it."""

    def __init__(self):
        self.images = {}

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
    return folder / "results"


def options(results, cycle="RT1"):
    words = ["--results", results, "--roi", "1", "--cycle", cycle, "--pixelSizeXY", "0.2"]
    return command.parser().parse_args([str(word) for word in words])


def test_reference_and_registered_cycle_lie_on_each_other_in_micrometres(results):
    viewer = RecordingViewer()
    command.show(viewer, options(results))
    (reference, looks), (cycle, _), (sigma, _) = viewer.images.values()
    assert looks["scale"] == (0.25, 0.2, 0.2)
    inner = (slice(1, -1), slice(10, -10), slice(10, -10))
    assert np.corrcoef(reference[inner].ravel(), cycle[inner].ravel())[0, 1] > 0.8
    assert sigma.shape == (1, *SHAPE[1:])
    # One value a block: 2 rows and 3 columns of blocks, the last one narrower.
    assert len(np.unique(sigma)) == 6
    assert (sigma[0, :64, :64] == sigma[0, 0, 0]).all()


def test_a_cycle_that_is_not_there_and_a_missing_napari_are_told(results, monkeypatch, capsys):
    with pytest.raises(crossreg.UserError, match="no field of ROI 1, cycle RT9"):
        command.show(RecordingViewer(), options(results, "RT9"))
    monkeypatch.setitem(sys.modules, "napari", None)
    words = ["--results", str(results), "--roi", "1", "--cycle", "RT1"]
    assert run(command.parser(), command.main, words) == 1
    assert "napari is not installed" in capsys.readouterr().err
