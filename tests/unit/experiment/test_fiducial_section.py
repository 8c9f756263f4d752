"""The section `fiducial` says the same as pyHiM's parameters.json, in plain words."""

import json

import pytest

from crossreg.fiducial.experiment.fiducial_section import parameters_of_section
from crossreg.fiducial.experiment.parameters import (
    PLAIN_SCHEMA_FILE,
    default_parameters,
    fiducial_channel,
    read_parameters,
    spelt,
    spelt_planes,
)
from crossreg.io.errors import UserError

PLAIN = {
    "reference": "R1",
    "channel": "Cy3",
    "frames": "1::3",
    "pixel_size_um": {"xy": 0.13, "z": 0.4, "files_are_wrong": True},
    "block_size": 64,
    "z_binning": 3,
    "resample_z": False,
    "local": False,
    "global_by_blocks": False,
    "global_block_size": 100,
    "projection": "sum",
    "projection_planes": [2, 20],
    "quality_lower_threshold": 0.8,
    "quality_upper_threshold": 0.99,
    "quality_background_sigma": 2.0,
}
PYHIM = {
    "acquisition": {"pixelSizeXY": 0.13, "pixelSizeZ": 0.4, "zBinning": 3},
    "zProject": {"mode": "manual", "zProjectOption": "sum", "zmin": 2, "zmax": 20},
    "alignImages": {
        "referenceFiducial": "R1",
        "alignByBlock": False,
        "blockSize": 100,
        "localAlignment": "None",
        "blockSizeXY": 64,
        "3D_lower_threshold": 0.8,
        "3D_higher_threshold": 0.99,
        "background_sigma": 2.0,
    },
}


def test_both_ways_of_writing_parameters_mean_the_same(tmp_path):
    path = tmp_path / "parameters.json"
    path.write_text(json.dumps({"common": PYHIM}))
    plain = parameters_of_section(PLAIN, "my.yaml: fiducial")
    assert plain.values.pop("channel") == "Cy3"
    assert plain.values.pop("frames") == "1::3"
    assert plain.values.pop("files_are_wrong") is True
    assert plain.values.pop("resample_z") is False
    assert plain.values == read_parameters(path).values


def test_the_test_above_sets_every_key_there_is():
    assert PLAIN.keys() == json.loads(PLAIN_SCHEMA_FILE.read_text())["properties"].keys()


def test_the_reference_is_enough():
    parameters = parameters_of_section({"reference": "R1"}, "my.yaml: fiducial")
    assert parameters["blockSizeXY"] == 128
    assert parameters["zBinning"] == 1
    assert parameters["pixelSizeXY"] is None
    assert fiducial_channel("DAPI", parameters) == ""


def test_one_channel_is_the_fiducial_of_all_cycles():
    parameters = parameters_of_section({"reference": "R1", "channel": 0}, "my.yaml: fiducial")
    assert [fiducial_channel(cycle, parameters) for cycle in ("DAPI", "RT1")] == ["0", "0"]


@pytest.mark.parametrize(
    ("key", "pyhim", "plain"),
    [
        ("blockSizeXY", "alignImages.blockSizeXY", "fiducial.block_size"),
        ("blockSize", "alignImages.blockSize", "fiducial.global_block_size"),
        ("referenceFiducial", "alignImages.referenceFiducial", "fiducial.reference"),
        ("zmin", "zProject.zmin", "fiducial.projection_planes"),
    ],
)
def test_a_parameter_is_called_as_the_user_writes_it(tmp_path, key, pyhim, plain):
    path = tmp_path / "parameters.json"
    path.write_text('{"common": {}}')
    assert read_parameters(path).spelt(key) == pyhim
    assert parameters_of_section({"reference": "R1"}, "my.yaml").spelt(key) == plain


def test_the_planes_to_project_are_two_keys_or_one():
    assert spelt_planes("pyhim") == "zProject.zmin and zProject.zmax"
    assert spelt_planes("fiducial") == "fiducial.projection_planes"
    assert all(spelt(key, "pyhim").endswith(key) for key in default_parameters())


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({}, "my.yaml: fiducial: the key 'reference' is missing"),
        ({"reference": 10}, "'reference' has the value 10; .*in quotes"),
        (
            {"reference": "R1", "blocksize": 64},
            "unknown key 'blocksize'; did you mean 'block_s",
        ),
        ({"reference": "R1", "frames": "every third"}, "must be first:stop:step in quotes"),
        ({"reference": "R1", "frames": "::0"}, "must be first:stop:step in quotes"),
        ({"reference": "R1", "projection_planes": [5]}, r"must be \[first, stop\]"),
        ({"reference": "R1", "projection_planes": [9, 5]}, "first plane must be below"),
        (
            {"reference": "R1", "quality_lower_threshold": 1},
            "'quality_lower_threshold' is 1; it must be below",
        ),
        ({"reference": "R1", "pixel_size_um": {"xy": 0}}, "'pixel_size_um.xy' has the value 0"),
        (
            {"reference": "R1", "pixel_size_um": {"xy": 0.1, "files_are_wrong": True}},
            "files_are_wrong' is true; give xy and z",
        ),
        ({"reference": "R1", "resample_z": "yes"}, "'resample_z' has the value 'yes'"),
        (PLAIN | {"resample_z": True}, "'resample_z' needs the distance of planes that the files"),
    ],
)
def test_a_faulty_section_is_refused(section, sentence):
    with pytest.raises(UserError, match=sentence):
        parameters_of_section(section, "my.yaml: fiducial")
