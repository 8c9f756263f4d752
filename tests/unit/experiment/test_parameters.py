"""pyHiM's parameters.json is read as it is; every fault is named with file, key and value."""

import argparse
import json

import pytest

from crossreg.fiducial.experiment.parameter_options import add_options, as_options
from crossreg.fiducial.experiment.parameters import (
    fiducial_channel,
    projected_planes,
    read_parameters,
)
from crossreg.io.errors import UserError


@pytest.fixture
def write(tmp_path):
    def write(common, labels=None):
        path = tmp_path / "parameters.json"
        path.write_text(json.dumps({"common": common, "labels": labels or {}}))
        return path

    return write


def test_defaults_are_pyhims(write):
    parameters = read_parameters(write({}))
    assert parameters.warnings == ()
    assert parameters["referenceFiducial"] == "RT27"
    assert parameters["alignByBlock"] is True
    assert (parameters["blockSize"], parameters["blockSizeXY"]) == (256, 128)
    assert (parameters["zBinning"], parameters["3D_lower_threshold"]) == (2, 0.9)


@pytest.mark.parametrize("data_set", ["easifish", "merfish-beads", "pyhim-2d"])
def test_real_files_are_read_unchanged(shared_data, data_set):
    parameters = read_parameters(shared_data / data_set / "parameters.json")
    assert parameters["alignByBlock"] is False
    assert len(parameters.warnings) == 1
    assert (
        "without effect here: lower_threshold, higher_threshold, tolerance"
        in (parameters.warnings[0])
    )


def test_the_label_fiducial_overrides_common(write):
    path = write(
        {"alignImages": {"blockSizeXY": 64, "blockSize": 100}},
        {
            "fiducial": {"alignImages": {"blockSizeXY": 32}},
            "DAPI": {"alignImages": {"blockSize": 9}},
        },
    )
    parameters = read_parameters(path)
    assert (parameters["blockSizeXY"], parameters["blockSize"]) == (32, 100)


def test_both_spellings_of_the_3d_thresholds_work(write):
    parameters = read_parameters(write({"alignImages": {"_3D_lower_threshold": 0.5}}))
    assert parameters["3D_lower_threshold"] == 0.5


def test_both_spellings_of_the_projection_work(write):
    parameters = read_parameters(write({"zProject": {"z_project_option": "sum"}}))
    assert parameters["zProjectOption"] == "sum"
    assert parameters.warnings == ()


def test_keys_of_other_features_are_ignored_silently(write):
    common = {
        "acquisition": {"DAPI_channel": "ch00", "positionROIinformation": 3},
        "zProject": {"windowSecurity": 2, "blockSize": 128, "zwindows": 15},
        "segmentedObjects": {"area_max": 500},
    }
    assert read_parameters(write(common)).warnings == ()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            {"common": {"alignImages": {"blockSizeXy": 64}}},
            "'common.alignImages.blockSizeXy' is not known and has no effect;"
            " did you mean 'blockSizeXY'?",
        ),
        ({"common": {"alignImage": {}}}, "'common.alignImage' .* did you mean 'alignImages'?"),
        (
            {"common": {"alignImages": {}, "alignImage": {}}},
            "'common.alignImage' .* did you mean 'alignImages'?",
        ),
        (
            {"common": {"acquisition": {"referenceFiducial": "RT1"}}},
            "'common.acquisition.referenceFiducial' .* move it to 'alignImages'.",
        ),
        (
            {"common": {}, "alignImages": {"referenceFiducial": "RT1"}},
            "'alignImages' .* move it to 'common'.",
        ),
        ({"common": {}, "labels": {"zProject": {}}}, "'labels.zProject' .* move it to 'common'."),
        ({"common": {"zBinning": 2}}, "'common.zBinning' .* move it to 'acquisition'."),
        ({"common": {}, "lables": {}}, "'lables' .* did you mean 'labels'?"),
        ({"common": {}, "labels": {"fiducials": {}}}, "'labels.fiducials' .* 'fiducial'?"),
        (
            {"common": {}, "labels": {"fiducial": {"zproject": {}}}},
            "'labels.fiducial.zproject' .* 'zProject'?",
        ),
    ],
)
def test_what_is_misspelt_or_misplaced_is_named(tmp_path, content, told):
    path = tmp_path / "parameters.json"
    path.write_text(json.dumps(content))
    (warning,) = read_parameters(path).warnings
    start, _, end = told.partition(" .* ")
    assert warning.startswith(f"{path}: {start}")
    assert warning.endswith(end)


@pytest.mark.parametrize("labels", [[], "fiducial", {"fiducial": ["zProject"]}])
def test_labels_that_are_no_sections_are_named(tmp_path, labels):
    path = tmp_path / "parameters.json"
    path.write_text(json.dumps({"common": {}, "labels": labels}))
    with pytest.raises(UserError, match=r"parameters\.json: the key 'labels.* must be a section"):
        read_parameters(path)
    path.write_text(json.dumps({"common": {}, "labels": None}))
    assert read_parameters(path).warnings == ()


@pytest.mark.parametrize(
    ("section", "key", "value", "allowed"),
    [
        ("alignImages", "blockSizeXY", "128", "a whole number at least 16"),
        ("alignImages", "blockSizeXY", 8, "at least 16"),
        ("alignImages", "alignByBlock", "yes", "true or false"),
        ("alignImages", "localAlignment", "mask2D", "one of 'block3D', 'None'"),
        ("acquisition", "zBinning", 0, "at least 1"),
        ("acquisition", "pixelSizeXY", -0.1, "above 0"),
        ("zProject", "zProjectOption", "mean", "one of 'MIP', 'sum'"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(write, section, key, value, allowed):
    path = write({section: {key: value}})
    with pytest.raises(UserError) as caught:
        read_parameters(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert f"{section}.{key}" in sentence
    assert repr(value) in sentence
    assert allowed in sentence


@pytest.mark.parametrize(
    ("common", "sentence"),
    [
        ({"zProject": {"mode": "manual", "zmin": 9, "zmax": 5}}, "zmin must be below zmax"),
        ({"acquisition": {"fileNameRegExp": "(?P<roi>[0-9]+"}}, "not a regular expression"),
        ({"acquisition": {"fileNameRegExp": "(?P<roi>1)(?P<cycle>2)"}}, "no group .*channel"),
        ({"alignImages": {"3D_lower_threshold": 0.99999}}, "below 3D_higher_threshold"),
        ({"alignImages": 3}, "'common.alignImages' has the value 3"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(write, common, sentence):
    with pytest.raises(UserError, match=sentence):
        read_parameters(write(common))


def test_a_file_without_common_is_refused(tmp_path):
    path = tmp_path / "parameters.json"
    path.write_text("{}")
    with pytest.raises(UserError, match="'common' is missing"):
        read_parameters(path)


def test_the_fiducial_channel_depends_on_the_cycle(write):
    parameters = read_parameters(
        write(
            {
                "acquisition": {
                    "fiducialBarcode_channel": "barcode",
                    "fiducialMask_channel": "mask",
                    "fiducialDAPI_channel": "dapi",
                }
            }
        )
    )
    cycles = {"RT27": "barcode", "mask1": "mask", "DAPI": "dapi", "round 3": "barcode"}
    assert {cycle: fiducial_channel(cycle, parameters) for cycle in cycles} == cycles


def test_automatic_projection_is_taken_as_full_with_a_warning(write):
    parameters = read_parameters(write({"zProject": {"mode": "laplacian"}}))
    assert "taken as 'full'" in parameters.warnings[0]
    assert projected_planes(parameters.values) == slice(None)


def test_options_carry_every_value_to_a_script(write):
    keys = ("alignByBlock", "blockSize", "mode", "3D_lower_threshold", "zmin")
    path = write({"alignImages": {"alignByBlock": False, "blockSize": 99}})
    parameters = read_parameters(path)
    parser = argparse.ArgumentParser()
    add_options(parser, keys)
    parsed = vars(parser.parse_args(as_options(parameters, keys)))
    assert parsed.pop("written_in") == "pyhim"
    assert parsed == {key: parameters[key] for key in keys}
