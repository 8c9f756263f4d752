"""The fiducial stacks of an experiment are found by their names, and nothing else is."""

import json
import os

import pytest

from crossreg.fiducial.experiment.file_names import names_by_expression, names_by_template
from crossreg.fiducial.experiment.parameters import read_parameters
from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import UserError
from crossreg.io.sheet import read_sheet, sheet_text
from crossreg.workflow_support.inputs.discovery import (
    check_found,
    check_told_apart,
    other_channels,
    select_fiducials,
)
from crossreg.workflow_support.inputs.experiment import experiment_of_run
from crossreg.workflow_support.inputs.found_files import find_files, is_image
from crossreg.workflow_support.inputs.sample_checks import check_samples
from crossreg.workflow_support.inputs.wanted_stacks import named_cycles, named_rois, restrict


@pytest.fixture
def parameters(tmp_path):
    path = tmp_path / "parameters.json"
    path.write_text(json.dumps({"common": {}}))
    return read_parameters(path)


def name(cycle, roi="001", channel="ch00", suffix="tif"):
    return f"scan_001_{cycle}_{roi}_ROI_converted_decon_{channel}.{suffix}"


def test_fiducials_are_chosen_by_base_name(parameters):
    files = [
        f"RT_experiment/{name('DAPI', channel='ch00')}",
        f"RT_experiment/{name('DAPI', channel='ch01')}",
        f"a/{name('RT1')}",
        f"a/{name('RT1', channel='ch01')}",
        f"b/{name('mask0', roi='002', suffix='tiff')}",
        f"b/{name('RT2').upper()}",
        "b/notes.txt",
    ]
    found = select_fiducials(files, parameters)
    assert [(s.roi, s.cycle, s.named_channel, s.run) for s in found.samples] == [
        ("001", "DAPI", "ch01", "001"),
        ("001", "RT1", "ch00", "001"),
        ("002", "mask0", "ch00", "001"),
    ]
    assert len(found.other_channels) == 2
    assert found.unmatched == [files[5]]
    assert found.no_images == ["b/notes.txt"]


def test_files_are_found_in_sub_folders_through_links_but_not_in_results(tmp_path):
    images = tmp_path / "images"
    for folder in ("roi1", "roi2/deep", "results", ".hidden"):
        (images / folder).mkdir(parents=True)
        (images / folder / "stack.tif").touch()
    (images / "._stack.tif").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "linked.tif").touch()
    (images / "link").symlink_to(elsewhere)
    (images / "roi1" / "loop").symlink_to(images)
    found = find_files(images, without=[images / "results"])
    assert [os.path.relpath(path, images) for path in found] == [
        "link/linked.tif",
        "roi1/stack.tif",
        "roi2/deep/stack.tif",
    ]


def test_a_folder_that_is_named_as_an_image_and_holds_none_stands_for_it(tmp_path):
    (tmp_path / "empty.TIF").mkdir()
    (tmp_path / "text.nd2").mkdir()
    (tmp_path / "text.nd2" / "notes.txt").touch()
    (tmp_path / "series.tif").mkdir()
    (tmp_path / "series.tif" / "plane.tif").touch()
    (tmp_path / "plain").mkdir()
    found = [os.path.relpath(path, tmp_path) for path in find_files(tmp_path) if is_image(path)]
    assert found == ["empty.TIF", "series.tif/plane.tif", "text.nd2"]


def names_of(parameters):
    return names_by_expression(parameters["fileNameRegExp"])


def test_channels_seen_are_named_where_none_is_a_fiducial(parameters):
    found = select_fiducials(
        [name("RT1", channel="ch07"), name("DAPI", channel="ch05")], parameters
    )
    with pytest.raises(UserError, match="none of the 2 images is a fiducial.*DAPI ch05, RT1 ch07"):
        check_found(found, "images", names_of(parameters), parameters)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([], "there is no image"),
        (["a.txt"], "there is no image"),
        (["images/a.tif"], "does not match fileNameRegExp .for example 'a.tif'"),
    ],
)
def test_a_folder_without_matching_images_is_refused(parameters, files, sentence):
    with pytest.raises(UserError, match=sentence):
        found = select_fiducials(files, parameters)
        check_found(found, "images", names_of(parameters), parameters)


def test_names_that_would_tell_files_apart_are_suggested(parameters):
    names = names_by_template("run_{cycle}_Pos0.tif")
    files = [f"/data/Hyb_{cycle}/run_MM_Pos0.tif" for cycle in "123"]
    found = select_fiducials(files, parameters, names)
    with pytest.raises(UserError, match=r'would tell them apart: .*"Hyb_\{cycle\}/run_MM_Pos\{roi'):
        check_told_apart(found, "/data", names)
    check_told_apart(select_fiducials(files[:1], parameters, names), "/data", names)


SAMPLES = [
    Sample("001", "RT27", "a"),
    Sample("001", "RT1", "b"),
    Sample("002", "RT27", "c"),
    Sample("002", "RT1", "d"),
]


def test_rois_and_cycles_restrict_but_the_reference_stays():
    there = {(sample.roi, sample.cycle) for sample in SAMPLES}
    assert restrict(there, "RT27", {"002"}, {"RT1"}) == {("002", "RT27"), ("002", "RT1")}
    assert restrict(there, "RT27", None, set()) == {("001", "RT27"), ("002", "RT27")}
    assert restrict(there, "RT27", None, None) == there


@pytest.mark.parametrize(
    ("wanted", "there", "found"),
    [
        (["2"], {"001", "002"}, {"002"}),
        (["pos3", "7"], {"pos3", "pos7", "pos12"}, {"pos3", "pos7"}),
        (["FOV_7"], {"FOV_7", "FOV_8"}, {"FOV_7"}),
        # Without numbers at their ends they are numbered by the alphabet, as in the tables.
        (["right", "1"], {"left", "right"}, {"right", "left"}),
        # A name that is a number is meant, not another ROI's number.
        (["2"], {"2", "left"}, {"2"}),
        (None, {"left"}, None),
    ],
)
def test_rois_are_asked_for_by_name_or_number(wanted, there, found):
    assert named_rois("rois", wanted, there) == found


def test_cycles_may_lack_leading_zeros():
    assert named_cycles("cycles", ["1", "RT2"], {"01", "RT2", "10"}) == {"01", "RT2"}
    assert named_cycles("cycles", ["1"], {"1", "01"}) == {"1"}


def test_names_that_are_not_there_are_told_beside_those_that_are():
    with pytest.raises(UserError, match=r"'rois' asks for '7'.*are: 001, 002\."):
        named_rois("rois", ["7"], {"001", "002"})
    with pytest.raises(UserError, match=r"'rois' asks for 'C1'.*are: A1 \(1\), B1 \(2\)\."):
        named_rois("rois", ["C1"], {"A1", "B1"})
    with pytest.raises(UserError, match=r"'cycles' asks for 'RT9'.*are: RT1, RT27\."):
        named_cycles("cycles", ["RT9"], {"RT27", "RT1"})


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        ([*SAMPLES, Sample("001", "RT1", "e")], "e: ROI 001, cycle RT1 is also in b"),
        ([*SAMPLES, Sample("1", "RT1", "e")], "e: ROI 1, cycle RT1 is also in b"),
        ([*SAMPLES, Sample("003", "RT1", "e")], "reference cycle RT27 is missing in ROI 003"),
        ([*SAMPLES, Sample("../1", "RT1", "e")], "e: the ROI is named"),
        ([*SAMPLES, Sample("-A", "RT1", "e")], "e: the ROI is named '-A'"),
        (
            [*SAMPLES, Sample("1", "RT27", "f"), Sample("1", "RT2", "e")],
            "ROI 1, cycle RT27 is also in a",
        ),
        ([*SAMPLES, Sample("001", "RT2", "b")], "b: the same stack is also ROI 001, cycle RT1"),
        ([*SAMPLES, Sample("001", "../RT1", "e")], "e: the cycle is named"),
        ([*SAMPLES, Sample("001", "x" * 200, "e")], "e: the cycle is named"),
    ],
)
def test_samples_that_cannot_be_registered_are_refused(samples, sentence):
    with pytest.raises(UserError, match=sentence):
        check_samples(samples, "RT27", "fiducial.reference")


def test_a_sheet_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "samples.tsv"
    path.write_text(sheet_text(SAMPLES))
    assert read_sheet(path) == SAMPLES


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "column 'roi' is missing"),
        ("roi cycle path\n1 RT1 a\n", "column 'roi' is missing"),
        ("roi,cycle,path,chanel\n1,RT1,a,0\n", "'chanel' is not known; did you mean 'channel'"),
        ("roi\tcycle\n1\tRT1\n", "column 'path' is missing"),
        ("roi\tcycle\tpath\troi\n", "a column stands twice"),
        ("roi\tcycle\tpath\n", "lists no stack"),
        ("roi\tcycle\tpath\n1\tRT1\n", "line 2 has no path"),
        ("roi\tcycle\tpath\n1\tRT1\ta\tb\n", "line 2 has more columns"),
        ("roi\tcycle\tpath\n1\tRT1\ta\0b\n", "not a text file"),
    ],
)
def test_a_faulty_sheet_is_refused(tmp_path, text, sentence):
    path = tmp_path / "samples.tsv"
    path.write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_sheet(path)


def test_other_channels_of_listed_stacks_are_the_files_beside_them_that_are_named_alike(parameters):
    names = names_by_expression(parameters["fileNameRegExp"])
    # A sheet may call its ROIs as it likes.
    listed = [Sample("left", "RT1", f"a/{name('RT1')}"), Sample("right", "RT1", "a/stack.tif")]
    beside = [name("RT1"), name("RT1", channel="ch01"), name("RT1", channel="ch02")]
    elsewhere = [f"b/{name('RT1', channel='ch03')}", f"a/{name('RT2', channel='ch01')}"]
    found = other_channels([*(f"a/{one}" for one in beside), *elsewhere, "a/c.tif"], listed, names)
    assert [(one.roi, one.cycle, one.named_channel, one.path) for one in found] == [
        ("left", "RT1", "ch01", f"a/{beside[1]}"),
        ("left", "RT1", "ch02", f"a/{beside[2]}"),
    ]


def test_jobs_on_other_nodes_know_the_stacks_of_all_channels(tmp_path):
    (tmp_path / "parameters.json").write_text(json.dumps({"common": {}}))
    for channel in ("ch00", "ch01"):
        for cycle in ("RT1", "RT27"):
            (tmp_path / name(cycle, channel=channel)).touch()
    configuration = {
        **{"images": str(tmp_path), "parameters": str(tmp_path / "parameters.json")},
        **{"results": str(tmp_path / "results"), "register_global": None},
        **{"rois": None, "cycles": None},
    }
    found = experiment_of_run(configuration, "none.tsv", is_job=False, is_demo=False)
    assert [one.named_channel for one in found.others] == ["ch01", "ch01"]
    (tmp_path / "stacks.tsv").write_text(found.sheet_for_jobs)
    known = experiment_of_run(configuration, tmp_path / "stacks.tsv", is_job=True, is_demo=False)
    assert (known.samples, known.others) == (found.samples, found.others)


@pytest.mark.parametrize("ending", ["tiff", "TIFF"])
def test_files_that_are_left_out_for_their_ending_alone_are_named(tmp_path, ending):
    (tmp_path / "parameters.json").write_text(json.dumps({"common": {}}))
    for roi, of_roi in (("001", "tif"), ("002", ending)):
        for cycle in ("RT1", "RT27"):
            (tmp_path / f"{roi}_{cycle}_ch00.{of_roi}").touch()
    configuration = {
        **{"images": str(tmp_path), "parameters": str(tmp_path / "parameters.json")},
        **{"results": str(tmp_path / "results"), "register_global": None},
        **{"rois": None, "cycles": None},
    }

    def found(template):
        given = configuration | {"file_names": template}
        return experiment_of_run(given, "none.tsv", is_job=False, is_demo=False)

    (warning,) = found("{roi}_{cycle}_{channel}.tif").warnings
    assert f"002_RT1_ch00.{ending}: this and 1 other file are left out" in warning
    both = found("{roi}_{cycle}_{channel}.tif*")
    assert (both.warnings, {one.roi for one in both.samples}) == ([], {"001", "002"})
