"""Names of files say ROI, cycle and channel, by pyHiM's expression or by a template."""

import pytest

from crossreg.fiducial.experiment.file_names import (
    FileName,
    names_by_expression,
    names_by_template,
    suggested_template,
)
from crossreg.fiducial.experiment.roi_numbers import numbers_of_rois
from crossreg.io.errors import UserError


@pytest.mark.parametrize(
    ("template", "path", "said"),
    [
        ("Exp12_{roi}_round{cycle}_{channel}.tif", "Exp12_pos3_round07_DAPI.tif", "pos3 07 DAPI"),
        ("Exp12_{roi}_round{cycle}_{channel}.tif", "Exp12_pos3_round07_DAPI.TIF", "pos3 07 DAPI"),
        ("{roi}/round{cycle}.tif", "/data/a/fov2/round3.tif", "fov2 3"),
        ("{roi}/{roi}_*_{cycle}.ome.zarr", "A1/A1_20240101_R5.ome.zarr", "A1 R5"),
        ("round{cycle}.nd2", "round4.nd2", "1 4"),
        ("{cycle}_(a+b)[1].tif", "RT1_(a+b)[1].tif", "1 RT1"),
        ("{run}_{roi}_{cycle}.tif", "001_005_RT1.tif", "005 RT1"),
        ("{roi}_{cycle}.TIF", "005_RT1.tif", "005 RT1"),
        ("{cycle}_x_{run}_{roi}.TIF", "RT1_x_2_005.TIF", "005 RT1"),
        ("{roi}_{cycle}.tif", "005_RT1.tiff", None),
        ("{roi}_{cycle}.tif", "005_RT1.tif.part", None),
        ("{roi}/{roi}_{cycle}.tif", "A1/A2_R5.tif", None),
        ("x{roi}_{cycle}.tif", "005_RT1.tif", None),
    ],
)
def test_a_template_says_what_a_path_means(template, path, said):
    parsed = names_by_template(template).parsed(path)
    words = None if parsed is None else [parsed.roi, parsed.cycle, parsed.channel]
    assert words == (None if said is None else [*said.split(), None][:3])


def test_pyhims_expression_looks_at_base_names_and_forgives_a_capital_ending():
    names = names_by_expression(r"(?P<cycle>RT\d+)_(?P<roi>\d+)_(?P<channel>ch\d+).tif")
    assert names.parsed("/RT9_1_ch01/RT1_005_ch00.TIF") == FileName("005", "RT1", "ch00")
    assert names.parsed("RT1_005.tif") is None


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{roi}{cycle}.tif", "side by side"),
        ("{roi}_{cycel}.tif", r"unknown part \{cycel\}; did you mean \{cycle\}"),
        ("{roi}_1.tif", r"lacks \{cycle\}"),
        ("{roi}_{cycle.tif", "brace without its partner"),
    ],
)
def test_a_template_that_nobody_can_read_is_refused(template, sentence):
    with pytest.raises(UserError, match=sentence):
        names_by_template(template)


@pytest.mark.parametrize(
    ("names", "template"),
    [
        (
            ["E1_pos3_round07_DAPI.tif", "E1_pos4_round07_Cy3.tif", "E1_pos3_round08_DAPI.tif"],
            "E1_pos{roi}_round{cycle}_{channel}.tif",
        ),
        (["day 1 fov 03 hyb12.nd2", "day 2 fov 03 hyb13.nd2"], "day * fov {roi} hyb{cycle}.nd2"),
        (["a_1_RT1.tif", "a_1_DAPI.tif", "a_2_RT1.tif", "a_2_RT3.tif"], "a_{roi}_{cycle}.tif"),
        (["Sample1_R1.czi", "Sample2_R1.czi", "Sample2_R2.czi"], "Sample{roi}_R{cycle}.czi"),
        (
            ["pos0/round1.tif", "pos0/round2.tif", "pos1/round1.tif", "pos1/round2.tif"],
            "pos{roi}/round{cycle}.tif",
        ),
        (
            [f"HybCycle_{cycle}/MMStack_Pos{roi}.ome.tif" for cycle in "123" for roi in "01"],
            "HybCycle_{cycle}/MMStack_Pos{roi}.ome.tif",
        ),
        (
            [f"run{cycle}_s{roi}_t1.TIF" for cycle in "123" for roi in "12"],
            "run{cycle}_s{roi}_t1.TIF",
        ),
        (
            [f"Well{well}1_Point0001_Seq{cycle}.nd2" for well in "AB" for cycle in "123"],
            "{roi}_Point0001_Seq{cycle}.nd2",
        ),
        (
            [f"embryo{roi}_{cycle}_647.tif" for roi in "123" for cycle in ("probeA", "ref")],
            "embryo{roi}_{cycle}_{channel}.tif",
        ),
        (
            [f"E_{r}_round{c}_{f}.tif" for r in ("ab", "cd") for c in "12" for f in ("beads", "g")],
            "E_{roi}_round{cycle}_{channel}.tif",
        ),
        (
            [f"E_{r}_{c}.tif" for r in ("ab", "cd") for c in ("RT1", "RT2", "fiducial")],
            "E_{roi}_{cycle}.tif",
        ),
        (["Cy1_F0.tif", "Cy2_F0.tif", "Cy1_F1.tif", "Cy2_F1.tif"], "Cy{cycle}_F{roi}.tif"),
        (["image.tif"], None),
        ([], None),
    ],
)
def test_the_template_that_is_suggested_fits_the_names(names, template):
    assert suggested_template(names) == template
    if template:
        assert all(names_by_template(template).parsed(name) for name in names)


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["005", "12"], [5, 12]),
        (["pos12", "pos3"], [12, 3]),
        (["left", "right"], [1, 2]),
        (["a1", "b1"], [1, 2]),
        (["a1", "b"], [1, 2]),
    ],
)
def test_every_roi_has_a_number_of_its_own(names, numbers):
    assert numbers_of_rois(names) == dict(zip(names, numbers, strict=True))


def test_one_roi_in_two_spellings_is_refused():
    with pytest.raises(UserError, match="'001' and '1' are one ROI written in two ways"):
        numbers_of_rois(["1", "001", "2"])
