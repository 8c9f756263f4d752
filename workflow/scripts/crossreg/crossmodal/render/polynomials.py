"""Transforms whose coordinates are polynomials of x and y, as those that correct lenses."""

import math

import numpy as np

from crossreg.crossmodal.affine import Points
from crossreg.crossmodal.render.transform_data import Function, head, integer, numbers

# The last feature of a NonLinearCoordinateTransform is this constant.
NONLINEAR_CONSTANT = 100.0


def read_nonlinear(data: str) -> Function:
    """Return what the data of a NonLinearCoordinateTransform does to points (N, 2).

    Raises ValueError if the data cannot be read.
    """
    (dimension_word, length_word), rest = head(data, 2)
    dimension, length = integer(dimension_word, 1), integer(length_word, 1)
    if length != (dimension + 1) * (dimension + 2) // 2:
        raise ValueError(f"{length} features do not fit the dimension {dimension}")
    values = np.array(numbers(rest, 4 * length + 2))
    beta = values[: 2 * length].reshape(length, 2)
    mean, deviation = values[2 * length : -2].reshape(2, length)
    if (deviation[:-1] == 0).any():
        raise ValueError("the data holds a deviation of 0")
    powers = [(j, i - j) for i in range(1, dimension + 1) for j in range(i, -1, -1)]

    def function(points: Points) -> Points:
        x, y = points[:, 0], points[:, 1]
        result = np.tile(NONLINEAR_CONSTANT * beta[-1], (len(points), 1))
        for k, (i, j) in enumerate(powers):
            feature = (x**i * y**j - mean[k]) / deviation[k]
            result += feature[:, None] * beta[k]
        return result

    return function


def read_polynomial(data: str) -> Function:
    """Return what the data of a PolynomialTransform2D does to points (N, 2).

    Raises ValueError if the data cannot be read.
    """
    words = data.split()
    count = len(words) // 2
    order = (math.isqrt(8 * count + 1) - 3) // 2
    if count < 1 or len(words) % 2 or (order + 1) * (order + 2) // 2 != count:
        raise ValueError(f"{len(words)} numbers are not the coefficients of two polynomials")
    coefficients = np.array(numbers(words)).reshape(2, count)
    powers = [(i - j, j) for i in range(order + 1) for j in range(i + 1)]

    def function(points: Points) -> Points:
        x, y = points[:, 0], points[:, 1]
        result = np.zeros_like(points)
        for (i, j), coefficient in zip(powers, coefficients.T, strict=True):
            result += (x**i * y**j)[:, None] * coefficient
        return result

    return function
