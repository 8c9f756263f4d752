"""Algebra of affine maps of the plane, as tuples of six numbers.

An affine map (a, b, c, d, e, f) sends (x, y) to (a x + c y + e, b x + d y + f). This is the
order of `matrix(...)` in a TrakEM2 project and of the data of an AffineModel2D.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Affine = tuple[float, float, float, float, float, float]
Points = NDArray[np.float64]

IDENTITY: Affine = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)

# A map that flattens one direction to less than this fraction of the other loses the image.
SINGULAR = 1e-9


@dataclass(frozen=True)
class Parts:
    """An affine map as rotation . shear . scale, then translation.

    Its linear part is R(rotation) . [[1, shear], [0, 1]] . diag(scale_x, scale_y). A mirrored
    map has a negative scale_y. `scale` is the square root of the change of area.
    """

    translation: tuple[float, float]
    rotation: float
    """Degrees, from the x axis to the y axis."""
    scale: float
    scale_x: float
    scale_y: float
    shear: float

    @property
    def mirrored(self) -> bool:
        """Whether the map turns the image over."""
        return self.scale_y < 0


def affine(values: Sequence[float]) -> Affine:
    """Return six numbers as an affine map of floats; raise ValueError if they are not six."""
    a, b, c, d, e, f = (float(value) for value in values)
    return a, b, c, d, e, f


def translation(x: float, y: float) -> Affine:
    """Return the map that adds (x, y)."""
    return 1.0, 0.0, 0.0, 1.0, float(x), float(y)


def apply(matrix: Affine, points: Points) -> Points:
    """Return the (N, 2) `points` (x, y) mapped by `matrix`."""
    a, b, c, d, e, f = matrix
    x, y = points[:, 0], points[:, 1]
    return np.column_stack((a * x + c * y + e, b * x + d * y + f))


def lengths(vectors: Points) -> NDArray[np.float64]:
    """Return the lengths (...) of vectors (..., 2: x, y)."""
    return np.asarray(np.hypot(vectors[..., 0], vectors[..., 1]))


def compose(*maps: Affine) -> Affine:
    """Return the product of the maps: the last one is applied first, as matrices are written."""
    product = maps[0]
    for inner in maps[1:]:
        a, b, c, d, e, f = product
        k, m, n, o, p, q = inner
        product = (
            a * k + c * m,
            b * k + d * m,
            a * n + c * o,
            b * n + d * o,
            a * p + c * q + e,
            b * p + d * q + f,
        )
    return product


def determinant(matrix: Affine) -> float:
    """Return the change of area, negative for a mirrored map."""
    a, b, c, d, _, _ = matrix
    return a * d - b * c


def is_singular(matrix: Affine) -> bool:
    """Return whether the map cannot be inverted, or holds a number that is not finite."""
    if not all(math.isfinite(value) for value in matrix):
        return True
    return abs(determinant(matrix)) <= SINGULAR * sum(value * value for value in matrix[:4])


def invert(matrix: Affine) -> Affine:
    """Return the inverse map; raise ValueError if there is none."""
    if is_singular(matrix):
        raise ValueError(f"the matrix {matrix} has no inverse")
    a, b, c, d, e, f = matrix
    area = determinant(matrix)
    return (
        d / area,
        -b / area,
        -c / area,
        a / area,
        (c * f - d * e) / area,
        (b * e - a * f) / area,
    )


def split(matrix: Affine) -> Parts:
    """Return translation, rotation, scale and shear of `matrix`; ValueError if it is singular."""
    if is_singular(matrix):
        raise ValueError(f"the matrix {matrix} flattens the image")
    a, b, c, d, e, f = matrix
    area = determinant(matrix)
    scale_x = math.hypot(a, b)
    return Parts(
        translation=(e, f),
        rotation=math.degrees(math.atan2(b, a)),
        scale=math.sqrt(abs(area)),
        scale_x=scale_x,
        scale_y=area / scale_x,
        shear=(a * c + b * d) / area,
    )


def fit(source: Points, target: Points) -> Affine:
    """Return the affine map that sends `source` to `target`, both (N, 2), by least squares.

    Raises ValueError unless the source holds three points that are not on one line.
    """
    centre, target_centre = source.mean(axis=0), target.mean(axis=0)
    solution, _, rank, _ = np.linalg.lstsq(source - centre, target - target_centre, rcond=None)
    if rank < 2:
        raise ValueError("the points are on one line")
    shift = target_centre - centre @ solution
    return affine([*solution[0], *solution[1], *shift])
