"""The part of a shift that no explicit function describes: a smooth random field over the plane.

A Gaussian process with squared-exponential covariance (Rasmussen and Williams 2006, chapter 4,
doi:10.7551/mitpress/3206.001.0001), written as a weighted sum of features whose weights have a
standard normal prior, so that everything is Bayesian linear regression.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

KNOT_SPACING = 0.85
"""Distance of the knots in correlation lengths: what lies between them is lost by 1 % at most."""
MOST_KNOTS = 16
"""Knots along an axis at most: bounds the cost on large images, at the price of fine detail."""
SMALLEST_FEATURE = 1e-5
"""Variance, relative to the largest, below which a feature is dropped."""


@dataclass(frozen=True)
class Features:
    """The features of a random field of variance 1 on knots (m, 2) with a correlation length (px).

    Positions are relative to the middle of the image.
    """

    knots: NDArray[np.float64]
    length: float
    whitening: NDArray[np.float64]

    @classmethod
    @lru_cache(maxsize=16)
    def over(cls, image_shape: tuple[int, int], length: float) -> "Features":
        """Return the features over an image (Y, X), and half a correlation length around it."""
        axes = []
        for size in image_shape:
            count = min(MOST_KNOTS, int(np.ceil(size / (KNOT_SPACING * length))) + 2)
            reach = (size + length) / 2
            axes.append(np.linspace(-reach, reach, count))
        knots = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        values, vectors = np.linalg.eigh(_covariance(knots, knots, length))
        kept = values > SMALLEST_FEATURE * values[-1]
        return cls(knots, length, vectors[:, kept] / np.sqrt(values[kept]))

    def at(self, positions_yx: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the features (n, q) at positions (n, 2) in px."""
        return _covariance(positions_yx, self.knots, self.length) @ self.whitening

    def summed(
        self, positions_yx: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the features at positions (n, 2) in px times weights (q, k), (n, k)."""
        values = _covariance(positions_yx, self.knots, self.length) @ (self.whitening @ weights)
        return np.asarray(values)


def correlation_lengths(image_shape: tuple[int, int], wanted: tuple[float, ...]) -> list[float]:
    """Return the wanted correlation lengths (px), none shorter than MOST_KNOTS can show."""
    shortest = max(image_shape) / (KNOT_SPACING * (MOST_KNOTS - 2))
    return sorted({max(length, shortest) for length in wanted})


def _covariance(
    one: NDArray[np.float64], two: NDArray[np.float64], length: float
) -> NDArray[np.float64]:
    squares = (one**2).sum(axis=1)[:, None] + (two**2).sum(axis=1) - 2 * one @ two.T
    result: np.ndarray = np.exp(-0.5 * np.maximum(squares, 0) / length**2)
    return result
