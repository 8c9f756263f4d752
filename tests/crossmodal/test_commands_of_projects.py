"""The commands that freeze, create projects and play the demo's person, run as a user runs them."""

import importlib
import json

import numpy as np
import pytest

from crossmodal.stacks_on_disk import two_stacks, write_parameters
from crossreg.crossmodal.check.check_project import check_project
from crossreg.crossmodal.freeze.frozen import read_frozen, read_section
from crossreg.crossmodal.render.tile_specs import tile_corners
from crossreg.io.files import read_json
from crossreg.io.schema import checked
from crossreg.workflow_support.for_scripts.script_main import run
from snakemake_runs import REPOSITORY


@pytest.fixture
def call(capsys):
    def run_command(script, **options):
        """Return the exit status and what was written to the terminal."""
        module = importlib.import_module(script)
        words = [f"--{name}={value}" for name, value in options.items()]
        status = run(module.parser(), module.main, words)
        return status, capsys.readouterr().err

    return run_command


def freezing(folder, **options):
    """Return the options that freeze the stacks of `folder`."""
    return {
        "parameters": folder / "p.json",
        "stacks": folder / "stacks",
        "name": "first",
        "registration": folder / "first",
        "output": folder / "frozen.txt",
    } | options


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"LMstack": "XX"}, "there is no stack 'XX'"),
        ({"buffersise": 3}, "unknown key 'buffersise'; did you mean 'buffersize'?"),
        ({"sections": [7]}, "'sections' asks for z = 7"),
    ],
)
def test_wrong_parameters_are_told_in_one_sentence(call, tmp_path, given, sentence):
    write_parameters(two_stacks(tmp_path), **given)
    status, told = call("trakem2_freeze", **freezing(tmp_path))
    assert (status, told.count("\n")) == (1, 1)
    assert told.startswith("ERROR: ")
    assert sentence in told
    assert not (tmp_path / "first").exists() or not list((tmp_path / "first").iterdir())


def test_keys_that_are_not_frozen_change_freely(call, tmp_path):
    write_parameters(two_stacks(tmp_path), checkTileImages=False)
    assert call("trakem2_freeze", **freezing(tmp_path))[0] == 0
    report = (tmp_path / "frozen.txt").read_bytes()
    free = {"outputStack": "NEW", "log_level": "DEBUG", "render": {"host": "other", "port": 1}}
    write_parameters(tmp_path, checkTileImages=False, **free)
    status, told = call("trakem2_freeze", **freezing(tmp_path))
    assert status == 0
    assert "have no effect here: log_level" in told
    assert (tmp_path / "frozen.txt").read_bytes() == report


def test_there_are_no_projects_before_freezing(call, tmp_path):
    status, told = call("trakem2_projects", registration=tmp_path, output=tmp_path / "p.txt")
    assert (status, told.count("\n")) == (1, 1)
    assert "there is no frozen configuration" in told


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"stack": {}}, "unknown key 'trakem2.stack'; did you mean 'stacks'?"),
        ({"name": "a/b"}, "it must begin with a letter or digit"),
        ({"missing_sections": "no"}, "it must be one of 'error', 'skip', 'keep'"),
    ],
)
def test_faults_of_the_configuration_are_told_by_key(section, sentence):
    schema = read_json(REPOSITORY / "workflow" / "scripts" / "crossreg" / "schemas" / "config.json")
    with pytest.raises(Exception, match="my.yaml") as error:
        checked({"trakem2": {"name": "a", "parameters": "p"} | section}, schema, "my.yaml")
    assert sentence in str(error.value)


@pytest.fixture
def demo(call, tmp_path):
    """Return the demo after its person played: folder of projects, and the planted truth."""
    folder, stacks = tmp_path / "projects", tmp_path / "stacks"
    planted = tmp_path / "planted.json"
    parameters = REPOSITORY / "config" / "trakem2.json"
    steps = {
        "make_crossmodal_demo": {"images": tmp_path / "images", "stacks": stacks},
        "trakem2_freeze": freezing(tmp_path, parameters=parameters, registration=folder),
        "trakem2_projects": {"registration": folder, "output": tmp_path / "projects.txt"},
        "play_person": {"registration": folder},
    }
    for script, options in steps.items():
        if script in ("make_crossmodal_demo", "play_person"):
            options["planted"] = planted
        status, told = call(script, **options)
        assert status == 0, told
        assert "WARNING" not in told
    return folder, json.loads(planted.read_text())["sections"]


def test_the_person_of_the_demo_puts_the_tiles_where_they_belong(demo):
    """The planted misalignment is undone; what is left is the rounding of numbers."""
    folder, planted = demo
    frozen = read_frozen(folder)
    before, after = [], []
    for entry in frozen.sections:
        section = read_section(folder, frozen, entry)
        found = check_project((folder / f"{entry.stem}.xml").read_bytes(), "saved", section)
        assert found.findings == ()
        tiles = section.tiles["EM"]
        for tile in found.tiles:
            name, shared = tile.patch.tile_id, tiles["transformIdToSpecMap"]
            spec = tiles["tileIdToSpecMap"][name]
            truth = np.array(planted[entry.stem]["corners"][name])
            before.append(np.abs(tile_corners(spec, shared, "") - truth).max())
            moved = tile.spec(spec, frozen.origin)
            after.append(np.abs(tile_corners(moved, shared, "") - truth).max())
    assert len(after) == 12
    assert min(before) > 5
    assert max(after) < 1e-6


def test_the_person_of_the_demo_plays_once(call, demo, tmp_path):
    folder = demo[0]
    before = {path: path.read_bytes() for path in folder.glob("*.xml")}
    status, told = call("play_person", registration=folder, planted=tmp_path / "planted.json")
    assert (status, told.count("left alone")) == (0, 3)
    assert {path: path.read_bytes() for path in folder.glob("*.xml")} == before
