"""The check of all images names everything that does not fit, in one table."""

import csv
import shutil

import numpy as np
import pytest

from check_images import main, parser
from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.sheet import sheet_text
from crossreg.workflow_support.inputs.gaps import Gap, gaps_text
from image_formats import write_imagej, write_ome_tiff, write_ome_zarr, write_plain_tiff


def planted(seed, shape=(1, 1, 6, 40, 40)):
    return np.random.default_rng(seed).integers(1, 60000, shape).astype("uint16")


def checked(folder, samples, *options, gaps=()):
    """Return the exit status and the lines of the table, by (ROI, cycle)."""
    (folder / "samples.tsv").write_text(sheet_text(samples))
    (folder / "gaps.tsv").write_text(gaps_text(gaps))
    words = ["--samples", folder / "samples.tsv", "--gaps", folder / "gaps.tsv"]
    words += ["--reference", "R1", "--output", folder / "table.tsv"]
    words += ["--blockSizeXY=32", *options]
    status = main(parser().parse_args([str(word) for word in words]))
    with (folder / "table.tsv").open() as file:
        rows = csv.DictReader(file, delimiter="\t")
        return status, {(row["roi"], row["cycle"]): row for row in rows}


@pytest.fixture
def reference(tmp_path):
    path = tmp_path / "R1.ome.tif"
    write_ome_tiff(path, planted(0, (1, 2, 6, 40, 40)), ["DAPI", "beads"])
    return Sample("1", "R1", str(path), channel="beads")


def test_what_fits_is_told_without_a_problem(tmp_path, reference):
    path = tmp_path / "R2.ome.tif"
    write_ome_tiff(path, planted(1, (1, 2, 6, 40, 40)), ["DAPI", "beads"])
    samples = [reference, Sample("1", "R2", str(path), channel="beads")]
    status, rows = checked(tmp_path, samples)
    assert status == 0
    assert rows["1", "R2"] == rows["1", "R1"] | {"cycle": "R2", "path": str(path)}
    told = {key: rows["1", "R2"][key] for key in ("format", "planes", "channels", "fiducial")}
    wanted = {"format": "OME-TIFF", "planes": "6", "channels": "DAPI, beads", "fiducial": "beads"}
    assert told == wanted
    sizes = rows["1", "R2"]["pixel_size_um"], rows["1", "R2"]["z_step_um"]
    assert sizes == ("0.1 x 0.1", "0.5")


def another_size(path):
    write_plain_tiff(path, planted(1, (1, 1, 6, 40, 48)), [])


def few_pixels(path):
    write_plain_tiff(path, planted(1, (1, 1, 6, 20, 20)), [])


def fewer_planes(path):
    write_plain_tiff(path, planted(1, (1, 1, 4, 40, 40)), [])


def other_channels(path):
    write_ome_tiff(path, planted(1, (1, 2, 6, 40, 40)), ["beads", "GFP"])


def other_fiducial(path):
    write_ome_tiff(path, planted(1), ["GFP"])


def another_step(path):
    import tifffile

    metadata = {"axes": "ZYX", "spacing": 0.25, "unit": "um"}
    tifffile.imwrite(path, planted(1)[0, 0], imagej=True, resolution=(10, 10), metadata=metadata)


def no_image(path):
    path.write_bytes(b"no image")


def two_channels(path):
    write_imagej(path, planted(1, (1, 2, 6, 40, 40)), [])


@pytest.mark.parametrize(
    ("write", "column", "told"),
    [
        (another_size, "problems", "40 x 48 px, those of the reference 40 x 40 px"),
        (few_pixels, "problems", "alignImages.blockSizeXY is 32 px, but the planes have only"),
        (fewer_planes, "remarks", "4 planes, the reference has 6."),
        (other_channels, "remarks", "Its channels are beads, GFP, those of the reference DAPI,"),
        (other_fiducial, "remarks", "is the channel GFP, that of the reference beads."),
        (another_step, "problems", "its planes are 0.25 um apart, those of the reference 0.5"),
        (no_image, "problems", "this is not a TIFF file"),
        (two_channels, "problems", "the file holds 2 channels"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, reference, write, column, told):
    path = tmp_path / "R2.tif"
    write(path)
    channel = "beads" if write is other_channels else ""
    samples = [reference, Sample("1", "R2", str(path), channel=channel)]
    status, rows = checked(tmp_path, samples)
    assert told in rows["1", "R2"][column]
    assert status == (column == "problems")
    assert not rows["1", "R1"]["problems"]


def test_a_given_pixel_size_is_compared(tmp_path, reference):
    status, rows = checked(tmp_path, [reference], "--pixel-size-xy=0.2", "--pixel-size-z=0.5")
    assert status == 1
    problem = rows["1", "R1"]["problems"]
    assert "says a pixel size of 0.1 um, but that of the experiment is 0.2 um" in problem
    assert checked(tmp_path, [reference], "--ignore-pixel-sizes")[0] == 0


@pytest.mark.parametrize("kind", ["file", "store"])
def test_a_copy_is_found_whatever_its_name(tmp_path, kind):
    paths = [tmp_path / f"R{number}.{'zarr' if kind == 'store' else 'tif'}" for number in (1, 2, 3)]
    write = write_ome_zarr if kind == "store" else write_plain_tiff
    write(paths[0], planted(1), ["beads"])
    (shutil.copytree if kind == "store" else shutil.copy)(paths[0], paths[1])
    write(paths[2], planted(2), ["beads"])
    samples = [Sample("1", path.stem, str(path)) for path in paths]
    status, rows = checked(tmp_path, samples)
    assert status == 1
    assert "is a copy of that of ROI 1, cycle R1" in rows["1", "R2"]["problems"]
    assert not rows["1", "R3"]["problems"]


def test_cycles_without_a_fiducial_stack_are_lines_of_the_table(tmp_path, reference):
    gaps = [Gap("1", "R5", "the fiducial is not there, but DAPI is.", True)]
    gaps.append(Gap("1", "R6", "this ROI has no stack of the cycle, but other ROIs have."))
    status, rows = checked(tmp_path, [reference], gaps=gaps)
    assert status == 1
    assert rows["1", "R5"]["problems"] == "The fiducial is not there, but DAPI is."
    assert rows["1", "R6"]["remarks"].startswith("This ROI has no stack of the cycle")
    assert not rows["1", "R6"]["problems"]


def test_missing_stacks_are_counted_beside_those_that_were_checked(tmp_path, reference, capsys):
    gap = Gap("1", "R6", "this ROI has no stack of the cycle, but other ROIs have.")
    assert checked(tmp_path, [reference], gaps=[gap])[0] == 0
    assert "1 stack checked, 1 missing, 0 problems." in capsys.readouterr().out
