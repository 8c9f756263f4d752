"""What a person saved becomes the output stack: corners, policies, faults, and stopped runs."""

import csv
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crossmodal import planted_project as pp
from crossmodal import planted_stacks
from crossmodal.planted_registration import (
    FAR,
    OUTPUT,
    ZS,
    Registration,
    created,
    em_section,
    planted_registration,
    snapshot,
    write_parameters,
)
from crossmodal.small_render_service import SmallRenderService
from crossreg.crossmodal import affine
from crossreg.crossmodal.check.checked_section import Section
from crossreg.crossmodal.check.finding import Finding
from crossreg.crossmodal.registered.sections_to_import import ImportPolicy, repeated_warnings
from crossreg.crossmodal.registered.write_stack import frozen_mark, is_marked
from crossreg.crossmodal.render.render_service import RenderService
from crossreg.crossmodal.render.stack_store import TILES

MOTIONS = {
    1.0: pp.turn(2.0, 15.0, -8.0, 1.02),
    2.0: affine.affine([1.01, 0.02, -0.03, 0.99, -12.5, 30.25]),
    3.0: pp.turn(-1.0, 3.0, 4.0, 1.001),
}


@pytest.fixture
def untouched(tmp_path) -> Registration:
    return planted_registration(tmp_path)


@pytest.fixture
def saved(untouched) -> Registration:
    """Return a registration whose three sections were registered by planted affines."""
    for z, motion in MOTIONS.items():
        untouched.save(z, motion)
    return untouched


@pytest.fixture
def remote(tmp_path):
    """Return an untouched registration over stacks in a web service."""
    with SmallRenderService() as service:
        store = RenderService("127.0.0.1", service.port, "me", "mine", backoff_s=0.0)
        for stack in ("EM", "LM"):
            planted_stacks.fill(store, stack, ZS)
        render = {"owner": "me", "project": "mine", "host": "http://127.0.0.1"}
        render["port"] = service.port
        box = {"minX": -100, "minY": -100, "maxX": 400, "maxY": 400}
        parameters = write_parameters(tmp_path / "p.json", render=render, **box)
        yield created(Registration(tmp_path, store, ["--parameters", parameters])), service


def break_project(made: Registration, z: float) -> None:
    path = made.project(z)
    path.write_bytes(path.read_bytes().replace(b"</t2_layer_set>", b"", 1))


def table(made: Registration) -> dict[str, dict]:
    text = (made.root / "out" / "sections.tsv").read_text()
    return {row["section"]: row for row in csv.DictReader(text.splitlines(), delimiter="\t")}


def test_a_save_without_a_change_brings_every_corner_back(untouched):
    for z in ZS:
        untouched.save(z)
    assert untouched.bring_back() == 0
    for z in ZS:
        untouched.assert_moved(z)


def test_planted_affines_come_back(saved):
    assert saved.bring_back() == 0
    for z, motion in MOTIONS.items():
        saved.assert_moved(z, motion)
    metadata = saved.store.metadata(OUTPUT)
    assert metadata["state"] == "COMPLETE"
    assert is_marked(metadata, frozen_mark("first", saved.frozen.sha256))
    assert metadata["currentVersion"]["stackResolutionY"] == 8.0


def test_kept_entries_stay_as_they_were_and_one_affine_follows(saved):
    saved.bring_back()
    old, new = (saved.store.section(stack, 1.0)[TILES] for stack in ("EM", OUTPUT))
    for tile_id, kept in {"plain_1": 0, "long_1": 2, "lens_1": 1}.items():
        before, after = (spec[tile_id]["transforms"]["specList"] for spec in (old, new))
        assert json.dumps(after[:kept]) == json.dumps(before[:kept])
        assert [entry["className"] for entry in after[kept:]] == [pp.PREFIX + "AffineModel2D"]


def test_stale_bounds_of_the_frozen_tiles_are_never_written(saved):
    saved.bring_back()
    for spec in saved.store.section(OUTPUT, 1.0)[TILES].values():
        corners = saved.corners(spec)
        assert abs(spec["minX"] - corners[:, 0].min()) < 3
        assert abs(spec["maxY"] - corners[:, 1].max()) < 3


def test_a_registered_stack_can_be_registered_again(saved, tmp_path):
    saved.bring_back()
    parameters = write_parameters(tmp_path / "p2.json", inputStack=OUTPUT, outputStack="EM2")
    options = ["--parameters", parameters, *saved.options[2:]]
    (tmp_path / "again").mkdir()
    again = created(Registration(tmp_path / "again", saved.store, options))
    assert again.bring_back("--missing-sections", "keep") == 0
    for z in ZS:
        first, second = (saved.store.section(stack, z)[TILES] for stack in (OUTPUT, "EM2"))
        assert first.keys() == second.keys()
        for tile_id in first:
            one, two = (specs[tile_id]["transforms"]["specList"] for specs in (first, second))
            assert len(one) == len(two)


def test_nothing_is_written_while_sections_are_unsaved(untouched, capsys):
    untouched.save(2.0)
    untouched.project(3.0).unlink()
    assert untouched.bring_back() == 1
    told = capsys.readouterr().err
    assert "1 of 3 sections saved (1 untouched, 1 missing)" in told
    assert "not saved: 00001, 00003" in told and "missing_sections" in told
    assert untouched.store.metadata(OUTPUT) is None


def test_unsaved_sections_are_left_out(untouched):
    untouched.save(2.0, MOTIONS[2.0])
    untouched.project(3.0).unlink()
    assert untouched.bring_back("--missing-sections", "skip") == 0
    assert untouched.store.z_values(OUTPUT) == [2.0]
    untouched.assert_moved(2.0, MOTIONS[2.0])
    receipt = (untouched.root / "out" / "import.txt").read_text()
    assert "1 of 3 sections saved" in receipt
    assert "1 imported, 0 kept unchanged, 2 left out" in receipt


def test_unsaved_sections_are_kept_unchanged(untouched):
    untouched.save(2.0, MOTIONS[2.0])
    untouched.project(3.0).unlink()
    assert untouched.bring_back("--missing-sections", "keep") == 0
    for z, motion in {1.0: affine.IDENTITY, 2.0: MOTIONS[2.0], 3.0: affine.IDENTITY}.items():
        untouched.assert_moved(z, motion)
    old, new = (untouched.store.section(stack, 1.0)[TILES] for stack in ("EM", OUTPUT))
    assert {k: v["transforms"] for k, v in old.items()} == {
        k: v["transforms"] for k, v in new.items()
    }


def test_a_section_with_errors_stops_the_import_before_anything_is_written(saved, capsys):
    saved.bring_back()
    before = snapshot(saved.root / "stacks")
    saved.save(1.0, pp.turn(0, 5, 5))
    break_project(saved, 3.0)
    assert saved.bring_back() == 1
    told = capsys.readouterr().err
    assert "with errors: 00003: see trakem2_check" in told
    assert "ERROR: section 00003: expected a TrakEM2 project, found" in told
    assert snapshot(saved.root / "stacks") == before


def test_sections_with_errors_are_left_out(saved):
    break_project(saved, 3.0)
    assert saved.bring_back("--faulty-sections", "skip") == 0
    assert saved.store.z_values(OUTPUT) == [1.0, 2.0]


def test_an_older_section_that_is_left_out_now_leaves_the_stack(saved):
    saved.bring_back()
    break_project(saved, 3.0)
    assert saved.bring_back("--faulty-sections", "skip") == 0
    assert saved.store.z_values(OUTPUT) == [1.0, 2.0]


@pytest.mark.parametrize(("policy", "there"), [("skip", False), ("keep", True)])
def test_tiles_outside_of_the_box_follow_their_policy(tmp_path, policy, there):
    made = planted_registration(tmp_path, far=True)
    for z in ZS:
        made.save(z, MOTIONS[z])
    assert made.bring_back("--outside-bounds", policy) == 0
    tiles = made.store.section(OUTPUT, 2.0)[TILES]
    assert ("far_2" in tiles) == there
    if there:
        corner = made.corners(tiles["far_2"])[0]
        np.testing.assert_allclose(corner, [FAR, FAR], rtol=0, atol=1e-6)


def test_tiles_of_an_earlier_import_do_not_stay(tmp_path):
    made = planted_registration(tmp_path, far=True)
    assert made.bring_back("--missing-sections", "keep", "--outside-bounds", "keep") == 0
    assert "far_2" in made.store.section(OUTPUT, 2.0)[TILES]
    assert made.bring_back("--missing-sections", "keep", "--outside-bounds", "skip") == 0
    assert "far_2" not in made.store.section(OUTPUT, 2.0)[TILES]


def test_bounds_are_those_that_were_frozen_whatever_the_stack_says_now(saved):
    store = saved.store
    store.create("EM", store.metadata("EM")["currentVersion"])
    store.upload_section("EM", 9.0, em_section(9.0, far=True))
    store.complete("EM")
    assert saved.bring_back() == 0
    assert store.z_values(OUTPUT) == list(ZS)
    for z, motion in MOTIONS.items():
        saved.assert_moved(z, motion)


def test_a_tile_that_the_person_deleted_is_named_and_the_others_are_checked(saved):
    path = saved.project(2.0)
    lens = next(p for p in saved.patches(2.0) if p.tile_id == "lens_2")
    text = path.read_text("latin-1")
    without = re.sub(rf'<t2_patch\s+oid="{lens.oid}".*?</t2_patch>', "", text, flags=re.DOTALL)
    assert without != text
    path.write_text(without, "latin-1")
    assert saved.check() == 0
    errors = [one for one in saved.report(2.0)["findings"] if one["level"] == "error"]
    assert [(one["kind"], one["tile"]) for one in errors] == [("tile_deleted", "lens_2")]
    assert saved.report(1.0)["findings"] == [] and saved.verdict() == 1


def test_moved_lm_tiles_are_an_error_or_corrected_and_never_silently_wrong(saved):
    for z in ZS:
        saved.save(z, pp.turn(0, 100, 50), stack="LM")
    assert saved.bring_back() == 1
    assert saved.bring_back("--common-motion", "any") == 0
    undone = affine.translation(-100, -50)
    for z, motion in MOTIONS.items():
        saved.assert_moved(z, affine.compose(undone, motion))


def test_a_killed_import_is_continued(saved, monkeypatch):
    import crossreg.crossmodal.registered.write_stack as module

    def killed(store, stack, z, section, original=module._write_section):
        if z == 2.0:
            raise KeyboardInterrupt
        return original(store, stack, z, section)

    with monkeypatch.context() as patched:
        patched.setattr(module, "_write_section", killed)
        with pytest.raises(KeyboardInterrupt):
            saved.bring_back()
    assert saved.store.metadata(OUTPUT)["state"] == "LOADING"
    assert saved.bring_back() == 0
    continued = saved.result()
    assert saved.bring_back() == 0 and saved.result() == continued
    for z, motion in MOTIONS.items():
        saved.assert_moved(z, motion)


def test_another_stack_is_replaced_only_if_allowed(saved, capsys):
    store = saved.store
    store.create(OUTPUT, {"versionNotes": "by hand"})
    store.upload_section(OUTPUT, 7.0, em_section(7.0))
    assert saved.bring_back() == 1
    assert f"'{OUTPUT}' exists" in capsys.readouterr().err
    assert store.z_values(OUTPUT) == [7.0]
    assert saved.bring_back("--overwrite") == 0
    assert store.z_values(OUTPUT) == list(ZS)


def test_the_folder_of_the_person_stays_as_it_is(saved):
    break_project(saved, 3.0)
    before = snapshot(saved.folder)
    saved.check()
    saved.verdict()
    saved.bring_back()
    saved.bring_back("--faulty-sections", "skip")
    assert snapshot(saved.folder) == before


def test_a_project_that_cannot_be_read_is_a_finding(saved):
    path = saved.project(2.0)
    path.rename(path.with_name("elsewhere"))
    path.with_name("elsewhere").rename(path.with_suffix(".xml.gz"))
    path.write_bytes(b"")
    assert saved.check() == 0
    assert [one["kind"] for one in saved.report(2.0)["findings"]] == ["two_files"]
    path.with_suffix(".xml.gz").unlink()
    assert saved.check() == 0
    assert [one["kind"] for one in saved.report(2.0)["findings"]] == ["unreadable"]


def test_the_table_tells_how_far_each_section_moved_and_marks_errors(saved, capsys):
    break_project(saved, 3.0)
    (saved.folder / "untitled.xml").write_text("stray")
    assert saved.check() == 0
    rows = table(saved)
    assert rows["00003"]["errors"] == "1" and rows["00003"]["moved_px"] == ""
    assert float(rows["00001"]["rotation"]) == pytest.approx(2.0)
    assert float(rows["00001"]["scale"]) == pytest.approx(1.02)
    tiles = saved.report(1.0)["tiles"]
    assert len(tiles) == 3
    largest = max(tile["moved_px"] for tile in tiles)
    assert float(rows["00001"]["moved_px"]) == pytest.approx(largest)
    assert float(rows["00001"]["moved_nm"]) > 4 * largest
    assert saved.verdict() == 1
    told = capsys.readouterr()
    assert "3 of 3 sections saved; 1 with errors" in told.out and "untitled.xml" in told.out
    assert "section 00003 has errors" in told.err
    error = next(one for one in saved.report(3.0)["findings"] if one["level"] == "error")
    assert "\nERROR: section 00003: expected" in told.out
    assert f"found {error['found']}; {error['advice']}." in told.out
    assert f"{saved.root / 'out' / 'sections' / '00003.txt'} says which" in told.err
    page = (saved.root / "out" / "sections" / "00003.txt").read_text()
    assert "ERROR: section 00003" in page


def test_a_check_without_errors_succeeds(saved):
    assert saved.check() == 0
    assert saved.verdict() == 0


def test_a_stack_that_changed_or_is_gone_since_is_noted(saved):
    store = saved.store
    store.create("EM", store.metadata("EM")["currentVersion"])
    changed = em_section(2.0)
    changed[TILES]["plain_2"]["transforms"]["specList"] = []
    store.upload_section("EM", 2.0, changed)
    assert saved.check() == 0
    assert [one["kind"] for one in saved.report(2.0)["findings"]] == ["stack_changed"]
    assert saved.report(1.0)["findings"] == []
    saved.options[-1] = saved.root / "no_stacks_here"
    assert saved.check() == 0
    findings = json.loads((saved.root / "out" / "sections" / "folder.json").read_text())
    assert [one["kind"] for one in findings] == ["stack_unknown"]


def test_other_parameters_than_the_frozen_ones_are_refused(saved, capsys):
    write_parameters(saved.root / "p.json", minX=800)
    assert saved.check() == 1 and saved.bring_back() == 1
    assert "minX (frozen: 900, now: 800)" in capsys.readouterr().err


def test_an_output_stack_must_be_named(saved, capsys):
    path = saved.root / "p.json"
    given = json.loads(path.read_text())
    del given["outputStack"]
    path.write_text(json.dumps(given))
    assert saved.bring_back() == 1
    assert "'outputStack' is missing" in capsys.readouterr().err


def test_the_same_through_a_web_service(remote):
    made, service = remote
    for z, motion in MOTIONS.items():
        made.save(z, motion)
    service.misbehave("GET", "resolvedTiles", "drop")
    assert made.check() == 0 and made.verdict() == 0
    assert [one["findings"] for one in map(made.report, ZS)] == [[], [], []]
    service.misbehave("PUT", "resolvedTiles", 400, after=1)
    assert made.bring_back() == 1
    assert made.store.metadata(OUTPUT)["state"] == "LOADING"
    service.faults.clear()
    assert made.bring_back() == 0
    assert made.store.metadata(OUTPUT)["state"] == "COMPLETE"
    for z, motion in MOTIONS.items():
        made.assert_moved(z, motion)


def test_a_section_turned_by_the_rigid_model_is_warned_of_beside_scaled_ones(saved):
    """The landmark dialog proposes Rigid, which drops the scale without a word."""
    saved.save(3.0, pp.turn(-1.0, 3.0, 4.0))
    saved.check()
    warned = {z: [f["kind"] for f in saved.report(z)["findings"]] for z in ZS}
    assert warned == {1.0: [], 2.0: [], 3.0: ["rigid_only"]}
    for z in ZS:
        saved.save(z, pp.turn(z))
    saved.check()
    assert [f for z in ZS for f in saved.report(z)["findings"] if f["kind"] == "rigid_only"] == []


KEEP_ALL = ImportPolicy(missing_sections="keep")


def save_as(made: Registration, z: float, name: str, motion, newer: bool = True):
    """Save a section under another name, as "Save as" does; return the path."""
    own = made.project(z)
    before = own.read_bytes()
    made.save(z, motion)
    path = made.folder / name
    path.write_bytes(own.read_bytes())
    own.write_bytes(before)
    stamp = own.stat().st_mtime_ns + (1 if newer else -1) * 10**9
    os.utime(path, ns=(stamp, stamp))
    return path


@pytest.mark.parametrize("name", ["00003-1.xml", "untitled.xml", "my section 3.xml"])
def test_a_section_saved_under_another_name_is_an_error_that_names_it(saved, name):
    motion = pp.turn(7.0, scale=1.01)
    saved.project(3.0).unlink()
    created(saved)
    save_as(saved, 3.0, name, motion)
    assert saved.check() == 0
    (finding,) = saved.report(3.0)["findings"]
    assert (finding["level"], finding["kind"], finding["section"]) == (
        "error",
        "saved_elsewhere",
        "00003",
    )
    assert name in finding["found"]
    assert saved.bring_back() == 1 and saved.store.metadata(OUTPUT) is None
    assert saved.bring_back("--missing-sections", "skip") == 1
    assert saved.bring_back("--saved-copies", "newest") == 0
    saved.assert_moved(3.0, motion)
    saved.assert_moved(1.0, MOTIONS[1.0])


def test_of_a_section_saved_twice_the_configuration_says_which_counts(saved):
    motion = pp.turn(7.0, scale=1.01)
    save_as(saved, 3.0, "00003-1.xml", motion)
    save_as(saved, 2.0, "00002-1.xml", motion, newer=False)
    saved.check()
    assert [f["kind"] for f in saved.report(3.0)["findings"]] == ["saved_copy"]
    assert saved.bring_back() == 0
    saved.assert_moved(3.0, MOTIONS[3.0])
    assert saved.bring_back("--saved-copies", "newest") == 0
    saved.assert_moved(3.0, motion)
    saved.assert_moved(2.0, MOTIONS[2.0])


def test_a_copy_of_another_registration_is_no_saved_section(saved, tmp_path):
    path = save_as(saved, 3.0, "00003-1.xml", pp.turn(1.0))
    path.write_bytes(path.read_bytes().replace(saved.frozen.sha256.encode(), b"0" * 64))
    saved.check("--saved-copies", "newest")
    assert saved.report(3.0)["findings"] == []
    folder = json.loads((saved.root / "out" / "sections" / "folder.json").read_text())
    assert [(one["kind"], one["found"]) for one in folder] == [("stray_file", "00003-1.xml")]


def test_the_import_repeats_what_the_check_warned_of(saved, capsys):
    saved.save(3.0, pp.turn(0.0, scale=1e4))
    assert saved.bring_back() == 0
    told = capsys.readouterr().err
    assert "section 00003, tile plain_3" in told and "one scaled by 1e+04" in told


@pytest.mark.parametrize("from_records", [True, False])
def test_the_import_repeats_what_only_the_sections_together_tell(saved, capsys, from_records):
    saved.save(3.0, pp.turn(-1.0, 3.0, 4.0))
    saved.save(2.0)
    assert saved.check() == 0
    capsys.readouterr()
    reports = ("--reports", saved.root / "out" / "sections") if from_records else ()
    assert saved.bring_back(*reports) == 0
    told = capsys.readouterr().err
    assert "section 00003: expected a scale as other sections have" in told
    assert told.count("Similarity or Affine") == 1
    assert "section 00002: expected registered EM tiles, found none that moved" in told
    assert "add its z to confirmed_sections" in told


@pytest.mark.parametrize("kind", ["folder", "link to nowhere", "link to itself"])
def test_what_has_the_name_of_a_project_and_is_none_is_an_error(saved, capsys, kind):
    path = saved.project(2.0)
    path.unlink()
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere.xml" if kind == "link to nowhere" else path.name)
    saved.check()
    (finding,) = saved.report(2.0)["findings"]
    assert (finding["level"], finding["kind"]) == ("error", "no_file")
    assert finding["found"].startswith("00002.xml, which is")
    assert saved.bring_back() == 1 and saved.store.metadata(OUTPUT) is None


def test_a_project_that_is_gone_can_be_created_anew(saved, capsys):
    saved.project(2.0).unlink()
    assert saved.bring_back() == 1
    told = capsys.readouterr().err
    assert "no project: 00002: trakem2_projects creates them anew" in told


@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("policy", ["error", "recover"])
def test_a_half_saved_project_is_never_taken_for_whole(saved, part, policy):
    data = saved.project(2.0).read_bytes().rstrip()
    saved.project(2.0).write_bytes(data[: int(part * len(data))])
    saved.check("--unreadable-projects", policy)
    (finding,) = saved.report(2.0)["findings"]
    assert (finding["level"], finding["kind"]) == ("error", "unreadable")
    assert "before the project does: its save was cut off" in finding["found"]
    assert saved.bring_back("--unreadable-projects", policy) == 1
    assert saved.store.metadata(OUTPUT) is None


def test_files_of_any_kind_and_name_beside_the_projects_do_no_harm(saved):
    os.mkfifo(saved.folder / "pipe.xml")
    (saved.folder / "00002-1.xml").mkdir()
    Path(os.fsdecode(os.fsencode(saved.folder) + b"/\xff\xfe.xml")).write_text("x")
    assert saved.check() == 0
    notes = json.loads((saved.root / "out" / "sections" / "folder.json").read_text())
    assert sorted(one["found"] for one in notes) == ["00002-1.xml", "pipe.xml", "\ufffd\ufffd.xml"]
    assert saved.bring_back() == 0


def test_every_section_with_warnings_is_named_however_many_tiles_have_them(saved):
    warning = Finding("warning", "scale_off", "00001", "a", "b", "c", "EM", "tile")
    many = Section("00001", (warning,) * 60)
    other = Section("00002", (replace(warning, section="00002"),))
    told = repeated_warnings([many, other, replace(many, section="00003", score=9.0)], KEEP_ALL)
    assert told[0].startswith("section 00001") and told[1].startswith("section 00002")
    assert told[3].startswith("section 00003: its motion is unlike")
    assert told[-1] == "102 more warnings: see the table of trakem2_check."
