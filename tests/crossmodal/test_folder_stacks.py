"""Stacks in a folder: the files on the disk, and files that a person put there."""

import json

import pytest

from crossmodal.planted_stacks import LENS, VERSION, fill, section
from crossreg.crossmodal.render import folder_store
from crossreg.crossmodal.render.folder_store import FolderStore
from crossreg.io.errors import UserError


@pytest.fixture
def store(tmp_path):
    store = FolderStore(tmp_path, "me", "mine")
    fill(store, "EM")
    return store


def test_the_files_are_those_of_the_format(store, tmp_path):
    names = sorted(path.name for path in (tmp_path / "EM").iterdir())
    assert names == ["00001.json", "00002.json", "00003.5.json", "stack.json"]
    content = json.loads((tmp_path / "EM" / "00002.json").read_text())
    assert set(content) == {"tileIdToSpecMap", "transformIdToSpecMap"}
    assert set(content["tileIdToSpecMap"]["t_2.0_0"]) >= {"minX", "transforms", "mipmapLevels"}
    stack = json.loads((tmp_path / "EM" / "stack.json").read_text())
    assert set(stack) == {"stackId", "state", "currentVersionNumber", "currentVersion", "stats"}


def test_the_same_stack_has_the_same_bytes(store, tmp_path):
    fill(FolderStore(tmp_path / "again", "me", "mine"), "EM")
    for path in (tmp_path / "EM").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / "EM" / path.name).read_bytes()


def test_bounds_are_computed_where_the_metadata_has_none(store, tmp_path):
    stated = store.bounds("EM")
    path = tmp_path / "EM" / "stack.json"
    metadata = json.loads(path.read_text())
    del metadata["stats"]
    path.write_text(json.dumps(metadata))
    assert store.bounds("EM") == stated


def test_boxes_that_a_tile_brings_are_kept(store):
    store.create("EM", VERSION)
    tiles = section(1.0, count=1)
    box = {"minX": -5.0, "minY": -6.0, "maxX": 7.0, "maxY": 8.0}
    tiles["tileIdToSpecMap"]["t_1.0_0"] |= box
    store.upload_section("EM", 1.0, tiles)
    assert box.items() <= store.section("EM", 1.0)["tileIdToSpecMap"]["t_1.0_0"].items()


def test_a_failed_write_leaves_the_old_section(store, tmp_path, monkeypatch):
    store.create("EM", VERSION)
    before = {path.name: path.read_bytes() for path in (tmp_path / "EM").iterdir()}
    tiles = section(1.0)
    tiles["transformIdToSpecMap"][LENS]["dataString"] = "1 0 0 1 20 0"
    tiles["tileIdToSpecMap"]["t_1.0_0"]["minIntensity"] = float("nan")
    with pytest.raises(ValueError, match="JSON compliant"):
        store.upload_section("EM", 1.0, tiles)
    assert {path.name: path.read_bytes() for path in (tmp_path / "EM").iterdir()} == before


def test_left_overs_of_a_killed_run_are_no_sections(store, tmp_path):
    (tmp_path / "EM" / ".unfinished-00007.json").write_text("{")
    assert store.z_values("EM") == [1.0, 2.0, 3.5]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a section"),
        ('{"tileIdToSpecMap": {}}', "not a section"),
        (
            '{"tileIdToSpecMap": {"a": {"tileId": "a"}}, "transformIdToSpecMap": {}}',
            "tile 'a' has z None",
        ),
    ],
)
def test_a_broken_section_is_told_with_its_file(store, tmp_path, text, told):
    (tmp_path / "EM" / "00001.json").write_text(text)
    with pytest.raises(UserError, match=rf"00001\.json: .*{told}"):
        store.section("EM", 1.0)


def test_nothing_is_written_through_a_link(store, tmp_path):
    (tmp_path / "OUT").symlink_to(tmp_path / "EM")
    with pytest.raises(UserError, match=r"OUT: this is a link"):
        store.create("OUT", VERSION)
    assert store.metadata("EM")["state"] == "COMPLETE"


def test_a_folder_with_other_files_becomes_no_stack(store, tmp_path):
    (tmp_path / "OUT").mkdir()
    (tmp_path / "OUT" / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match=r"OUT: not empty"):
        store.create("OUT", VERSION)


def test_the_stack_file_has_a_name_that_no_section_has():
    assert folder_store.z_of_stem(folder_store.STACK_FILE.removesuffix(".json")) is None
