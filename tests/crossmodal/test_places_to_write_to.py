"""Commands write neither into registrations by hand, nor over their input or files that are there.

And what they say of wrong names, sections left out and projects of another registration.
"""

import argparse
import os
from pathlib import Path

import pytest

from crossmodal import planted_project as pp
from crossmodal.planted_registration import Registration, planted_registration, snapshot
from crossmodal.test_starts_of_sections import started
from crossreg.crossmodal.freeze.frozen import read_frozen
from crossreg.crossmodal.render.folder_store import FolderStore
from crossreg.io.errors import UserError
from crossreg.io.files import write_text
from crossreg.workflow_support.for_scripts.chosen_outputs import check_new, check_outputs
from saved_by_trakem2 import saved_by_trakem2

MOTION = pp.turn(2.0, 15.0, -8.0, 1.02)


@pytest.fixture
def made(tmp_path) -> Registration:
    made = planted_registration(tmp_path)
    made.save(1.0, MOTION)
    made.save(3.0, pp.turn(4.0, 25.0, -8.0, 1.04))
    return made


def half(made: Registration, z: float) -> None:
    path = made.project(z)
    path.write_bytes(path.read_bytes()[:-400])


def map_points(made: Registration, output, *options, points="stack,z,x,y\nEM,1,1080,2090\n"):
    path = made.root / "points.csv"
    path.write_text(points)
    given = ("--registration", made.folder, "--points", path, "--output", output)
    return made.command("map_points", *given, *options)


@pytest.mark.parametrize(
    "name", ["first/00001.xml", "first/new.csv", "first/a/b/new.csv", "new/new.csv", "new.csv"]
)
def test_nothing_is_written_among_registrations(made, capsys, name):
    before = snapshot(made.folder)
    capsys.readouterr()
    assert map_points(made, made.folder.parent / name, "--overwrite") == 1
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1 and "choose a place elsewhere" in told
    assert snapshot(made.folder) == before
    assert [path.name for path in made.folder.parent.iterdir()] == ["first"]


@pytest.mark.parametrize("link", [None, os.link, os.symlink])
def test_no_output_is_the_input(made, capsys, link):
    points = made.root / "points.csv"
    output = points
    if link:
        points.write_text("to link to")
        output = made.root / "linked.csv"
        link(points, output)
    assert map_points(made, output, "--overwrite") == 1
    assert "this is an input of the command" in capsys.readouterr().err
    assert points.read_text().startswith("stack,z,x,y\nEM")


def test_a_link_into_a_registration_is_no_way_around(made, capsys):
    (made.root / "away").symlink_to(made.folder)
    before = snapshot(made.folder)
    assert map_points(made, made.root / "away" / "00001.xml", "--overwrite") == 1
    assert "inside the registration" in capsys.readouterr().err
    assert snapshot(made.folder) == before


def test_a_file_that_is_there_is_replaced_only_if_asked(made, capsys):
    mine = made.root / "mine.csv"
    mine.write_text("my work")
    assert map_points(made, mine) == 1
    assert "it exists already" in capsys.readouterr().err and mine.read_text() == "my work"
    assert map_points(made, mine, "--overwrite") == 0
    assert mine.read_text().startswith("stack,z,x,y,tile")


@pytest.mark.parametrize(
    ("script", "option"),
    [
        ("trakem2_projects", "--output"),
        ("trakem2_projects", "--log"),
        ("picture_sections", "--pictures"),
    ],
)
def test_every_command_keeps_out_of_registrations(made, capsys, script, option):
    before = snapshot(made.folder)
    options = {"--registration": made.folder, "--output": made.root / "out" / "r"}
    if script == "picture_sections":
        del options["--output"]
    options |= {option: made.folder / "00001.xml"}
    assert made.command(script, *(word for pair in options.items() for word in pair)) == 1
    assert "inside the registration" in capsys.readouterr().err
    assert snapshot(made.folder) == before


def test_inputs_in_lists_count_as_well(tmp_path):
    (tmp_path / "a").write_text("a")
    options = argparse.Namespace(spots=[tmp_path / "a"], output=tmp_path / "b", log=None)
    check_outputs(options)
    options.output = tmp_path / "a"
    with pytest.raises(UserError, match="this is an input"):
        check_outputs(options)


def test_only_folders_of_nothing_but_registrations_are_theirs(made):
    check_new(made.root / "new.csv", overwrite=False)
    (made.folder.parent / "other").mkdir()
    check_new(made.folder.parent / "new.csv", overwrite=False)


def test_no_stack_is_written_into_a_registration(made):
    with pytest.raises(UserError, match="inside the registration"):
        FolderStore(made.folder / "stacks").create("EM_copy", {})


def test_landmarks_go_to_no_registration_and_over_no_table(made, capsys):
    assert started(made) == 0
    other = made.folder.parent / "second"
    before = snapshot(other)
    given = ("--registration", made.folder, "--output")
    for folder in (other, other / "in"):
        assert made.command("export_landmarks", *given, folder) == 1
        assert "inside the registration" in capsys.readouterr().err
    assert snapshot(other) == before
    tables = made.root / "tables"
    tables.mkdir()
    (tables / "00003.csv").write_text("mine")
    assert made.command("export_landmarks", *given, tables) == 1
    assert "00003.csv: it exists already" in capsys.readouterr().err
    assert [path.name for path in tables.iterdir()] == ["00003.csv"]
    assert made.command("export_landmarks", *given, tables, "--overwrite") == 0
    assert (tables / "00003.csv").read_text() != "mine"
    assert made.command("export_landmarks", *given, tables / "00003.csv") == 1
    assert "a file is where a folder is needed" in capsys.readouterr().err


def test_landmarks_name_the_sections_that_are_left_out(made, capsys):
    half(made, 3.0)
    given = ("--registration", made.folder, "--output", made.root / "tables")
    assert made.command("export_landmarks", *given) == 0
    told = capsys.readouterr().err
    assert "sections with errors, z = 3.0" in told and "not saved yet: z = 2.0" in told
    assert "landmarks of 1 section." in told
    half(made, 1.0)
    given = ("--registration", made.folder, "--output", made.root / "none")
    assert made.command("export_landmarks", *given) == 1


def test_points_without_a_place_are_told_by_z(made, capsys):
    points = "stack,z,x,y\nEM,1,1080,2090\nEM,2,1080,2090\nEM,77,1,1\n"
    assert map_points(made, made.root / "m.csv", points=points) == 0
    told = capsys.readouterr().err
    assert "z = 77.0 is no section of 'first', which has 3 sections, z = 1.0 to 3.0" in told
    assert "z = 2.0 is not saved in 'first'" in told
    assert "1 point mapped, 2 without a position" in told
    assert map_points(made, made.root / "n.csv", points="stack,z,x,y\nEM,77,1,1\n") == 1
    assert "no point has a position: z = 77.0" in capsys.readouterr().err
    assert not (made.root / "n.csv").exists()


def test_what_was_mapped_is_mapped_back_by_a_table_that_is_described(made, capsys):
    assert map_points(made, made.root / "m.csv") == 0
    text = (made.root / "m.csv").read_text()
    assert map_points(made, made.root / "n.csv", "--back", points=text) == 1
    told = capsys.readouterr().err
    assert "tile, inside, x_mapped, y_mapped already" in told and "remove or rename" in told


def test_a_start_says_what_was_taken_interpolated_and_copied(tmp_path, capsys):
    made = planted_registration(tmp_path, (1.0, 2.0, 3.0, 4.0))
    made.save(1.0, MOTION)
    made.save(3.0, MOTION)
    assert started(made) == 0
    told = capsys.readouterr().out
    assert "2 sections as saved there (z = 1, 3); 1 section between the saved ones" in told
    assert "1 section as the nearest saved one (z = 4)" in told


def test_a_start_names_what_was_saved_there_with_errors(made, capsys):
    half(made, 3.0)
    capsys.readouterr()
    assert started(made) == 0
    told = capsys.readouterr()
    assert "1 section as saved there (z = 1); 2 sections as the nearest saved one" in told.out
    assert "between" not in told.out
    assert "the section z = 3 of 'first' has errors there and counts as not registered" in told.err
    assert "has errors there" in (made.root / "out" / "f2").read_text()
    frozen = read_frozen(made.folder.parent / "second")
    assert [one.z for one in frozen.start_from.left_out] == [3.0]
    half(made, 1.0)
    assert started(made, "third") == 1
    told = capsys.readouterr().err
    assert "no section of 'first' is saved without errors; z = 1: " in told and "; z = 3: " in told


def test_a_start_names_sections_of_which_the_check_warns(made, capsys):
    tile = [patch for patch in made.patches(2.0) if patch.stack == "EM"]
    path = made.project(2.0)
    moved = {patch.oid: pp.moved(patch, MOTION) for patch in tile}
    moved[tile[0].oid] = pp.moved(tile[0], pp.turn(2.0, 15.0, -8.0, 300.0))
    path.write_bytes(saved_by_trakem2(path.read_bytes(), moved, str(made.folder)))
    capsys.readouterr()
    assert started(made) == 0
    told = capsys.readouterr().err
    assert "z = 2 of 'first' is taken as it was saved, but its check there warns: tile" in told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("frist", "did you mean 'first'?"),
        ("something_else", "there are: first"),
        ("second", "'second' is this registration itself"),
    ],
)
def test_a_wrong_start_from_is_told_as_such(made, capsys, name, told):
    folder = made.folder.parent
    given = ("--name", "second", "--registration", folder / "second", "--output", made.root / "f")
    capsys.readouterr()
    start = ("--start-from", folder / name)
    assert made.command("trakem2_freeze", *made.options, *given, *start) == 1
    message = capsys.readouterr().err
    assert told in message and "start_from" in message and len(message.splitlines()) == 1
    assert not (folder / "second").exists()


def test_a_project_of_another_registration_is_told_by_its_name(made, capsys):
    assert started(made) == 0
    other = made.folder.parent / "second"
    made.project(2.0).write_bytes((other / "00002.xml").read_bytes())
    made.check()
    (finding,) = made.report(2.0)["findings"]
    assert finding["found"] == "one of 'second'" and "'first'" in finding["expected"]
    other.rename(made.root / "elsewhere")
    (made.root / "out" / "sections" / "00002.json").unlink()
    made.check()
    (finding,) = made.report(2.0)["findings"]
    assert finding["found"].startswith("frozen configuration ") and len(finding["found"]) < 40


def test_a_missing_folder_of_stacks_is_told_by_its_key(tmp_path, capsys):
    made = planted_registration(tmp_path)
    capsys.readouterr()
    folder = tmp_path / "trakem2_registered" / "other"
    given = ("--name", "other", "--registration", folder, "--output", tmp_path / "out" / "g")
    options = [*made.options[:3], tmp_path / "stcks"]
    assert made.command("trakem2_freeze", *options, *given) == 1
    assert "stcks: there is no such folder of stacks; correct 'trakem2.stacks.folder'" in (
        capsys.readouterr().err
    )


def test_an_error_names_the_file_that_was_asked_for(tmp_path, monkeypatch):
    def refused(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.write_text", refused)
    with pytest.raises(PermissionError) as caught:
        write_text(tmp_path / "ro.csv", "text")
    assert caught.value.filename == str(tmp_path / "ro.csv")


def test_the_guide_shows_a_folder_of_stacks_that_is_one(tmp_path):
    guide = (Path(__file__).parents[2] / "docs" / "trakem2.md").read_text()
    stack, tiles = (part.partition("```")[0] for part in guide.split("```json")[1:3])
    (tmp_path / "EM").mkdir()
    (tmp_path / "EM" / "stack.json").write_text(stack)
    (tmp_path / "EM" / "00001.json").write_text(tiles)
    store = FolderStore(tmp_path)
    assert store.z_values("EM") == [1.0]
    assert list(store.section("EM", 1.0)["tileIdToSpecMap"]) == ["EM_1_0"]
    assert store.bounds("EM")["minX"] == 5000.0
