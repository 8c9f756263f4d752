"""Sections start from what another registration found: their own motion, or one between them."""

import csv
import json
import re

import numpy as np
import pytest

import picture_sections
from crossmodal import planted_project as pp
from crossmodal.planted_registration import (
    OUTPUT,
    Registration,
    planted_registration,
    snapshot,
)
from crossreg.crossmodal import affine
from crossreg.crossmodal.freeze.frozen import read_frozen, read_section
from crossreg.crossmodal.freeze.starts import SavedMotion, interpolated, unlike_their_neighbours
from crossreg.crossmodal.trakem2.patches import Patch

PIVOT = (550.0, 550.0)
FORTY = tuple(float(z) for z in range(40))
REGISTERED = (0.0, 13.0, 26.0, 39.0)


def drifting(z: float, seed: int) -> affine.Affine:
    """Return a misalignment that changes smoothly over 40 sections, in the frame of projects.

    Shifts of some 100 px, turns of some degrees, scales of some percent, at random phases.
    """
    random = np.random.default_rng(seed)
    phases, signs = random.uniform(0, 2 * np.pi, 6), random.choice([-1, 1], 6)
    wave = [
        1 + 0.5 * s * np.sin(2 * np.pi * z / 120 + p) for s, p in zip(signs, phases, strict=True)
    ]
    turn = pp.about(pp.turn(4 * wave[2], scale=1 + 0.03 * wave[3]), *PIVOT)
    stretch = pp.about((1.0, 0.0, 0.01 * wave[4], 1 + 0.01 * wave[5], 0.0, 0.0), *PIVOT)
    return affine.compose(affine.translation(80 * wave[0], -60 * wave[1]), turn, stretch)


def stage_patches(made: Registration, z: float) -> list[Patch]:
    return [patch for patch in made.patches(z) if patch.stack == "EM"]


def started(made: Registration, name: str = "second", *options: object) -> int:
    """Freeze and create another registration that starts from the first one."""
    folder = made.folder.parent / name
    given = ("--name", name, "--registration", folder, "--output", made.root / "out" / "f2")
    status = made.command(
        "trakem2_freeze", *made.options, *given, "--start-from", made.folder, *options
    )
    if status == 0:
        made.command(
            "trakem2_projects", "--registration", folder, "--output", made.root / "out" / "p"
        )
    return status


def second(made: Registration) -> Registration:
    return Second(made.root, made.store, made.options)


class Second(Registration):
    @property
    def folder(self):
        return self.root / "trakem2_registered" / "second"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_starts_are_within_a_tenth_of_a_smooth_misalignment(tmp_path, seed):
    made = planted_registration(tmp_path, FORTY)
    for z in REGISTERED:
        made.save(z, drifting(z, seed))
    assert started(made) == 0
    folder = tmp_path / "trakem2_registered" / "second"
    frozen = read_frozen(folder)
    for entry in frozen.sections:
        section = read_section(folder, frozen, entry)
        assert section.start == ("saved" if entry.z in REGISTERED else "interpolated")
        off, misaligned = 0.0, 0.0
        starts = {patch.tile_id: patch for patch in section.patches}
        for patch in stage_patches(made, entry.z):
            stage = patch.corners
            true = affine.apply(drifting(entry.z, seed), stage)
            off = max(off, np.hypot(*(starts[patch.tile_id].corners - true).T).max())
            misaligned = max(misaligned, np.hypot(*(stage - true).T).max())
        assert off < misaligned / 10, entry.z
        if entry.z in REGISTERED:
            assert off < 1e-6


def test_between_two_sections_the_motion_is_in_the_middle_of_their_parts():
    ends = [(pp.turn(2.0, scale=1.02), 0.0), (pp.turn(6.0, scale=1.04), 10.0)]
    saved = [SavedMotion(z, pp.about(turn, *PIVOT), {}) for turn, z in ends]
    parts = affine.split(interpolated(saved, 5.0, PIVOT))
    assert parts.rotation == pytest.approx(4.0)
    assert parts.scale == pytest.approx(np.sqrt(1.02 * 1.04))
    np.testing.assert_allclose(
        affine.apply(interpolated(saved, 5.0, PIVOT), np.array([PIVOT])), [PIVOT], atol=1e-9
    )
    for z, one in ((-3.0, saved[0]), (12.0, saved[1]), (0.0, saved[0])):
        np.testing.assert_allclose(interpolated(saved, z, PIVOT), one.section, atol=1e-9)


def test_rotations_are_interpolated_the_short_way():
    saved = [SavedMotion(z, pp.turn(angle), {}) for z, angle in ((0.0, 179.0), (2.0, -179.0))]
    assert abs(affine.split(interpolated(saved, 1.0, (0.0, 0.0))).rotation) == pytest.approx(180.0)


def test_a_careless_section_does_not_draw_its_neighbours_along():
    box = np.array([[0.0, 0.0], [1000.0, 0.0], [0.0, 1000.0], [1000.0, 1000.0]])
    random = np.random.default_rng(4)
    saved = [
        SavedMotion(z, pp.turn(0.1 * z, *(random.normal(0, 0.5, 2) + 2 * z)), {})
        for z in map(float, range(0, 100, 10))
    ]
    assert unlike_their_neighbours(saved, box, PIVOT) == ()
    careless = SavedMotion(50.0, pp.turn(0.1 * 50, 400.0, 0.0), {})
    assert unlike_their_neighbours([*saved[:5], careless, *saved[6:]], box, PIVOT) == (50.0,)


@pytest.fixture
def made(tmp_path) -> Registration:
    made = planted_registration(tmp_path)
    made.save(1.0, pp.turn(2.0, 15.0, -8.0, 1.02))
    made.save(3.0, pp.turn(4.0, 25.0, -8.0, 1.04))
    return made


def test_the_work_of_the_person_stays_as_it_was(made):
    before = snapshot(made.folder)
    assert started(made) == 0
    assert snapshot(made.folder) == before


def test_what_was_moved_since_the_start_is_what_the_check_judges(made):
    assert started(made) == 0
    other = second(made)
    other.save(1.0)
    other.save(2.0, pp.turn(0.0, 5.0))
    assert other.check() == 0
    kinds = {z: [f["kind"] for f in other.report(z)["findings"]] for z in (1.0, 2.0, 3.0)}
    assert kinds == {1.0: ["start_confirmed"], 2.0: [], 3.0: []}
    text = (made.root / "out" / "sections.tsv").read_text()
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    assert [(row["status"], row["start"]) for row in rows] == [
        ("saved", "saved"),
        ("saved", "interpolated"),
        ("untouched", "saved"),
    ]
    assert float(rows[1]["moved_px"]) == pytest.approx(5.0)
    summary = (made.root / "out" / "sections.txt").read_text()
    assert "start not confirmed" in summary and "1 start not confirmed" in summary


def test_a_confirmed_start_comes_back_as_the_motion_that_was_found(made):
    assert started(made) == 0
    other = second(made)
    for z in (1.0, 2.0, 3.0):
        other.save(z)
    assert other.bring_back() == 0
    other.assert_moved(1.0, pp.turn(2.0, 15.0, -8.0, 1.02))
    other.assert_moved(3.0, pp.turn(4.0, 25.0, -8.0, 1.04))
    assert made.store.z_values(OUTPUT) == [1.0, 2.0, 3.0]


def test_a_start_is_frozen_with_the_name(made, capsys):
    assert started(made) == 0
    frozen = read_frozen(made.folder.parent / "second")
    assert frozen.start_from.name == "first"
    assert frozen.start_from.sha256 == made.frozen.sha256
    assert frozen.start_from.saved == (1.0, 3.0)
    # The same again, also after more work in the first one, is no difference.
    made.save(2.0, pp.turn(1.0))
    assert started(made) == 0
    capsys.readouterr()
    folder = made.folder.parent / "second"
    given = ("--name", "second", "--registration", folder, "--output", made.root / "out" / "f2")
    assert made.command("trakem2_freeze", *made.options, *given) == 1
    assert 'frozen with start_from: "first", now not given' in capsys.readouterr().err


def test_there_must_be_something_to_start_from(tmp_path, capsys):
    untouched = planted_registration(tmp_path)
    assert started(untouched) == 1
    assert "no section of 'first' is saved without errors" in capsys.readouterr().err
    assert not (tmp_path / "trakem2_registered" / "second").exists()


def test_pictures_show_starts_and_whether_they_were_confirmed(made, monkeypatch):
    assert started(made) == 0
    other = second(made)
    other.save(1.0)
    other.save(3.0, pp.turn(0.5, 3.0, 4.0))
    drawn = {}

    def kept(title, fixed, states, *rest):
        drawn[title] = states
        return section_figure(title, fixed, states, *rest)

    section_figure = picture_sections.section_figure
    monkeypatch.setattr(picture_sections, "section_figure", kept)
    pictures = other.root / "pictures"
    registration = ("--registration", other.folder)
    assert other.command("picture_sections", *registration, "--pictures", pictures) == 0
    titles = {title.partition("section ")[2][:5]: title for title in drawn}
    assert titles["00001"].endswith("start as saved before, confirmed")
    assert titles["00002"].endswith("start between neighbours, not confirmed")
    assert titles["00003"].endswith("start as saved before, corrected")
    assert list(drawn[titles["00002"]]) == ["Before", "Start, not confirmed"]
    assert list(drawn[titles["00003"]]) == ["Before", "Start", "After"]
    stage = {patch.tile_id: patch for patch in made.patches(2.0)}
    origin = np.array(made.frozen.origin)
    before, start = drawn[titles["00002"]].values()
    now = {patch.tile_id: patch for patch in other.patches(2.0)}
    for tile_id, corners in before.items():
        np.testing.assert_allclose(corners, stage[tile_id].corners + origin, atol=1e-6)
        np.testing.assert_allclose(start[tile_id], now[tile_id].corners + origin, atol=1e-6)


@pytest.mark.parametrize(
    "odd", [affine.IDENTITY, (1.0, 0.0, 0.0, -1.0, 0.0, 900.0), pp.turn(0.0, scale=1e4)]
)
def test_no_section_starts_from_one_that_is_turned_over_scaled_wildly_or_not_moved(
    made, odd, capsys
):
    made.save(2.0, odd)
    capsys.readouterr()
    assert started(made) == 0
    frozen = read_frozen(made.folder.parent / "second")
    assert frozen.start_from.saved == (1.0, 2.0, 3.0)
    assert frozen.start_from.unlike == (2.0,)
    assert "the section z = 2 of 'first' is unlike its neighbours" in capsys.readouterr().err


def test_a_stack_that_is_right_as_it_is_gives_starts_that_move_nothing(made):
    for z in (1.0, 3.0):
        made.save(z)
    assert started(made) == 0
    frozen = read_frozen(made.folder.parent / "second")
    assert (frozen.start_from.saved, frozen.start_from.unlike) == ((1.0, 3.0), ())
    for z in (1.0, 2.0, 3.0):
        assert second(made).patches(z)[-1].start == pytest.approx(affine.IDENTITY)


def test_the_report_tells_starts_landmarks_and_what_asks_to_be_confirmed(made):
    """The page of a registration by hand, from the files of a check."""
    assert started(made) == 0
    other = second(made)
    other.save(1.0)
    points = np.array([[1000.0, 2000], [1300, 2050], [1250, 2300], [1020, 2280]])
    fixed = points + np.array([[3.0, 4.0], [3.5, 4.0], [3.0, 4.5], [3.0, 4.0]])
    pairs = np.hstack((points, fixed)).tolist()
    rows = [f"p{i},true,{x},{y},{u},{v}" for i, (x, y, u, v) in enumerate(pairs)]
    (other.folder / "00003.csv").write_text("\n".join(rows))
    assert page_of(other, "second").count("<tr id=") == 3
    text = page_of(other, "second")
    assert "as saved before, confirmed" in text
    assert "between neighbours, not confirmed" in text
    assert "as saved before, corrected" in text
    assert "1 has a start that nobody confirmed yet" in text
    assert "4, residual up to 0." in text and "left out" in text

    made.save(2.0)
    text = page_of(made, "first")
    assert "1 was saved without a move and asks to be confirmed" in text
    assert "saved, with warnings, asks to be confirmed" in text


def page_of(made: Registration, name: str) -> str:
    """Return the text of the report of a registration, made from its check."""
    results = made.root / "results"
    folder = results / "trakem2" / name
    folder.mkdir(parents=True, exist_ok=True)
    files = {"reports": "sections", "table": "sections.tsv", "text": "sections.txt"}
    paths = [f"--{key}={folder / file}" for key, file in files.items()]
    registration = ("--registration", made.folder, f"--motions={folder / 'motions.tsv'}")
    assert made.command("trakem2_check", *made.options, *registration, *paths) == 0
    page = results / "report.html"
    parameters = made.options[1]
    options = ("--results", results, "--registration", name, "--parameters", parameters)
    options += ("--configuration", json.dumps({"trakem2": {"parameters": str(parameters)}}))
    assert made.command("make_report", *options, "--output", page) == 0
    return " ".join(re.sub(r"<a [^>]*>|</a>", "", page.read_text()).split())


def test_a_section_registered_by_landmarks_gives_a_start_by_the_rules_of_its_table(made):
    """Landmarks in nm, an affine: read as px and as a similarity they would give another start."""
    stretched = affine.affine([1.04, 0.01, -0.02, 0.98, 12.0, -7.0])
    points = np.array([[1000.0, 2000], [1300, 2050], [1250, 2300], [1020, 2280]])
    nm = np.array([4.0, 8.0])
    pairs = np.hstack((points * nm, affine.apply(stretched, points) * nm)).tolist()
    rows = [f"p{i},true,{x!r},{y!r},{u!r},{v!r}" for i, (x, y, u, v) in enumerate(pairs)]
    (made.folder / "00002.csv").write_text("\n".join(rows))
    options = ("--landmark-units", "nm", "--landmark-model", "affine")
    assert started(made, "second", *options) == 0
    stage = {patch.tile_id: patch for patch in made.patches(2.0)}
    origin = np.array(made.frozen.origin)
    for patch in second(made).patches(2.0):
        if patch.stack == "EM":
            expected = affine.apply(stretched, stage[patch.tile_id].corners + origin)
            np.testing.assert_allclose(patch.corners + origin, expected, atol=1e-6)
