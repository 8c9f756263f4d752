"""Other stacks of the same sections get the same motion, tile by tile."""

import numpy as np
import pytest

from crossmodal import planted_project as pp
from crossmodal.planted_registration import (
    OUTPUT,
    ZS,
    Registration,
    em_section,
    planted_registration,
    section,
)
from crossmodal.test_round_trip_of_projects import with_added
from crossreg.crossmodal import affine
from crossreg.crossmodal.render.stack_store import TILES
from crossreg.crossmodal.render.tile_specs import tile_corners
from saved_by_trakem2 import saved_by_trakem2

VERSION = {"stackResolutionX": 4.0, "stackResolutionY": 8.0, "stackResolutionZ": 40.0}
MOTIONS = {z: pp.turn(z, 10.0 * z, -5.0, 1.0 + 0.01 * z) for z in ZS}


def fill(made: Registration, stack: str, tiles_of, version=None) -> None:
    made.store.create(stack, version or VERSION)
    for z in ZS:
        made.store.upload_section(stack, z, tiles_of(z))
    made.store.complete(stack)


@pytest.fixture
def made(tmp_path) -> Registration:
    made = planted_registration(tmp_path)
    for z, motion in MOTIONS.items():
        made.save(z, motion)
    return made


def corners(made, stack, z):
    tiles = made.store.section(stack, z)
    shared = tiles["transformIdToSpecMap"]
    return {name: tile_corners(spec, shared, name) for name, spec in tiles[TILES].items()}


def test_a_channel_with_the_same_tile_ids_moves_as_the_em(made):
    fill(made, "DAPI", em_section)
    assert made.bring_back("--sister-stack", "DAPI", "DAPI_registered") == 0
    for z in ZS:
        first, second = corners(made, OUTPUT, z), corners(made, "DAPI_registered", z)
        assert first.keys() == second.keys()
        for name in first:
            np.testing.assert_allclose(first[name], second[name], atol=1e-6)
        old = made.store.section("DAPI", z)[TILES]
        new = made.store.section("DAPI_registered", z)[TILES]
        for name in old:
            kept = old[name]["transforms"]["specList"]
            assert new[name]["transforms"]["specList"][: len(kept)] == kept
    receipt = (made.root / "out" / "import.txt").read_text()
    assert "stack 'DAPI_registered' is complete: 3 sections, 9 tiles." in receipt


def other_tile(z: float, x: float, y: float, scale: float = 1.0) -> dict:
    """Return a section of one small tile at (x, y), of an id that the EM does not have."""
    spec = pp.spec(f"other_{z:g}", pp.leaf("AffineModel2D", f"0.1 0 0 0.1 {x * scale} {y * scale}"))
    return {TILES: {f"other_{z:g}": spec | {"z": z}}, "transformIdToSpecMap": {}}


def test_a_tile_of_another_id_moves_with_the_em_tile_that_covers_it(made):
    """Only that EM tile was moved further: the sister's tile goes with it."""
    further = pp.turn(0.0, 40.0, 20.0)
    patches = {patch.tile_id: patch for patch in made.patches(1.0)}
    plain = patches["plain_1"]
    path = made.project(1.0)

    moved = {plain.oid: pp.moved(plain, affine.compose(further, MOTIONS[1.0]))}
    path.write_bytes(saved_by_trakem2(path.read_bytes(), moved, str(made.folder)))
    fill(made, "DAPI", lambda z: other_tile(z, 1080.0, 2095.0))
    assert made.bring_back("--sister-stack", "DAPI", "DAPI_2") == 0
    motion = made.in_stack(affine.compose(further, MOTIONS[1.0]))
    before, after = corners(made, "DAPI", 1.0), corners(made, "DAPI_2", 1.0)
    np.testing.assert_allclose(after["other_1"], affine.apply(motion, before["other_1"]), atol=1e-6)


def test_a_sister_of_another_resolution_gets_the_motion_in_its_own_pixels(made):
    version = VERSION | {"stackResolutionX": 2.0, "stackResolutionY": 4.0}
    fill(made, "FINE", lambda z: other_tile(z, 1080.0, 2095.0, scale=2.0), version)
    assert made.bring_back("--sister-stack", "FINE", "FINE_2") == 0
    for z in ZS:
        before, after = corners(made, "FINE", z), corners(made, "FINE_2", z)
        expected = 2.0 * affine.apply(made.in_stack(MOTIONS[z]), before[f"other_{z:g}"] / 2.0)
        np.testing.assert_allclose(after[f"other_{z:g}"], expected, atol=1e-6)


def test_a_transform_that_the_person_added_is_part_of_the_motion(made):
    oid = next(patch.oid for patch in made.patches(1.0) if patch.tile_id == "plain_1")
    made.project(1.0).unlink()
    receipt = ("--output", made.root / "out" / "p")
    assert made.command("trakem2_projects", "--registration", made.folder, *receipt) == 0
    path = made.project(1.0)
    path.write_bytes(with_added(path.read_bytes(), oid, "PolynomialTransform2D", pp.POLYNOMIAL))
    made.save(1.0, MOTIONS[1.0])
    fill(made, "DAPI", em_section)
    options = ("--new-transforms", "accept", "--sister-stack", "DAPI", "DAPI_2")
    assert made.bring_back(*options) == 0
    first, second = corners(made, OUTPUT, 1.0), corners(made, "DAPI_2", 1.0)
    for name in first:
        np.testing.assert_allclose(first[name], second[name], atol=1e-6)


def test_a_tile_that_no_em_tile_covers_is_left_out_or_kept(made, capsys):
    fill(
        made,
        "DAPI",
        lambda z: em_section(z) | {TILES: em_section(z)[TILES] | other_tile(z, 9e4, 9e4)[TILES]},
    )
    assert made.bring_back("--sister-stack", "DAPI", "DAPI_2") == 0
    assert "'DAPI': 3 tiles lie on no EM tile; left out." in capsys.readouterr().err
    assert "other_1" not in made.store.section("DAPI_2", 1.0)[TILES]
    options = ("--outside-bounds", "keep", "--sister-stack", "DAPI", "DAPI_3")
    assert made.bring_back(*options) == 0
    before, after = corners(made, "DAPI", 1.0), corners(made, "DAPI_3", 1.0)
    np.testing.assert_allclose(after["other_1"], before["other_1"])


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        (("XX", "OUT"), "there is no stack 'XX'"),
        (("DAPI", OUTPUT), f"'{OUTPUT}' is an input or another output"),
        (("DAPI", "dapi"), "'dapi' is an input or another output"),
        (("OPEN", "OUT"), "the stack 'OPEN' is LOADING"),
    ],
)
def test_a_sister_that_cannot_be_is_told_before_anything_is_written(made, capsys, pair, told):
    fill(made, "DAPI", em_section)
    made.store.create("OPEN", VERSION)
    assert made.bring_back("--sister-stack", *pair) == 1
    assert told in capsys.readouterr().err
    assert made.store.metadata(OUTPUT) is None


def test_an_import_that_stopped_between_two_stacks_is_continued(made, monkeypatch):
    """The same tiles as without the stop, and the EM's stack is not refused as another's."""
    fill(made, "DAPI", em_section)
    calls = []
    upload = type(made.store).upload_section

    def killed(store, stack, z, tiles):
        calls.append(stack)
        if stack == "DAPI_2" and calls.count("DAPI_2") == 2:
            raise KeyboardInterrupt
        return upload(store, stack, z, tiles)

    monkeypatch.setattr(type(made.store), "upload_section", killed)
    with pytest.raises(KeyboardInterrupt):
        made.bring_back("--sister-stack", "DAPI", "DAPI_2")
    assert made.store.metadata("DAPI_2")["state"] == "LOADING"
    monkeypatch.undo()
    assert made.bring_back("--sister-stack", "DAPI", "DAPI_2") == 0
    assert made.store.z_values("DAPI_2") == list(ZS)
    for z in ZS:
        first, second = corners(made, OUTPUT, z), corners(made, "DAPI_2", z)
        for name in first:
            np.testing.assert_allclose(first[name], second[name], atol=1e-6)


def test_sections_that_a_sister_lacks_are_told(made, capsys):
    made.store.create("DAPI", VERSION)
    made.store.upload_section("DAPI", 1.0, em_section(1.0))
    made.store.complete("DAPI")
    assert made.bring_back("--sister-stack", "DAPI", "DAPI_registered") == 0
    assert "'DAPI' has no tiles in the sections z = 2, 3 of the EM" in capsys.readouterr().err
    assert made.store.z_values("DAPI_registered") == [1.0]


def test_a_stack_that_lies_elsewhere_is_no_sister(made, capsys):
    far = {"far": pp.spec("far", pp.leaf("AffineModel2D", "1 0 0 1 90000 90000"))}
    fill(made, "OTHER", lambda z: section(far, z))
    assert made.bring_back("--sister-stack", "OTHER", "OTHER_registered") == 1
    assert "no tile of 'OTHER' lies on a tile of 'EM'" in capsys.readouterr().err
    assert made.store.metadata("OTHER_registered")["state"] == "LOADING"
    assert made.store.metadata(OUTPUT)["state"] == "COMPLETE"


def test_a_name_that_no_stack_can_have_is_refused_before_anything_is_written(made, capsys):
    fill(made, "DAPI", em_section)
    assert made.bring_back("--sister-stack", "DAPI", "DAPI/registered") == 1
    assert "'DAPI/registered' cannot name a stack" in capsys.readouterr().err
    assert made.store.metadata(OUTPUT) is None


def test_a_sister_that_is_being_written_is_taken_only_if_allowed(made, capsys):
    made.store.create("DAPI", VERSION)
    for z in ZS:
        made.store.upload_section("DAPI", z, em_section(z))
    pair = ("--sister-stack", "DAPI", "DAPI_registered")
    assert made.bring_back(*pair) == 1
    assert "'DAPI' is LOADING" in capsys.readouterr().err
    assert made.store.metadata(OUTPUT) is None
    assert made.bring_back(*pair, "--allow-loading") == 0
    assert made.store.z_values("DAPI_registered") == list(ZS)
