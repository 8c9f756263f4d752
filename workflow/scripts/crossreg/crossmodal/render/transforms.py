"""The coordinate transforms of TrakEM2 and Render: what they do to points.

Every class maps (x, y) in px of the image. A list of transforms is applied first to last.
"""

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine, Points
from crossreg.crossmodal.render.moving_least_squares import read_least_squares
from crossreg.crossmodal.render.polynomials import read_nonlinear, read_polynomial
from crossreg.crossmodal.render.thin_plate_splines import read_spline
from crossreg.crossmodal.render.transform_data import PREFIX, Function, Transform, numbers
from crossreg.io.errors import UserError

AFFINE_CLASS = PREFIX + "AffineModel2D"

# Lens corrections are shared by many tiles; other long data strings are not worth keeping.
CACHED = 256


def check_known(transforms: Sequence[Transform], where: str) -> None:
    """Raise UserError naming `where` (the tile) and the class of a transform that is not usable."""
    for transform in transforms:
        try:
            _function(transform)
        except ValueError as error:
            raise UserError(
                f"{where}: {transform.class_name}: {error}; correct it, or replace it by a"
                " transform that TrakEM2 knows."
            ) from None


def apply(transforms: Sequence[Transform], points: Points) -> Points:
    """Return the (N, 2) points (x, y) after all `transforms`, first to last.

    Raises ValueError if a class is unknown or its data cannot be read; `check_known` says so
    in a sentence for the user.
    """
    points = np.asarray(points, dtype=np.float64)
    for transform in transforms:
        points = _function(transform)(points)
    return points


def is_affine(transform: Transform) -> bool:
    """Return whether the class is one of the affine models."""
    return transform.class_name in _AFFINE_READERS


def affine_of(transforms: Sequence[Transform]) -> Affine:
    """Return the affine map that a list of affine models makes; ValueError if data is wrong."""
    product = affine.IDENTITY
    for transform in transforms:
        product = affine.compose(_affine(transform), product)
    return product


def affine_transform(matrix: Affine) -> Transform:
    """Return `matrix` as an AffineModel2D, each number with the digits that restore it."""
    return Transform(AFFINE_CLASS, " ".join(repr(float(value)) for value in matrix))


def _function(transform: Transform) -> Function:
    if is_affine(transform):
        return functools.partial(affine.apply, _affine(transform))
    return _read_function(transform)


@functools.lru_cache(maxsize=CACHED)
def _read_function(transform: Transform) -> Function:
    reader = _READERS.get(transform.class_name)
    if reader is None:
        raise ValueError("TrakEM2 does not know this class and would drop it")
    return reader(transform.data)


@functools.lru_cache(maxsize=4096)
def _affine(transform: Transform) -> Affine:
    return _AFFINE_READERS[transform.class_name](transform.data)


def _single(value: float) -> float:
    """Return `value` as single precision keeps it."""
    return float(np.float32(value))


def _read_affine(data: str) -> Affine:
    return affine.affine(numbers(data.split(), 6))


def _read_translation(data: str) -> Affine:
    return affine.translation(*numbers(data.split(), 2))


def _read_rigid(data: str) -> Affine:
    angle, x, y = map(_single, numbers(data.split(), 3))
    cos, sin = math.cos(angle), math.sin(angle)
    return cos, sin, -sin, cos, x, y


def _read_similarity(data: str) -> Affine:
    cos, sin, x, y = map(_single, numbers(data.split(), 4))
    return cos, sin, -sin, cos, x, y


_AFFINE_READERS: dict[str, Callable[[str], Affine]] = {
    AFFINE_CLASS: _read_affine,
    PREFIX + "TranslationModel2D": _read_translation,
    PREFIX + "RigidModel2D": _read_rigid,
    PREFIX + "SimilarityModel2D": _read_similarity,
}
_READERS: dict[str, Callable[[str], Function]] = {
    PREFIX + "NonLinearCoordinateTransform": read_nonlinear,
    "lenscorrection.NonLinearTransform": read_nonlinear,
    PREFIX + "PolynomialTransform2D": read_polynomial,
    PREFIX + "ThinPlateSplineTransform": read_spline,
    PREFIX + "MovingLeastSquaresTransform": functools.partial(
        read_least_squares, precision=np.float64
    ),
    PREFIX + "MovingLeastSquaresTransform2": functools.partial(
        read_least_squares, precision=np.float32
    ),
}
