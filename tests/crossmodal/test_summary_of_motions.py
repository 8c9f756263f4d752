"""The summary tells the planted motion, and a wrong section stands out."""

import numpy as np
import planted_project as pp
import pytest

from crossreg.crossmodal.check.check_project import check_project
from crossreg.crossmodal.check.motion.motion_summary import (
    LEAST_SPREAD,
    WRONG_SECTION,
    SectionMotion,
    outlier_scores,
    section_motion,
    tile_motions,
)
from saved_by_trakem2 import saved_by_trakem2

PLANTED = pp.planted()
PIXEL_SIZE = (4.0, 8.0)


def registered(motion):
    edits = {
        patch.oid: pp.moved(patch, motion)
        for patch in PLANTED.frozen.patches
        if patch.stack == "EM"
    }
    return check_project(saved_by_trakem2(PLANTED.xml, edits), "x", PLANTED.frozen).tiles


def summed(section, tiles):
    return section_motion(section, tiles, tile_motions(tiles, PIXEL_SIZE))


def test_a_shift_is_told_in_px_and_nm():
    motions = tile_motions(registered(pp.turn(0, 3.0, -4.0)), PIXEL_SIZE)
    assert len(motions) == 4
    for motion in motions:
        assert motion.moved_px == pytest.approx(5.0)
        assert motion.moved_nm == pytest.approx(np.hypot(12.0, 32.0))
        assert (motion.shift_x, motion.shift_y) == pytest.approx((3.0, -4.0))
        assert (motion.rotation, motion.shear) == pytest.approx((0.0, 0.0), abs=1e-9)
        assert motion.scale == pytest.approx(1.0) and not motion.mirrored


def test_the_affine_of_a_section_is_split():
    section = summed("00042", registered(pp.turn(2.5, 3, 4, 1.03)))
    assert section.tiles == 4
    assert (section.rotation, section.scale) == pytest.approx((2.5, 1.03))
    assert (section.shear, section.spread) == pytest.approx((0.0, 0.0), abs=1e-8)


def test_a_tile_that_moved_alone_spreads_the_section():
    tiles = registered(pp.turn(0, 3, 4))[:3] + registered(pp.turn(0, 83, 4))[3:]
    section = summed("00042", tiles)
    assert section.shift_x == pytest.approx(3.0)
    assert section.spread == pytest.approx(80.0)
    assert section.moved_px == pytest.approx(np.hypot(83, 4))


def sections_of(motions):
    return [summed(str(i), registered(m)) for i, m in enumerate(motions)]


@pytest.mark.parametrize(
    "wrong",
    [pp.turn(0, 60, 0), pp.turn(0, 0, -60), pp.turn(3), pp.turn(-179), pp.turn(0, scale=1.04)],
)
def test_a_wrong_section_stands_out(wrong):
    rng = np.random.default_rng(4)
    usual = [
        pp.turn(rng.normal(0, 0.1), *rng.normal(0, 2, 2), 1 + rng.normal(0, 0.001))
        for _ in range(12)
    ]
    scores = outlier_scores(sections_of([*usual[:5], wrong, *usual[5:]]))
    assert np.argmax(scores) == 5 and scores[5] > WRONG_SECTION
    assert max(scores[:5] + scores[6:]) < WRONG_SECTION


def test_equal_sections_and_few_sections_have_no_outlier():
    assert outlier_scores(sections_of([pp.turn(1, 2, 3)] * 4)) == pytest.approx([0] * 4, abs=1e-6)
    assert outlier_scores(sections_of([pp.turn(0), pp.turn(50)])) == [0.0, 0.0]


@pytest.mark.parametrize("count", [3, 4, 5, 8, 12, 30])
def test_sections_that_differ_by_chance_are_rarely_called_wrong(count):
    rng = np.random.default_rng(count)
    calls = 0
    for _ in range(300):
        values = rng.normal(0, 50, (count, len(LEAST_SPREAD)))
        sections = [
            SectionMotion("", 4, 0.0, 0.0, **dict(zip(LEAST_SPREAD, row, strict=True)))
            for row in values
        ]
        calls += max(outlier_scores(sections)) > WRONG_SECTION
    assert calls < 0.1 * 300


def test_a_wrong_section_stands_out_among_five():
    usual = [pp.turn(0, 10.0 + 0.5 * i, -5.0) for i in range(4)]
    scores = outlier_scores(sections_of([*usual, pp.turn(0, 80.0, -5.0)]))
    assert np.argmax(scores) == 4 and scores[4] > WRONG_SECTION > max(scores[:4])
