"""An output stack is never an input, never half complete, and the same however often one stops."""

import copy
import gc
import re
import weakref

import pytest

from crossmodal.planted_stacks import LENS, VERSION, fill, section, without_boxes
from crossreg.crossmodal.registered.read_back import section_differences
from crossreg.crossmodal.registered.write_stack import (
    Written,
    frozen_mark,
    is_marked,
    marked_version,
    write_stack,
)
from crossreg.crossmodal.render.folder_store import FolderStore
from crossreg.crossmodal.render.render_service import RenderService
from crossreg.io.errors import UserError

TILES, TRANSFORMS = "tileIdToSpecMap", "transformIdToSpecMap"
MARK = frozen_mark("first_try", "ab12")
ZS = (1.0, 2.0, 3.5)


def version(mark=MARK):
    return marked_version({"currentVersion": VERSION}, mark)


def planted(zs=ZS, prefix="out"):
    return ((z, section(z, prefix=prefix)) for z in zs)


def write(store, sections=None, mark=MARK, **options):
    options = {"inputs": ["EM", "LM"]} | options
    sections = planted() if sections is None else sections
    return write_stack(store, "OUT", version(mark), mark, sections, **options)


def content(store, stack="OUT"):
    return {z: store.section(stack, z) for z in store.z_values(stack)}


def killed_after(count):
    """Yield `count` sections, then stop as a killed run does."""
    sections = planted()
    for _ in range(count):
        yield next(sections)
    raise KeyboardInterrupt


def test_the_stack_holds_the_sections_and_is_complete(store):
    assert write(store) == Written(store.place, "OUT", sections=3, tiles=9, removed=())
    assert {z: without_boxes(tiles) for z, tiles in content(store).items()} == dict(planted())
    metadata = store.metadata("OUT")
    assert metadata["state"] == "COMPLETE"
    kept = {"stackResolutionX", "stackResolutionZ", "mipmapPathBuilder", "defaultChannel"}
    assert {key: VERSION[key] for key in kept}.items() <= metadata["currentVersion"].items()
    assert metadata["currentVersion"]["versionNotes"] == "as acquired\ncrossreg first_try ab12"
    assert "materializedBoxRootPath" not in metadata["currentVersion"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_stopping_anywhere_and_running_again_gives_the_same(store, tmp_path, count):
    with pytest.raises(KeyboardInterrupt):
        write(store, killed_after(count))
    assert store.metadata("OUT")["state"] == "LOADING"
    write(store)
    stopped = content(store)
    fresh = FolderStore(tmp_path / "fresh", "me", "mine")
    write(fresh)
    assert stopped == content(fresh)
    assert store.metadata("OUT")["state"] == "COMPLETE"
    assert store.metadata("OUT")["currentVersionNumber"] == 0


def test_a_complete_stack_with_the_mark_is_written_again(store):
    write(store)
    first = content(store)
    write(store)
    assert content(store) == first
    assert store.metadata("OUT")["state"] == "COMPLETE"


def test_sections_of_an_earlier_run_do_not_stay(store):
    write(store, planted((1.0, 2.0, 9.0), prefix="old"))
    assert write(store).removed == (9.0,)
    assert set(content(store)) == set(ZS)
    assert set(content(store)[1.0][TILES]) == {"out_1.0_0", "out_1.0_1", "out_1.0_2"}


def test_a_section_without_tiles_leaves_none(store):
    write(store, planted((1.0, 2.0), prefix="old"))
    empty = {TILES: {}, TRANSFORMS: {}}
    assert write(store, [(1.0, section(1.0)), (2.0, empty)]).sections == 1
    assert store.z_values("OUT") == [1.0]


@pytest.mark.parametrize("name", ["EM", "LM", "em"])
def test_an_input_stack_is_never_written(store, name):
    fill(store, "EM")
    with pytest.raises(UserError, match="is the input stack"):
        write_stack(store, name, version(), MARK, planted(), ["EM", "LM"], overwrite=True)
    assert store.metadata("EM")["currentVersion"]["versionNotes"] == "as acquired"
    assert without_boxes(store.section("EM", 1.0)) == section(1.0)


@pytest.mark.parametrize("notes", ["crossreg first_try ffff", "crossreg first_try", None])
def test_a_stack_of_someone_else_is_refused(store, notes):
    fill(store, "OUT", version=VERSION | {"versionNotes": notes})
    before = content(store)
    with pytest.raises(UserError, match="stack 'OUT' exists and was not made by"):
        write(store)
    assert content(store) == before
    assert store.metadata("OUT")["state"] == "COMPLETE"


def test_a_stack_of_someone_else_is_overwritten_if_told_so(store):
    fill(store, "OUT", zs=(1.0, 8.0))
    assert write(store, overwrite=True).removed == (8.0,)
    assert {z: without_boxes(tiles) for z, tiles in content(store).items()} == dict(planted())


def test_an_overwrite_leaves_no_shared_transform_of_the_old_stack(service):
    store = RenderService("127.0.0.1", service.port, "me", "mine")
    store.create("OUT", {})
    old = section(1.0)
    old["transformIdToSpecMap"]["old"] = old["transformIdToSpecMap"]["lens_1"] | {"id": "old"}
    store.upload_section("OUT", 1.0, old)
    assert "old" in service.stacks["me", "mine", "OUT"].transforms
    write(store, overwrite=True)
    assert list(service.stacks["me", "mine", "OUT"].transforms) == ["lens_1"]


def test_an_overwrite_that_stopped_is_continued_without_the_permission(store):
    fill(store, "OUT", zs=(1.0, 8.0))
    with pytest.raises(KeyboardInterrupt):
        write(store, killed_after(1), overwrite=True)
    write(store)
    assert set(content(store)) == set(ZS)


class Section(dict):
    """A section whose end can be watched."""


def test_no_more_than_two_sections_are_in_memory(tmp_path):
    watched = []

    def sections():
        for z in range(30):
            tiles = Section(section(float(z)))
            watched.append(weakref.ref(tiles))
            yield float(z), tiles
            del tiles
            gc.collect()
            assert sum(one() is not None for one in watched) <= 2

    assert write(FolderStore(tmp_path), sections()).sections == 30


def test_without_any_section_nothing_is_created(store):
    with pytest.raises(UserError, match="no section to write"):
        write(store, [])
    assert store.metadata("OUT") is None


def test_a_section_that_comes_twice_is_refused(store):
    with pytest.raises(UserError, match=r"section z = 1\.0 comes twice"):
        write(store, planted((1.0, 2.0, 1.0)))
    assert store.metadata("OUT")["state"] == "LOADING"


def test_the_service_may_drop_keys_that_it_does_not_know(service):
    store = RenderService("127.0.0.1", service.port, "me", "mine", backoff_s=0.0)
    tiles = section(1.0)
    for spec in tiles[TILES].values():
        spec["inputfilters"] = {"specList": []}
        spec["layout"]["mood"] = "sunny"
    write(store, [(1.0, tiles)])
    assert "inputfilters" not in store.section("OUT", 1.0)[TILES]["t_1.0_0"]


def test_a_key_that_the_service_loses_is_told_and_nothing_completed(service):
    store = RenderService("127.0.0.1", service.port, "me", "mine", backoff_s=0.0)
    service.loses = "maxIntensity"
    with pytest.raises(UserError, match=r"z = 1\.0 came back different.*maxIntensity: dropped"):
        write(store)
    assert store.metadata("OUT")["state"] == "LOADING"


def test_a_tile_id_in_two_sections_is_told_and_nothing_completed(service):
    store = RenderService("127.0.0.1", service.port, "me", "mine", backoff_s=0.0)
    second = section(2.0)
    second[TILES]["out_1.0_1"] = second[TILES].pop("t_2.0_1") | {"tileId": "out_1.0_1"}
    sections = [(1.0, section(1.0, prefix="out")), (2.0, second)]
    with pytest.raises(UserError, match=r"z = 1\.0 changed after it was written; tile ids"):
        write(store, sections)
    assert store.metadata("OUT")["state"] == "LOADING"


def test_shared_transforms_that_differ_between_sections_are_told(service):
    store = RenderService("127.0.0.1", service.port, "me", "mine", backoff_s=0.0)
    second = section(2.0)
    second[TRANSFORMS][LENS]["dataString"] = "1 0 0 1 11 0"
    with pytest.raises(UserError, match=r"z = 1\.0 changed after it was written"):
        write(store, [(1.0, section(1.0)), (2.0, second)])


def test_a_service_that_fails_leaves_the_stack_open_and_can_be_continued(service):
    store = RenderService("127.0.0.1", service.port, "me", "mine", backoff_s=0.0, retries=0)
    service.misbehave("PUT", "/resolvedTiles", "drop", after=1)
    with pytest.raises(UserError, match=r"section z = 2\.0 cannot be uploaded"):
        write(store)
    assert store.metadata("OUT")["state"] == "LOADING"
    assert store.z_values("OUT") == [1.0]
    write(store)
    assert set(content(store)) == set(ZS)


def change(key, value):
    def edit(tiles):
        tiles[TILES]["t_1.0_0"][key] = value

    return edit


def edit_lens(tiles):
    tiles[TRANSFORMS][LENS]["dataString"] = "1 0 0 1 10 1e-9"


def edit_affine(tiles):
    tiles[TILES]["t_1.0_0"]["transforms"]["specList"][1]["dataString"] = "1 0 0 1 0.25"


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (change("width", 101), "tile 't_1.0_0', width: sent 100, came back 101"),
        (change("layout", {"sectionId": "1.0", "stageX": 0.25}), "layout, stageY: dropped"),
        (change("mipmapLevels", {"1": {}}), "mipmapLevels, 0: dropped"),
        (change("transforms", {"specList": []}), "2 entries were sent, 0 came back"),
        (edit_affine, r"specList\[1\], dataString: sent '1 0 0 1 0.25 1.0', came back"),
        (edit_lens, "shared transform 'lens_1', dataString: sent '1 0 0 1 10 0', came back"),
        (lambda tiles: tiles[TRANSFORMS].clear(), "shared transform 'lens_1' is missing"),
        (lambda tiles: tiles[TILES].pop("t_1.0_0"), "tile 't_1.0_0' is missing"),
        (lambda tiles: tiles[TILES].update(x={}), "tile 'x' was not sent"),
    ],
)
def test_every_difference_that_matters_is_found(edit, told):
    answered = copy.deepcopy(section(1.0))
    edit(answered)
    found = list(section_differences(section(1.0), answered))
    assert len(found) == 1
    assert re.search(told, found[0])


def test_numbers_are_compared_as_numbers():
    answered = copy.deepcopy(section(1.0))
    spec = answered[TILES]["t_1.0_0"]
    spec |= {"width": 100.0, "minX": 5.0, "labels": []}
    spec["layout"]["sectionId"] = 1.0
    spec["transforms"]["specList"][1]["dataString"] = "1.0 0.0 0.0 1.0 0.25 1.00"
    answered[TRANSFORMS]["unused"] = {}
    assert list(section_differences(section(1.0), answered)) == []


def test_a_mark_is_a_whole_line_of_the_notes():
    def noted(notes):
        return {"currentVersion": {"versionNotes": notes}}

    assert is_marked(noted(f"as acquired\n{MARK}"), MARK)
    assert not is_marked(noted(MARK + "34"), MARK)
    assert not is_marked({"currentVersion": {}}, MARK)
    assert not is_marked({}, MARK)
