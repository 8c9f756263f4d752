"""The box of a tile is the one that Render derives from its transforms."""

import pytest

from crossreg.crossmodal.tile_boxes import tile_bounds
from crossreg.errors import UserError

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
    assert tile_bounds(spec(entry), shared) == box


def test_transforms_apply_first_to_last():
    moved_then_scaled = spec(
        leaf("AffineModel2D", "1 0 0 1 10 0"), leaf("AffineModel2D", "2 0 0 2 0 0")
    )
    assert tile_bounds(moved_then_scaled, {}) == (20, 0, 220, 100)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (leaf("PolynomialTransform2D", "1 0 0"), "PolynomialTransform2D' is no affine model"),
        (leaf("AffineModel2D", "1 0 0 1"), "'1 0 0 1' has too few or too many numbers"),
        (leaf("AffineModel2D", "1 0 0 x 0 0"), "could not convert"),
        (leaf("AffineModel2D", "1 0 0 inf 0 0"), "cannot convert float"),
        ({"type": "ref", "refId": "gone"}, "there is no shared transform 'gone'"),
        ({"type": "ref", "refId": "round"}, "refer to themselves"),
        ({"type": "interpolated", "a": {}, "b": {}, "lambda": 0.5}, "an interpolated transform"),
    ],
)
def test_what_cannot_be_derived_is_told_with_its_tile(entry, reason):
    shared = {"round": {"type": "list", "specList": [{"type": "ref", "refId": "round"}]}}
    with pytest.raises(UserError, match=f"tile 't': its box cannot be derived .*{reason}"):
        tile_bounds(spec(entry), shared)


def test_a_tile_without_a_size_is_told():
    with pytest.raises(UserError, match="it has no 'width'"):
        tile_bounds({"tileId": "t"}, {})
