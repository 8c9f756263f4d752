"""Coordinate transforms agree with TrakEM2's own corners and with independent formulas."""

import base64
import json
import math
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import RBFInterpolator

from crossreg.crossmodal import affine
from crossreg.crossmodal.render.image_boxes import Box, patch_box
from crossreg.crossmodal.render.tile_specs import image_corners
from crossreg.crossmodal.render.transform_data import PREFIX, Transform
from crossreg.crossmodal.render.transforms import affine_of, affine_transform, apply, check_known
from crossreg.crossmodal.trakem2.project_reading import read_project
from crossreg.io.errors import UserError

GRID = np.stack(np.meshgrid(np.linspace(0, 90, 7), np.linspace(0, 60, 5)), axis=-1).reshape(-1, 2)

numbers = st.floats(-1e3, 1e3).map(lambda value: round(value, 6))
maps = st.tuples(numbers, numbers, numbers, numbers, numbers, numbers).filter(
    lambda values: abs(affine.determinant(values)) > 1e-3 * sum(v * v for v in values[:4])
)


def leaf(name: str, data: str) -> Transform:
    return Transform(PREFIX + name, data)


@pytest.mark.parametrize("name", ["demo_in", "demo_saved", "real_saved"])
def test_corners_and_boxes_are_those_of_trakem2(shared_data, name):
    folder = shared_data / "trakem2"
    project = read_project((folder / f"{name}.xml").read_bytes(), name)
    expected = json.loads((folder / f"{name}.corners.json").read_text())["patches"]
    assert len(project.patches) == len(expected)
    for patch, oracle in zip(project.patches, expected, strict=True):
        assert patch.oid == oracle["oid"]
        box = patch_box(patch.transforms, patch.o_width, patch.o_height, patch.mres)
        assert list(box) == oracle["ct_box"]
        corners = image_corners(patch.o_width, patch.o_height)
        found = affine.apply(patch.matrix, apply(patch.transforms, corners) - [box.x, box.y])
        np.testing.assert_allclose(found, oracle["corners"], rtol=0, atol=1e-6)


def test_rigid_and_similarity_turn_from_x_to_y():
    angle = float(np.float32(0.3))
    turned = np.exp(1j * angle) * (GRID @ [1, 1j]) + 5 - 7j
    found = apply([leaf("RigidModel2D", "0.3 5 -7")], GRID) @ [1, 1j]
    np.testing.assert_allclose(found, turned, atol=1e-12)
    factor = complex(np.float32(1.1), np.float32(0.2))
    found = apply([leaf("SimilarityModel2D", "1.1 0.2 5 -7")], GRID) @ [1, 1j]
    np.testing.assert_allclose(found, factor * (GRID @ [1, 1j]) + 5 - 7j, atol=1e-12)


def test_polynomial_has_its_terms_in_the_order_of_the_facts():
    rng = np.random.default_rng(1)
    cx, cy = rng.normal(size=(2, 10))
    x, y = GRID.T
    terms = np.array([x**0, x, y, x**2, x * y, y**2, x**3, x**2 * y, x * y**2, y**3])
    data = " ".join(map(repr, [*cx.tolist(), *cy.tolist()]))
    found = apply([leaf("PolynomialTransform2D", data)], GRID)
    np.testing.assert_allclose(found, np.column_stack((cx @ terms, cy @ terms)), rtol=1e-12)


@pytest.mark.parametrize("compressed", [True, False])
def test_thin_plate_spline_agrees_with_scipy(compressed):
    rng = np.random.default_rng(2)
    source = rng.uniform(0, 100, (8, 2))
    target = source + rng.normal(0, 3, (8, 2))
    spline = RBFInterpolator(source, target, kernel="thin_plate_spline")
    data = spline_data(source, target, compressed)
    found = apply([leaf("ThinPlateSplineTransform", data)], np.vstack((GRID, source)))
    np.testing.assert_allclose(found, np.vstack((spline(GRID), target)), atol=1e-8)


def spline_data(source: np.ndarray, target: np.ndarray, compressed: bool) -> str:
    """Return the data string of the spline through the points, solved here from its equations."""
    n = len(source)
    distance = np.linalg.norm(source[:, None] - source[None], axis=2)
    kernel = np.zeros((n, n))
    kernel[distance > 0] = distance[distance > 0] ** 2 * np.log(distance[distance > 0])
    ones = np.column_stack((np.ones(n), source))
    system = np.block([[kernel, ones], [ones.T, np.zeros((3, 3))]])
    solution = np.linalg.solve(system, np.vstack((target - source, np.zeros((3, 2)))))
    weights, offset, linear = solution[:n].T, solution[n], solution[n + 1 :].T

    def pack(values):
        content = np.concatenate([np.ravel(v) for v in values]).astype(">f8").tobytes()
        text = base64.b64encode(zlib.compress(content) if compressed else content).decode()
        return text if compressed else "@" + text

    texts = pack([linear, offset]), pack([source, weights])
    return f"ThinPlateSplineR2LogR 2 {n} {texts[0]} {texts[1]}"


def test_spline_without_affine_part_keeps_far_points():
    packed = base64.b64encode(zlib.compress(np.array([1, 2, 0, 0], ">f8").tobytes())).decode()
    data = f"ThinPlateSplineR2LogR 2 1 null {packed}"
    np.testing.assert_array_equal(apply([leaf("ThinPlateSplineTransform", data)], GRID), GRID)


def weighted_fit(model: str, p, q, w, at):
    """Return where the weighted least-squares fit of `model` sends `at`, by other means."""
    if model == "translation":
        return at + np.average(q - p, axis=0, weights=w)
    if model == "affine":
        root = np.sqrt(w)[:, None]
        design = np.column_stack((p, np.ones(len(p))))
        return np.append(at, 1) @ np.linalg.lstsq(root * design, root * q, rcond=None)[0]
    pc, qc = np.average(p, axis=0, weights=w), np.average(q, axis=0, weights=w)
    u, s, vt = np.linalg.svd(((p - pc) * w[:, None]).T @ (q - qc))
    sign = np.sign(np.linalg.det(u @ vt))
    rotation = u @ np.diag([1, sign]) @ vt
    scale = (s[0] + sign * s[1]) / (w @ ((p - pc) ** 2).sum(axis=1)) if model != "rigid" else 1.0
    return (at - pc) @ rotation * scale + qc


@pytest.mark.parametrize("model", ["translation", "rigid", "similarity", "affine"])
@pytest.mark.parametrize(("suffix", "tolerance"), [("", 1e-9), ("2", 1e-4)])
def test_moving_least_squares_fits_the_model_at_every_point(model, suffix, tolerance):
    rng = np.random.default_rng(3)
    p = rng.uniform(-10, 100, (9, 2))
    q = p @ [[1.02, 0.05], [-0.04, 0.98]] + [3, -2] + rng.normal(0, 0.5, p.shape)
    w = rng.uniform(0.5, 2, 9)
    rows = " ".join(map(repr, np.column_stack((p, q, w)).ravel().tolist()))
    found = apply([leaf(f"MovingLeastSquaresTransform{suffix}", f"{model} 2 1.5 {rows}")], GRID)
    for point, result in zip(GRID, found, strict=True):
        weight = w / ((p - point) ** 2).sum(axis=1) ** 1.5
        expected = weighted_fit(model, p, q, weight, point)
        np.testing.assert_allclose(result, expected, atol=tolerance)


def test_moving_least_squares_sends_control_points_to_their_targets():
    data = "affine 2 2.0 0 0 5 6 1 10 0 20 1 1 0 10 1 22 1 7 9 8 8 1"
    for suffix in ("", "2"):
        found = apply(
            [leaf(f"MovingLeastSquaresTransform{suffix}", data)], np.array([[10.0, 0], [7, 9]])
        )
        np.testing.assert_array_equal(found, [[20, 1], [8, 8]])


def test_nonlinear_features_are_normalised_monomials_and_a_constant():
    # dim 1: features x, y and the constant 100; means 10 and 20, deviations 2 and 4.
    data = "1 3 1 2 3 4 5 6 10 20 0 2 4 1 640 480"
    found = apply([leaf("NonLinearCoordinateTransform", data)], np.array([[14.0, 28.0]]))
    np.testing.assert_allclose(found, [[1 * 2 + 3 * 2 + 500, 2 * 2 + 4 * 2 + 600]])
    other = apply([Transform("lenscorrection.NonLinearTransform", data)], np.array([[14.0, 28.0]]))
    np.testing.assert_array_equal(found, other)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("HomographyModel2D", "1 0 0", "does not know this class"),
        ("AffineModel2D", "1 0 0 1 5", "5 numbers where 6"),
        ("AffineModel2D", "1 0 0 1 5 nan", "not finite"),
        ("TranslationModel2D", "1 one", "not a number"),
        ("PolynomialTransform2D", "1 2 3 4", "coefficients"),
        ("NonLinearCoordinateTransform", "5 20 1 2", "features"),
        ("NonLinearCoordinateTransform", "5", "too short"),
        ("MovingLeastSquaresTransform", "affine 2 2.0 1 2 3 4 5", "too few"),
        ("MovingLeastSquaresTransform2", "bspline 2 2.0 1 2 3 4 5", "bspline"),
        ("ThinPlateSplineTransform", "ThinPlateSplineR2LogR 2 1 null ????", "unpacked"),
        ("ThinPlateSplineTransform", "ThinPlateSplineR2LogR 2 99999999 null A", "more than"),
    ],
)
def test_unusable_transforms_are_refused_by_tile_and_class(name, data, says):
    with pytest.raises(UserError) as caught:
        check_known([leaf(name, data)], "tile A of stack EM")
    message = str(caught.value)
    assert message.startswith("tile A of stack EM: ") and name in message and says in message


def test_a_packed_spline_cannot_fill_the_memory():
    packed = base64.b64encode(zlib.compress(bytes(50_000_000))).decode()
    with pytest.raises(UserError, match="does not hold 4 numbers"):
        check_known(
            [leaf("ThinPlateSplineTransform", f"ThinPlateSplineR2LogR 2 1 null {packed}")], "tile A"
        )


def test_box_of_a_turned_image_by_hand():
    transforms = (affine_transform((0.0, 1.0, -1.0, 0.0, 0.25, -3.75)),)
    # x' = 0.25 - y for y in 0..79, y' = x - 3.75 for x in 0..99: truncated toward zero.
    assert patch_box(transforms, 100, 80, 32) == Box(-78, -3, 79, 99)


@given(maps, maps)
def test_compose_and_invert_are_those_of_matrices(first, second):
    product = affine.compose(first, second)
    np.testing.assert_allclose(
        affine.apply(product, GRID),
        affine.apply(first, affine.apply(second, GRID)),
        rtol=1e-9,
        atol=1e-3,
    )
    size = max(abs(v) for v in first) * max(abs(v) for v in affine.invert(first))
    back = affine.compose(affine.invert(first), first)
    np.testing.assert_allclose(back, affine.IDENTITY, atol=1e-13 * (1 + size) ** 2)


@given(maps)
def test_split_gives_the_parts_that_make_the_map(matrix):
    parts = affine.split(matrix)
    angle = math.radians(parts.rotation)
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = rotation @ [[1, parts.shear], [0, 1]] @ np.diag([parts.scale_x, parts.scale_y])
    size = max(abs(value) for value in matrix)
    np.testing.assert_allclose(
        linear, [[matrix[0], matrix[2]], [matrix[1], matrix[3]]], atol=1e-9 * size
    )
    assert parts.translation == matrix[4:]
    assert parts.scale == pytest.approx(math.sqrt(abs(affine.determinant(matrix))))
    assert parts.mirrored == (affine.determinant(matrix) < 0)


@given(maps)
def test_an_affine_keeps_every_digit_through_its_data_string(matrix):
    assert affine_of([affine_transform(matrix)]) == tuple(map(float, matrix))


def test_singular_maps_are_refused():
    for matrix in [(1, 2, 2, 4, 0, 0), (0, 0, 0, 0, 1, 1), (1, 0, 0, math.nan, 0, 0)]:
        assert affine.is_singular(matrix)
        with pytest.raises(ValueError):
            affine.invert(matrix)
