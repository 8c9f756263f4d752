"""The motion of each tile as a table, and a user's points mapped through it and back."""

import csv

import numpy as np
import pytest

from crossmodal import planted_project as pp
from crossmodal.planted_registration import Registration, planted_registration
from crossmodal.test_round_trip_of_projects import with_added
from crossreg.crossmodal import affine
from crossreg.crossmodal.check.checked_section import Policy
from crossreg.crossmodal.check.motion.motion_table import TileMap, contains
from crossreg.crossmodal.check.saved_sections import Registration as HandWork
from crossreg.crossmodal.render.stack_store import TILES
from crossreg.crossmodal.render.tile_specs import tile_corners

MOTION = affine.affine([1.01, 0.02, -0.03, 0.99, -12.5, 30.25])


@pytest.fixture
def made(tmp_path) -> Registration:
    made = planted_registration(tmp_path)
    made.save(1.0, MOTION)
    return made


def rows_of(path, delimiter="\t"):
    return list(csv.DictReader(path.read_text().splitlines(), delimiter=delimiter))


def test_the_table_has_a_row_a_tile_in_the_frame_of_the_stack(made):
    made.check()
    rows = rows_of(made.root / "out" / "motions.tsv")
    assert [row["tile"] for row in rows] == ["lens_1", "long_1", "plain_1"]
    section = made.store.section("EM", 1.0)
    for row in rows:
        assert (row["section"], float(row["z"]), row["stack"]) == ("00001", 1.0, "EM")
        matrix = [float(row[key]) for key in ("m00", "m10", "m01", "m11", "m02", "m12")]
        np.testing.assert_allclose(matrix, made.in_stack(MOTION), atol=1e-9)
        corners = tile_corners(section[TILES][row["tile"]], pp.SHARED, row["tile"])
        before = np.array([float(row["before_x"]), float(row["before_y"])])
        np.testing.assert_allclose(before, corners.mean(axis=0), atol=1e-6)
        after = affine.apply(made.in_stack(MOTION), corners)
        np.testing.assert_allclose(
            [float(row["after_x"]), float(row["after_y"])], after.mean(axis=0), atol=1e-6
        )
        assert float(row["moved_px"]) == pytest.approx(np.hypot(*(after - corners).T).max())
        assert float(row["shift_x_nm"]) == pytest.approx(4.0 * float(row["shift_x"]))
        assert float(row["shift_y_nm"]) == pytest.approx(8.0 * float(row["shift_y"]))
        assert float(row["not_affine_px"]) < 1e-6
        for side in ("before", "after"):
            for axis, nm in (("x", 4.0), ("y", 8.0)):
                px = float(row[f"{side}_{axis}"])
                assert float(row[f"{side}_{axis}_nm"]) == pytest.approx(nm * px)


def mapped(made, text, *options):
    (made.root / "points.csv").write_text(text)
    paths = ("--points", made.root / "points.csv", "--output", made.root / "mapped.csv")
    registration = ("--registration", made.folder)
    status = made.command("map_points", *paths, *registration, "--overwrite", *options)
    return status, rows_of(made.root / "mapped.csv", ",") if status == 0 else []


def test_points_are_mapped_and_come_back(made):
    text = "name,stack,z,x,y\na,EM,1,1080.5,2090.25\nb,LM,1,1100,2100\nc,EM,2,1000,2000\n"
    status, rows = mapped(made, text)
    assert status == 0
    point = np.array([[1080.5, 2090.25]])
    expected = affine.apply(made.in_stack(MOTION), point)[0]
    first = rows[0]
    assert (first["name"], first["tile"], first["inside"]) == ("a", "plain_1", "yes")
    np.testing.assert_allclose([float(first["x_mapped"]), float(first["y_mapped"])], expected)
    assert (rows[1]["x_mapped"], rows[1]["y_mapped"]) == ("1100", "2100")
    assert rows[2]["x_mapped"] == "" and rows[2]["inside"] == "no"
    back = f"stack,z,x,y\nEM,1,{first['x_mapped']},{first['y_mapped']}\n"
    _, rows = mapped(made, back, "--back")
    found = [float(rows[0]["x_mapped"]), float(rows[0]["y_mapped"])]
    np.testing.assert_allclose(found, point[0], atol=1e-6)


def test_a_motion_that_is_not_affine_is_mapped_exactly_and_back(made):
    """A polynomial that a person added to a tile is part of its motion."""
    oid = next(patch.oid for patch in made.patches(2.0) if patch.tile_id == "plain_2")
    path = made.project(2.0)
    path.write_bytes(with_added(path.read_bytes(), oid, "PolynomialTransform2D", pp.POLYNOMIAL))
    made.save(2.0, MOTION)
    policy = Policy(new_transforms="accept")
    sections = HandWork(made.folder, made.frozen, policy).sections()
    section = next(section for _, section in sections if section.z == 2.0)
    tile = next(t for t in section.tiles if t.patch.tile_id == "plain_2")
    one = TileMap(tile, made.frozen.origin)
    stage, registered = one.outline(False), one.outline(True)
    np.testing.assert_allclose(one.forwards(stage), registered, atol=1e-9)
    assert np.abs(affine.apply(one.affine, stage) - registered).max() > 1e-3
    random = np.random.default_rng(1)
    points = stage.min(axis=0) + random.uniform(0, 1, (20, 2)) * np.ptp(stage, axis=0)
    np.testing.assert_allclose(one.back(one.forwards(points)), points, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stack,z,x\nEM,1,2\n", "lacks the column 'y'"),
        ("stack,z,x,y\nXX,1,2,3\n", "line 2: there is no stack 'XX' in this registration"),
        ("stack,z,x,y\nEM,1,2,3\nEM,1,two,3\n", "line 3: x is no number"),
        ("stack,z,x,y\nEM,1,2,3\nEM,1,2,inf\n", "line 3: y is no number"),
        ("stack,z,x,y\nEM,1,2,3,4\n", "line 2 has more cells than the first"),
        ("stack;z;x;y\nEM;1;2,5;3\n", "line 2: x is no number"),
        ("stack,z,x,y,tile\nEM,1,2,3,a\n", "has the columns tile already"),
    ],
)
def test_a_table_of_points_that_is_none_is_told_in_one_sentence(made, capsys, text, told):
    assert mapped(made, text)[0] == 1
    message = capsys.readouterr().err
    assert told in message and len(message.splitlines()) == 1


def test_a_point_belongs_to_the_outline_that_holds_it():
    square = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
    for outline in (square, square[::-1]):
        assert contains(outline, np.array([5.0, 9.9]))
        assert not contains(outline, np.array([5.0, 10.1]))
