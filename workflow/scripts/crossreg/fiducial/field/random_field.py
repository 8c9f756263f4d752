"""The part of a shift that no explicit function describes: a smooth random field.

It is a field over the plane, and where the deformation changes with the depth, too, further ones
times polynomials of the depth.

A Gaussian process with squared-exponential covariance (Rasmussen and Williams 2006, chapter 4,
doi:10.7551/mitpress/3206.001.0001), written as a weighted sum of features whose weights have a
standard normal prior, so that everything is Bayesian linear regression.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from crossreg.fiducial.field.motion_terms import relative_depth

KNOT_SPACING = 0.85
"""Distance of the knots in correlation lengths: what lies between them is lost by 1 % at most."""
MOST_KNOTS = 16
"""Knots along an axis at most: bounds the cost on large images, at the price of fine detail."""
SMALLEST_FEATURE = 1e-5
"""Variance, relative to the largest, below which a feature is dropped."""


@dataclass(frozen=True)
class FeaturesInColumns:
    """Features (n, d q) at places of which many may lie above each other, which saves work.

    Those of place i are the d products of `factors` (n, d), which change with its depth, with row
    `column` (n,) of `shared` (c, q).
    """

    shared: NDArray[np.float64]
    column: NDArray[np.int64]
    factors: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[np.float64]) -> "FeaturesInColumns":
        """Return features (n, q), each place in a column of its own."""
        count = len(features)
        return cls(features, np.arange(count), np.ones((count, 1)))

    @property
    def changes_with_depth(self) -> bool:
        """Return whether they are those of a field that changes with the depth."""
        return bool(self.factors.shape[1] > 1)

    @property
    def squares(self) -> NDArray[np.float64]:
        """Return the sums (n,) of the squares of each place's features."""
        of_columns = (self.shared**2).sum(axis=1)
        return np.asarray(of_columns[self.column] * (self.factors**2).sum(axis=1))

    def along(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the parts (d, c, m) of the features along vectors (d q, m)."""
        kinds = self.factors.shape[1], self.shared.shape[1], vectors.shape[1]
        return np.asarray(self.shared @ vectors.reshape(kinds))

    def summed(self, parts: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the sums (n, k) of parts (d, c, k) of the features."""
        products = [
            factor[:, None] * part[self.column]
            for factor, part in zip(self.factors.T, parts, strict=True)
        ]
        return np.asarray(sum(products))

    def squares_summed(
        self, parts: NDArray[np.floating], weights: NDArray[np.floating]
    ) -> NDArray[np.floating]:
        """Return the sums (n, k), by weights (m, k), of squares of what `summed` makes of parts."""
        factors = self.factors.T.astype(parts.dtype)
        products = [
            (1 if i == j else 2)
            * (factors[i] * factors[j])[:, None]
            * ((parts[i] * parts[j]) @ weights)[self.column]
            for i, j in combinations_with_replacement(range(len(parts)), 2)
        ]
        return np.asarray(sum(products))


@dataclass(frozen=True)
class Features:
    """The features of a random field of variance 1 on knots (m, 2) with a correlation length (px).

    Positions (plane, px, px) are relative to the middle of the stack; the plane plays no part.
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

    @property
    def count(self) -> int:
        """Return how many features q there are."""
        return int(self.whitening.shape[1])

    def at(self, positions_zyx: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the features (n, q) at positions (n, 3)."""
        return _covariance(positions_zyx[:, 1:], self.knots, self.length) @ self.whitening

    def in_columns(
        self, z: NDArray[np.float64], columns_yx: NDArray[np.float64], column: NDArray[np.int64]
    ) -> FeaturesInColumns:
        """Return the features at depths z (n,), in the `column` (n,) of columns (c, 2) of each."""
        shared = _covariance(columns_yx, self.knots, self.length) @ self.whitening
        return FeaturesInColumns(shared, column, np.ones((len(z), 1)))

    def summed(
        self, positions_zyx: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the features at positions (n, 3) times weights (q, k), (n, k)."""
        covariance = _covariance(positions_zyx[:, 1:], self.knots, self.length)
        return np.asarray(covariance @ (self.whitening @ weights))


@dataclass(frozen=True)
class DeepFeatures:
    """The features of a random field that changes with the depth, in a stack of some planes.

    It is the sum of fields as `plain` describes, of the same size: one for all depths, one times
    the depth (-1 to 1 from end to end), one times the second Legendre polynomial of the depth.
    """

    plain: Features
    planes: int

    @property
    def length(self) -> float:
        """Return the correlation length (px) in the plane."""
        return self.plain.length

    @property
    def count(self) -> int:
        """Return how many features q there are."""
        return 3 * self.plain.count

    def at(self, positions_zyx: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the features (n, q) at positions (n, 3)."""
        along_z = self._along_z(positions_zyx[:, 0])
        parts = along_z[:, :, None] * self.plain.at(positions_zyx)[:, None]
        return parts.reshape(len(positions_zyx), self.count)

    def in_columns(
        self, z: NDArray[np.float64], columns_yx: NDArray[np.float64], column: NDArray[np.int64]
    ) -> FeaturesInColumns:
        """Return the features at depths z (n,), in the `column` (n,) of columns (c, 2) of each."""
        plain = self.plain.in_columns(z, columns_yx, column)
        return replace(plain, factors=self._along_z(z))

    def summed(
        self, positions_zyx: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the features at positions (n, 3) times weights (q, k), (n, k)."""
        polynomials = self._along_z(positions_zyx[:, 0]).T[..., None]
        parts = zip(polynomials, np.split(weights, len(polynomials)), strict=True)
        sums = [values * self.plain.summed(positions_zyx, mine) for values, mine in parts]
        return np.asarray(sum(sums))

    def _along_z(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the polynomials (n, 3) of depths (n,)."""
        return np.asarray(legendre.legvander(relative_depth(z, self.planes), 2))


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
