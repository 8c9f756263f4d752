"""Names of ROIs and cycles become names of files; paths stand in rules, tables and commands."""

import os

import pytest

from crossreg.fiducial.experiment.parameters import read_parameters
from crossreg.fiducial.experiment.sample import Sample
from crossreg.workflow_support.inputs.discovery import select_fiducials
from crossreg.workflow_support.inputs.sample_checks import check_path, check_samples

CYCLES = ("..", ".", "../../../x", "/etc", "a/b", "a\\b", "-rf", "RT1;touch x", "$(touch x)", "`x`")
CYCLES += (
    "RT {x}",
    "{roi}",
    "RT*",
    "'",
    '"',
    "a\nb",
    "RT1\n",
    "a\tb",
    "%s",
    "~",
    "",
    ".x",
    "é" * 60,
)
ROIS = ("..", "../1", "-1", "1;x", "$(x)", "{roi}", "1*", "1\n", "", " 1", "9" * 400)
PATHS = (
    "-rf/a.tif",
    "{roi}/a.tif",
    "a{/b.tif",
    "}.tif",
    "a\nb.tif",
    "a\rb.tif",
    "a\tb.tif",
    "\x1b[2J",
)
PATHS += ("a\u2028b.tif", "a\0b.tif", os.fsdecode(b"\xe9.tif"))
FINE_PATHS = ("a b/ü '\"$;`*?[x]%s\\.tif", "../a.tif", "a\xa0b.tif", "a/-rf/b.tif")


@pytest.mark.parametrize("cycle", CYCLES)
def test_a_cycle_is_no_path_and_no_command(sentence_of, cycle):
    told = sentence_of(check_samples, [Sample("1", cycle, "a.tif")], "RT27", "fiducial.reference")
    assert "a.tif: the cycle is named '" in told


@pytest.mark.parametrize("roi", ROIS)
def test_a_roi_is_no_path_and_no_command(sentence_of, roi):
    told = sentence_of(check_samples, [Sample(roi, "RT27", "a.tif")], "RT27", "fiducial.reference")
    assert "a.tif: the ROI is named '" in told


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_would_break_rules_tables_or_commands_is_refused(sentence_of, path):
    assert "a path must not start with '-'" in sentence_of(check_path, path)


@pytest.mark.parametrize("path", FINE_PATHS)
def test_other_paths_are_fine(path):
    check_path(path)


def test_a_name_without_one_of_its_parts_is_no_image(tmp_path):
    """The user's own expression may leave a group out where it matches."""
    pattern = r"(?P<cycle>RT\\d)?_(?P<roi>\\d+)_(?P<channel>ch00)?"
    text = f'{{"common": {{"acquisition": {{"fileNameRegExp": "{pattern}"}}}}}}'
    (tmp_path / "parameters.json").write_text(text)
    parameters = read_parameters(tmp_path / "parameters.json")
    found = select_fiducials(["RT1_1_ch00.tif", "_1_ch00.tif", "RT1_1_.tif"], parameters)
    assert [sample.path for sample in found.samples] == ["RT1_1_ch00.tif"]
    assert found.unmatched == ["_1_ch00.tif", "RT1_1_.tif"]
