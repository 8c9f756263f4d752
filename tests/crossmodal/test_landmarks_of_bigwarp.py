"""A table of landmarks from BigWarp gives the motion of a section instead of a saved project."""

import numpy as np
import pytest

from crossmodal import planted_project as pp
from crossmodal.planted_registration import OUTPUT, Registration, planted_registration
from crossreg.crossmodal import affine
from crossreg.crossmodal.check.landmarks.bigwarp_tables import landmark_rows, read_landmarks
from crossreg.crossmodal.check.landmarks.landmark_fit import (
    contradicted,
    similarity,
    spline_left_out,
)
from crossreg.crossmodal.check.section_record import read_sections
from crossreg.crossmodal.render.stack_store import TILES
from crossreg.crossmodal.render.thin_plate_splines import spline_transform
from crossreg.crossmodal.render.tile_specs import tile_corners
from crossreg.crossmodal.render.transforms import apply
from crossreg.report.about_sections import landmarks_in_words

MOTION = pp.about(pp.turn(3.0, 40.0, -25.0, 1.03), 1100.0, 2100.0)
POINTS = np.array([[1000.0, 2000], [1300, 2050], [1250, 2300], [1020, 2280], [1150, 2150]])


@pytest.fixture
def made(tmp_path) -> Registration:
    made = planted_registration(tmp_path)
    for z in (2.0, 3.0):
        made.save(z, pp.turn(1.0, scale=1.01))
    return made


def write(made: Registration, moving, fixed, z: float = 1.0, scale=(1.0, 1.0)) -> None:
    """Write landmarks as BigWarp exports them: quoted, and one that is not active."""
    lines = [
        f'"Pt-{i}","true",' + ",".join(f'"{float(v)!r}"' for v in (*(m / scale), *(f / scale)))
        for i, (m, f) in enumerate(zip(moving, fixed, strict=True))
    ]
    lines += ['"Pt-off","false","1.0","2.0","3000.0","4000.0"']
    lines += ['"Pt-half","true","1.0","2.0","Infinity","Infinity"']
    (made.folder / f"{z:05.0f}.csv").write_text("\n".join(lines) + "\n")


def moved_by(made: Registration, function, z: float = 1.0) -> None:
    """Assert that every corner of the section came back moved by a function of the stack."""
    before, after = made.store.section("EM", z), made.store.section(OUTPUT, z)
    for tile_id, spec in before[TILES].items():
        old = tile_corners(spec, before["transformIdToSpecMap"], tile_id)
        new = tile_corners(after[TILES][tile_id], after["transformIdToSpecMap"], tile_id)
        np.testing.assert_allclose(new, function(old), atol=1e-6)


@pytest.mark.parametrize(
    ("units", "scale"), [("px", (1, 1)), ("nm", (1 / 4, 1 / 8)), ("um", (250, 125))]
)
def test_a_planted_similarity_comes_back_from_its_landmarks(made, units, scale):
    write(made, POINTS, affine.apply(MOTION, POINTS), scale=np.array(scale, dtype=float))
    options = ("--landmark-units", units)
    made.check(*options)
    (finding,) = made.report(1.0)["findings"]
    assert (finding["level"], finding["kind"]) == ("note", "landmarks")
    assert "5 landmarks of 00001.csv, similarity" in finding["found"]
    assert made.bring_back(*options) == 0
    moved_by(made, lambda points: affine.apply(MOTION, points))


def test_an_affine_is_fitted_where_the_configuration_says_so(made):
    stretched = affine.affine([1.05, 0.02, -0.03, 0.97, 20.0, 30.0])
    write(made, POINTS, affine.apply(stretched, POINTS))
    assert made.bring_back("--landmark-model", "affine") == 0
    moved_by(made, lambda points: affine.apply(stretched, points))


def test_a_thin_plate_goes_through_every_landmark_and_needs_permission(made):
    fixed = affine.apply(MOTION, POINTS) + np.array([[0, 0], [5, 2], [-4, 6], [3, -3], [8, 8]])
    write(made, POINTS, fixed)
    assert made.bring_back("--landmark-model", "thin_plate") == 1
    made.check("--landmark-model", "thin_plate")
    (finding,) = made.report(1.0)["findings"]
    assert "set new_transforms: accept" in finding["found"]
    options = ("--landmark-model", "thin_plate", "--new-transforms", "accept")
    assert made.bring_back(*options) == 0
    spline = spline_transform(POINTS, fixed)
    np.testing.assert_allclose(apply((spline,), POINTS), fixed, atol=1e-7)
    moved_by(made, lambda points: apply((spline,), points))


def test_a_landmark_in_the_wrong_place_is_named_with_its_errors(made):
    random = np.random.default_rng(3)
    moving = random.uniform([1000, 2000], [1400, 2400], (9, 2))
    fixed = affine.apply(MOTION, moving) + random.normal(0, 0.5, (9, 2))
    fixed[4] += [60.0, 0.0]
    write(made, moving, fixed)
    made.check()
    report = made.report(1.0)
    warned = [f["found"] for f in report["findings"] if f["kind"] == "landmark_off"]
    assert len(warned) == 1 and warned[0].startswith("'Pt-4', ")
    off = {one["name"]: one["left_out_px"] for one in report["landmarks"]}
    assert len(off) == 9 and off["Pt-4"] == pytest.approx(60.0, rel=0.2)
    assert report["landmarks"][4]["residual_px"] < off["Pt-4"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "0 active landmarks, and a similarity needs 2"),
        ('"a","true","1","2","3","4"\n', "1 active landmark, and"),
        (
            '"a","true","1","2","3","4"\n"b","true","1","2","5","4"\n',
            "all landmarks are at one point",
        ),
        ('"a","true","1","two","3","4"\n', "line 1: a point is no number"),
        ('"a","true","1","2","3","4","5"\n', "line 1: 7 columns, but BigWarp writes 6"),
        (
            '"a","true","1","2","0","3","4","0"\n"b","true","1","2","1","3","4","0"\n',
            "its points have several z, but a section is one plane",
        ),
        ("\x00\x01", "this is no text"),
        ("a,true,1e308,1,2,3\n", "line 1: a point lies beyond any section"),
    ],
)
def test_a_table_that_gives_no_motion_is_an_error_of_its_section(made, text, told):
    (made.folder / "00001.csv").write_text(text)
    made.check()
    (finding,) = made.report(1.0)["findings"]
    assert (finding["level"], finding["kind"]) == ("error", "landmarks_unusable")
    assert told in finding["found"]
    assert made.bring_back() == 1 and made.store.metadata(OUTPUT) is None


def test_a_saved_project_beside_a_table_is_refused_and_nothing_is_chosen_silently(made):
    write(made, POINTS, affine.apply(MOTION, POINTS), z=2.0)
    made.check()
    assert [f["kind"] for f in made.report(2.0)["findings"]] == ["two_editors"]


def test_what_is_exported_is_read_again(made):
    write(made, POINTS, affine.apply(MOTION, POINTS))
    path = made.folder / "00001.csv"
    landmarks = read_landmarks(path, (0.25, 0.125)).landmarks
    path.write_text("\n".join(landmark_rows(landmarks, (0.25, 0.125))))
    assert read_landmarks(path, (0.25, 0.125)).landmarks == landmarks


def test_the_result_is_exported_as_landmarks_that_give_the_same_motion(made, capsys):
    """Exported from saved projects, put in the place of a project of another registration."""
    out = made.root / "landmarks"
    registration = ("--registration", made.folder)
    assert made.command("export_landmarks", *registration, "--output", out) == 0
    assert sorted(path.name for path in out.iterdir()) == ["00002.csv", "00003.csv"]
    lines = (out / "00002.csv").read_text().splitlines()
    assert len(lines) == 3 * 4 and lines[0].startswith('"lens_2-0","true",')
    made.project(2.0).unlink()
    (made.folder / "00002.csv").write_bytes((out / "00002.csv").read_bytes())
    assert made.bring_back("--missing-sections", "skip") == 0
    moved_by(
        made, lambda points: affine.apply(made.in_stack(pp.turn(1.0, scale=1.01)), points), 2.0
    )
    assert made.command("export_landmarks", *registration, "--output", made.folder) == 1
    assert "inside the registration" in capsys.readouterr().err


def test_a_table_as_bigwarp_writes_it_anywhere(made):
    """Names in a machine's own encoding, quotes and lines in them, points without a partner."""
    lines = [
        b'"Pt \xe9 ""left""\nof 2","TRUE","1060.0","2.1E3","1070.0","2100.0"',
        b'"b","true","1300.0","2100.0","1310.0","2100.0"',
        b'"off","false","1.0","2.0","3.0","4.0"',
        b'"half","false","Infinity","Infinity","3.0","4.0"',
        b'"pending","true","1.0","2.0","-Infinity","NaN"',
        b"",
    ]
    path = made.folder / "00001.csv"
    path.write_bytes(b"\r\n".join(lines))
    table = read_landmarks(path, (1.0, 1.0))
    assert [one.name for one in table.landmarks] == ['Pt é "left"\nof 2', "b"]
    assert (table.inactive, table.one_sided) == (1, 2)
    made.check()
    finding, unchecked = made.report(1.0)["findings"]
    assert "too few to leave one out" in finding["found"]
    assert (unchecked["level"], unchecked["kind"]) == ("warning", "landmarks_unchecked")
    assert "passed over (1 inactive, 2 without a partner)" in finding["found"]
    assert made.bring_back() == 0
    moved_by(made, lambda points: points + np.array([10.0, 0.0]))


def test_landmarks_of_volumes_count_where_they_are_of_one_plane(made):
    fixed = affine.apply(MOTION, POINTS)
    rows = [
        f'"{i}","true","{x!r}","{y!r}","7.5","{u!r}","{v!r}","0.0"'
        for i, ((x, y), (u, v)) in enumerate(zip(POINTS.tolist(), fixed.tolist(), strict=True))
    ]
    (made.folder / "00001.csv").write_text("\n".join(rows))
    assert made.bring_back() == 0
    moved_by(made, lambda points: affine.apply(MOTION, points))


def test_landmarks_that_turn_the_section_over_are_warned_of(made):
    rows = ["a,true,1060,2100,1060,2100", "b,true,1360,2100,760,2100", "c,true,1060,2300,1060,2300"]
    (made.folder / "00001.csv").write_text("\n".join(rows))
    made.check("--landmark-model", "affine")
    kinds = [one["kind"] for one in made.report(1.0)["findings"]]
    assert kinds.count("mirrored") == 3 and "rigid_only" not in kinds


def test_residuals_and_errors_of_landmarks_come_back_from_the_report(made):
    random = np.random.default_rng(5)
    moving = random.uniform([1000, 2000], [1400, 2400], (7, 2))
    fixed = affine.apply(MOTION, moving) + random.normal(0, 1.0, (7, 2))
    write(made, moving, fixed)
    made.check()
    first = read_sections(made.root / "out" / "sections")[0]
    sent = affine.apply(similarity(moving, fixed), moving)
    np.testing.assert_allclose(first.landmarks.residuals, fixed - sent, atol=1e-9)
    assert len(first.landmarks.left_out) == 7
    words = landmarks_in_words(first.landmarks)
    assert words.startswith("7, residual up to ") and "left out" in words


def test_landmarks_of_a_thin_plate_are_left_out_as_if_one_by_one():
    random = np.random.default_rng(8)
    moving = random.uniform([1000, 2000], [9000, 7000], (40, 2))
    fixed = affine.apply(MOTION, moving) + random.normal(0, 3.0, (40, 2))
    found = spline_left_out(moving, fixed)
    for index in range(40):
        others = np.arange(40) != index
        spline = spline_transform(moving[others], fixed[others])
        off = apply((spline,), moving[[index]])[0] - fixed[index]
        assert found[index] == pytest.approx(np.hypot(*off), rel=1e-6)
    assert np.isnan(spline_left_out(moving[:4], fixed[:4])).all()


def told(made: Registration, *options: str) -> dict[str, str]:
    """Return kind -> what was found, of the first section after a check; no notes."""
    made.check(*options)
    found = made.report(1.0)["findings"]
    return {f["kind"]: f["found"] + "; " + f["advice"] for f in found if f["level"] != "note"}


@pytest.mark.parametrize("model", ["similarity", "affine"])
@pytest.mark.parametrize("wrong", range(5))
@pytest.mark.parametrize("off", [(60.0, 0.0), (-30.0, 45.0)])
def test_of_five_landmarks_the_wrong_one_is_named(made, model, wrong, off):
    fixed = affine.apply(MOTION, POINTS) + np.random.default_rng(11).normal(0, 0.2, (5, 2))
    fixed[wrong] += off
    write(made, POINTS, fixed)
    warned = told(made, "--landmark-model", model)
    assert set(warned) == {"landmark_off"}
    assert warned["landmark_off"].startswith(f"'Pt-{wrong}', ")


def test_two_wrong_landmarks_do_not_hide_each_other(made):
    random = np.random.default_rng(6)
    moving = random.uniform([1060, 2080], [1400, 2400], (8, 2))
    fixed = affine.apply(MOTION, moving) + random.normal(0, 0.5, (8, 2))
    fixed[[1, 6]] += [[50.0, 20.0], [55.0, 25.0]]
    write(made, moving, fixed)
    made.check()
    report = made.report(1.0)
    assert [one["name"] for one in report["landmarks"] if one["contradicted"]] == ["Pt-1", "Pt-6"]


def test_a_wrong_landmark_of_a_thin_plate_is_named_beside_a_gentle_bend():
    moving = np.random.default_rng(4).uniform(0, 1000, (9, 2))
    bent = affine.apply(MOTION, moving) + 4.0 * (moving / 1000.0) ** 2
    assert contradicted(moving, bent, "thin_plate") == []
    bent[5] += [60.0, 0.0]
    assert contradicted(moving, bent, "thin_plate") == [5]


@pytest.mark.parametrize("count", range(3, 13))
def test_landmarks_set_to_about_a_pixel_are_all_right(count):
    named = 0
    for seed in range(30):
        random = np.random.default_rng(seed)
        moving = random.uniform(0, 4000, (count, 2))
        fixed = affine.apply(MOTION, moving) + random.normal(0, 1.5, (count, 2))
        named += bool(contradicted(moving, fixed, "similarity"))
    assert named <= 2


def test_of_three_landmarks_nobody_knows_the_wrong_one_but_they_disagree(made):
    fixed = affine.apply(MOTION, POINTS[:3])
    fixed[1] += [60.0, 0.0]
    write(made, POINTS[:3], fixed)
    assert set(told(made)) == {"landmarks_disagree"}


def test_landmarks_close_together_are_warned_of(made):
    moving = 1150 + np.array([[0.0, 1000], [20, 1000], [0, 1020], [20, 1025]])
    write(made, moving, affine.apply(MOTION, moving))
    warned = told(made)
    assert set(warned) == {"landmarks_clustered"} and "extrapolated" in str(warned)


def test_landmarks_beside_the_em_are_an_error_that_names_the_units(made):
    write(made, POINTS * 4.0, affine.apply(MOTION, POINTS) * 4.0)
    warned = told(made)
    assert set(warned) == {"landmarks_unusable"} and "landmark_units" in str(warned)


def test_landmarks_of_em_and_lm_exchanged_are_warned_of(made):
    far = affine.apply(affine.translation(-280.0, 0.0), POINTS)
    write(made, far, POINTS)
    assert "exchanged" in str(told(made))


def test_landmarks_exchanged_within_both_stacks_are_told_by_the_other_sections(made):
    for z in (2.0, 3.0):
        made.save(z, pp.turn(0.0, 31.0, -22.0, scale=1.0))
    there = affine.apply(affine.translation(30.0, -20.0), POINTS)
    write(made, there, POINTS)
    assert "landmarks_inverse" in told(made)
    write(made, POINTS, there)
    assert told(made) == {}
