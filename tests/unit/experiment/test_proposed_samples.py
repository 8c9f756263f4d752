"""A folder of images suggests a sheet, which reads as it was meant."""

import numpy as np
import pytest

from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import UserError
from crossreg.io.sheet import read_sheet
from image_formats import write_ome_tiff, write_plain_tiff
from propose_samples import main, parser


def planted(times=1, channels=1):
    return np.ones((times, channels, 2, 16, 16), "uint16")


def proposed(tmp_path, *options):
    output = tmp_path / "sheet" / "samples.tsv"
    main(parser().parse_args([str(tmp_path / "images"), "--output", str(output), *options]))
    return read_sheet(output)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


def test_names_say_roi_and_cycle(tmp_path, images):
    for roi in ("pos1", "pos2"):
        for cycle in ("round1", "round2"):
            write_plain_tiff(images / f"Exp_{roi}_{cycle}.tif", planted(), [])
    assert proposed(tmp_path) == [
        Sample(roi, cycle, f"../images/Exp_pos{roi}_round{cycle}.tif")
        for roi in "12"
        for cycle in "12"
    ]


def test_names_of_channels_take_the_fiducial(tmp_path, images, capsys):
    for name in ("round1_beads", "round1_genes", "round2_beads", "round2_genes"):
        write_plain_tiff(images / f"Exp_{name}.tif", planted(), [])
    assert [(one.roi, one.cycle, one.path) for one in proposed(tmp_path)] == [
        ("1", cycle, f"../images/Exp_round{cycle}_beads.tif") for cycle in "12"
    ]
    assert "Of the channels beads, genes in the names, beads is taken" in capsys.readouterr().out


def test_lines_of_one_cycle_are_named_to_choose_from(tmp_path, images, capsys):
    for name in ("pos1_round1_green", "pos1_round1_red", "pos1_round2_red"):
        write_plain_tiff(images / f"{name}.tif", planted(), [])
    proposed(tmp_path, "--file-names", "pos{roi}_round{cycle}_*.tif")
    told = capsys.readouterr().out
    assert "Lines that share ROI and cycle, as 2 of ROI 1, cycle 1: keep the one of" in told


def test_times_of_a_file_are_cycles_and_beads_the_fiducial(tmp_path, images, capsys):
    write_ome_tiff(images / "all.ome.tif", planted(3, 2), ["DAPI", "beads 647"])
    samples = proposed(tmp_path)
    assert [(one.cycle, one.time, one.channel) for one in samples] == [
        (f"all_T{time}", str(time), "beads 647") for time in range(3)
    ]
    assert "times are cycles" in capsys.readouterr().out


def write_series(path, names):
    import tifffile

    with tifffile.TiffWriter(path, ome=True) as file:
        for index, name in enumerate(names):
            image = planted()[0, 0] + np.uint16(index)
            file.write(image, photometric="minisblack", metadata={"axes": "ZYX", "Name": name})


def test_series_are_rois_unless_their_names_say_cycles(tmp_path, images):
    write_series(images / "left_round1.ome.tif", ["Position 1", "Position 2"])
    write_series(images / "left_round2.ome.tif", ["Position 1", "Position 2"])
    told = [(one.roi, one.cycle, one.series) for one in proposed(tmp_path)]
    assert told == [(f"1_S{s}", r, str(s)) for s in (0, 1) for r in "12"]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["Round 1", "Round 2", "Round 3"], [("1", "1"), ("1", "2"), ("1", "3")]),
        (["R1 fov A", "R2 fov A", "R1 fov B"], [("A", "1"), ("A", "2"), ("B", "1")]),
    ],
)
def test_names_of_series_may_say_roi_and_cycle(tmp_path, images, names, wanted):
    write_series(images / "all.ome.tif", names)
    told = {(one.roi, one.cycle): one.series for one in proposed(tmp_path)}
    assert told == {place: str(index) for index, place in enumerate(wanted)}


def test_names_that_say_nothing_become_cycles(tmp_path, images):
    for name in ("before.tif", "after wash.tif"):
        write_plain_tiff(images / name, planted(), [])
    told = {(one.roi, one.cycle) for one in proposed(tmp_path)}
    assert told == {("1", "before"), ("1", "after_wash")}


def test_a_sheet_that_is_there_is_kept(tmp_path, images):
    write_plain_tiff(images / "a_1.tif", planted(), [])
    proposed(tmp_path)
    with pytest.raises(UserError, match=r"samples\.tsv: it exists already"):
        proposed(tmp_path)


def test_a_folder_without_a_readable_image_is_refused(tmp_path, images, caplog):
    (images / "a_1.tif").write_text("no image")
    with pytest.raises(UserError, match="no image there can be registered"):
        proposed(tmp_path)
    (images / "a_1.tif").unlink()
    images.rmdir()
    with pytest.raises(UserError, match=r"images: there is no such folder; check the path\."):
        proposed(tmp_path)
