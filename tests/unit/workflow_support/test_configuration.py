"""What Snakemake's --config hands out as text is read as it would be in a file."""

import math

import pytest

from crossreg.io.errors import UserError
from crossreg.workflow_support.inputs.configuration import read_configuration


def read(tmp_path, **given):
    base = {"images": "images", "fiducial": {"reference": "RT1"}}
    return read_configuration(base | given, [], tmp_path)


def test_texts_are_numbers_true_false_and_null_where_these_are_wanted(tmp_path):
    section = {
        "reference": "1",
        "block_size": "64",
        "local": "false",
        "pixel_size_um": {"xy": "0.1", "z": "null"},
        "projection_planes": ["1", "5"],
    }
    found = read(tmp_path, tolerance_nm={"xy": "30", "z": "50.5"}, borrow="false", fiducial=section)
    assert found["tolerance_nm"] == {"xy": 30, "z": 50.5}
    assert found["borrow"] is False
    fiducial = found["fiducial"]
    assert (fiducial["reference"], fiducial["block_size"], fiducial["local"]) == ("1", 64, False)
    assert (fiducial["pixel_size_um"]["xy"], fiducial["pixel_size_um"]["z"]) == (0.1, None)
    assert fiducial["projection_planes"] == [1, 5]


def test_names_stay_as_they_are_written(tmp_path):
    assert read(tmp_path, rois=["010", "null"])["rois"] == ["010", "null"]


@pytest.mark.parametrize(
    "wrong", [math.nan, math.inf, "wide", "0", "true", "{", "[30]", "2026-11-30", ""]
)
def test_other_texts_are_refused(tmp_path, wrong):
    with pytest.raises(UserError, match=r"'tolerance_nm\.xy' .* must be a number above 0"):
        read(tmp_path, tolerance_nm={"xy": wrong, "z": "50"})


def test_a_motion_is_smooth_rigid_or_the_path_of_a_file(tmp_path):
    assert read(tmp_path)["motion"] == "smooth"
    assert read(tmp_path, motion="rigid")["motion"] == "rigid"
    with pytest.raises(UserError, match="'motion' has the value 'rigit'; it must be smooth, rigid"):
        read(tmp_path, motion="rigit")
    with pytest.raises(UserError, match="my_motion.json: there is no such file, which 'motion'"):
        read(tmp_path, motion="my_motion.json")


def test_what_is_learned_from_all_cycles_is_no_input_of_them(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "motion.json").write_text("{}")
    with pytest.raises(UserError, match="learn_motion writes this file anew; copy it to a place"):
        read(tmp_path, motion="results/motion.json")
