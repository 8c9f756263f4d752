"""The box of a tile is the one that Render derives from its transforms."""

import pytest

from crossreg.crossmodal.render.tile_specs import tile_bounds
from crossreg.io.errors import UserError

PREFIX = "mpicbg.trakem2.transform."


def leaf(name, data):
    return {"type": "leaf", "className": PREFIX + name, "dataString": data}


def spec(*entries):
    return {"tileId": "t", "width": 100, "height": 50, "transforms": {"specList": list(entries)}}


@pytest.mark.parametrize(
    ("entry", "box"),
    [
        (leaf("AffineModel2D", "2 0 0 3 -10.5 7"), (-10, 7, 190, 157)),
        (leaf("TranslationModel2D", "5.9 -0.5"), (5, 0, 105, 50)),
        (leaf("RigidModel2D", "0.1 50 0"), (45, 0, 150, 60)),
        (leaf("SimilarityModel2D", "0 2 100 0"), (0, 0, 100, 200)),
        ({"type": "ref", "refId": "lens"}, (3, 4, 103, 54)),
        ({"type": "list", "specList": [{"type": "ref", "refId": "lens"}] * 2}, (6, 8, 106, 58)),
    ],
)
def test_affine_models_references_and_lists(entry, box):
    shared = {
        "lens": {"id": "lens", "type": "list", "specList": [leaf("AffineModel2D", "1 0 0 1 3 4")]}
    }
    assert tile_bounds(spec(entry), shared, "tile 't'") == box


def test_transforms_apply_first_to_last():
    moved_then_scaled = spec(
        leaf("AffineModel2D", "1 0 0 1 10 0"), leaf("AffineModel2D", "2 0 0 2 0 0")
    )
    assert tile_bounds(moved_then_scaled, {}, "tile 't'") == (20, 0, 220, 100)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (leaf("HomographyModel2D", "1 0 0"), "HomographyModel2D: TrakEM2 does not know"),
        (leaf("AffineModel2D", "1 0 0 1"), "4 numbers where 6 are needed"),
        (leaf("AffineModel2D", "1 0 0 x 0 0"), "not a number"),
        (leaf("AffineModel2D", "1 0 0 inf 0 0"), "not finite"),
        ({"type": "ref", "refId": "gone"}, "'gone' is not in the stack"),
        ({"type": "ref", "refId": "round"}, "'round' refers to itself"),
        ({"type": "interpolated", "a": {}, "b": {}, "lambda": 0.5}, "'interpolated'"),
    ],
)
def test_what_cannot_be_derived_is_told_with_its_tile(entry, reason):
    shared = {"round": {"type": "list", "specList": [{"type": "ref", "refId": "round"}]}}
    with pytest.raises(UserError, match=f"^tile 't': .*{reason}.*; .*\\.$"):
        tile_bounds(spec(entry), shared, "tile 't'")


def test_a_tile_without_a_size_is_told():
    with pytest.raises(UserError, match="tile 't': width is None"):
        tile_bounds({"tileId": "t"}, {}, "tile 't'")
