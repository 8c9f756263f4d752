"""A folder and a Render web service keep stacks by the same rules."""

import math

import pytest

from crossmodal.planted_stacks import LENS, VERSION, fill, section, tile, without_boxes
from crossreg.crossmodal.render.stack_store import (
    StackStore,
    read_sections,
    section_stem,
    z_of_stem,
)
from crossreg.io.errors import UserError

TILES, TRANSFORMS = "tileIdToSpecMap", "transformIdToSpecMap"


def test_a_section_comes_back_raw_with_references(store):
    fill(store, "EM")
    answered = store.section("EM", 2.0)
    assert without_boxes(answered) == section(2.0)
    assert answered[TRANSFORMS][LENS]["dataString"] == "1 0 0 1 10 0"


def test_boxes_are_derived_by_the_rule_of_render(store):
    fill(store, "EM")
    first = store.section("EM", 2.0)[TILES]["t_2.0_0"]
    # x from 10.25 to 110.25, y from 2 to 102: truncated corner, size rounded up.
    assert [first[key] for key in ("minX", "minY", "maxX", "maxY")] == [10, 2, 110, 102]


def test_z_values_and_bounds(store):
    fill(store, "EM", zs=(3.5, 1.0, 2.0))
    assert store.z_values("EM") == [1.0, 2.0, 3.5]
    bounds = store.bounds("EM")
    assert bounds == {"minX": 10, "minY": 1, "minZ": 1.0, "maxX": 290, "maxY": 103, "maxZ": 3.5}


@pytest.mark.parametrize(
    ("box", "taken"),
    [
        ((110, 0, 110.5, 50), {"t_2.0_0", "t_2.0_1"}),
        ((110.01, 0, 150, 50), {"t_2.0_1"}),
        ((0, 0, 10, 2), {"t_2.0_0"}),
        ((0, 0, 10, 1.99), set()),
        ((-1e6, -1e6, 1e6, 1e6), {"t_2.0_0", "t_2.0_1", "t_2.0_2"}),
    ],
)
def test_a_box_takes_the_tiles_whose_closed_box_overlaps(store, box, taken):
    fill(store, "EM")
    limits = dict(zip(("minX", "minY", "maxX", "maxY"), box, strict=True))
    tiles = store.section_box("EM", 2.0, limits)
    assert set(tiles[TILES]) == taken
    assert set(tiles[TRANSFORMS]) == ({LENS} if taken else set())


def test_metadata_is_what_was_given(store):
    fill(store, "EM")
    metadata = store.metadata("EM")
    assert metadata["state"] == "COMPLETE"
    assert metadata["stackId"] == {"owner": "me", "project": "mine", "stack": "EM"}
    assert metadata["stats"]["stackBounds"] == store.bounds("EM")
    version = {k: v for k, v in metadata["currentVersion"].items() if k != "createTimestamp"}
    assert version == {k: v for k, v in VERSION.items() if k != "createTimestamp"}


def test_a_stack_that_is_not_there(store):
    assert store.metadata("EM") is None
    for ask in (store.z_values, store.bounds):
        with pytest.raises(UserError, match="there is no stack 'EM'"):
            ask("EM")
    with pytest.raises(UserError, match="there is no stack 'EM'"):
        store.section("EM", 1.0)


def test_a_section_that_is_not_there_has_no_tiles(store):
    fill(store, "EM")
    assert store.section("EM", 9.0) == {TILES: {}, TRANSFORMS: {}}


def test_only_a_loading_stack_changes(store):
    fill(store, "EM")
    for change in (
        lambda: store.upload_section("EM", 1.0, section(1.0)),
        lambda: store.delete_section("EM", 1.0),
    ):
        with pytest.raises(UserError, match=r"stack 'EM'.*(COMPLETE.*LOADING|LOADING.*COMPLETE)"):
            change()
    assert without_boxes(store.section("EM", 1.0)) == section(1.0)


def test_a_new_version_keeps_the_tiles_and_has_no_bounds_yet(store):
    fill(store, "EM")
    number = store.metadata("EM")["currentVersionNumber"]
    store.create("EM", {"stackResolutionX": 8.0})
    assert store.metadata("EM")["state"] == "LOADING"
    assert store.metadata("EM")["currentVersionNumber"] == number + 1
    assert store.metadata("EM")["currentVersion"]["stackResolutionX"] == 8.0
    assert without_boxes(store.section("EM", 3.5)) == section(3.5)
    with pytest.raises(UserError, match=r"stack 'EM'.*bounds"):
        store.bounds("EM")


def test_an_upload_replaces_tiles_of_the_same_id_and_keeps_the_others(store):
    store.create("EM", VERSION)
    store.upload_section("EM", 1.0, section(1.0, count=2))
    moved = section(1.0, count=1)
    moved[TILES]["t_1.0_0"] = tile("t_1.0_0", 1.0, 1000.0, 0.0)
    store.upload_section("EM", 1.0, moved)
    tiles = store.section("EM", 1.0)[TILES]
    assert set(tiles) == {"t_1.0_0", "t_1.0_1"}
    assert tiles["t_1.0_0"]["minX"] == 1010


def test_a_deleted_section_is_gone(store):
    fill(store, "EM")
    store.create("EM", VERSION)
    store.delete_section("EM", 2.0)
    store.delete_section("EM", 77.0)
    assert store.z_values("EM") == [1.0, 3.5]


def test_tiles_of_another_section_are_refused(store):
    store.create("EM", VERSION)
    with pytest.raises(UserError, match=r"tile 't_1.0_0' has z 1.0, but the section is z = 2"):
        store.upload_section("EM", 2.0, section(1.0))


def test_a_stack_without_tiles_cannot_be_complete(store):
    store.create("EM", VERSION)
    with pytest.raises(UserError, match=r"stack 'EM'.*(tiles|Stack data aggregation)"):
        store.complete("EM")
    assert store.metadata("EM")["state"] == "LOADING"


@pytest.mark.parametrize(
    "name", ["../EM", "a/b", "", ".", "_EM", "EM_", "a__b", "Ü", "EM\n", "a b"]
)
def test_names_that_are_no_stack_names_are_refused(store: StackStore, name):
    for use in (
        lambda: store.metadata(name),
        lambda: store.create(name, VERSION),
        lambda: store.section(name, 1.0),
        lambda: store.delete_section(name, 1.0),
    ):
        with pytest.raises(UserError, match="cannot name a stack"):
            use()


def test_sections_are_read_one_by_one_within_limits(store):
    fill(store, "EM")
    assert [z for z, _ in read_sections(store, "EM", 2.0, 3.5)] == [2.0, 3.5]
    assert [len(tiles[TILES]) for _, tiles in read_sections(store, "EM")] == [3, 3, 3]


@pytest.mark.parametrize(
    ("z", "stem"),
    [
        (42, "00042"),
        (42.0, "00042"),
        (42.5, "00042.5"),
        (0.1, "00000.1"),
        (1e-07, "00000.0000001"),
        (123456.0, "123456"),
        (0.0, "00000"),
        (-0.0, "00000"),
    ],
)
def test_stems_of_sections(z, stem):
    assert section_stem(z) == stem
    assert z_of_stem(stem) == z


@pytest.mark.parametrize("z", [-1, -0.5, math.nan, math.inf])
def test_a_section_without_a_stem_is_refused(z):
    with pytest.raises(UserError, match="from 0 up"):
        section_stem(z)


@pytest.mark.parametrize("stem", ["42", "00042.50", "000042", "stack", "00042.", "0004²"])
def test_other_names_are_no_stems(stem):
    assert z_of_stem(stem) is None
