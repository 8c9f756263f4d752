"""The part of a shift that no explicit function describes: a smooth random field.

It is a field over the plane, and where the deformation changes with the depth, too, further ones
times polynomials of the depth.

A Gaussian process with squared-exponential covariance (Rasmussen and Williams 2006, chapter 4,
doi:10.7551/mitpress/3206.001.0001), written as a weighted sum of features whose weights have a
standard normal prior, so that everything is Bayesian linear regression.
"""

from collections.abc import Callable
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
    `column` (n,) of `shared` (c, q). `variance` (n,) is that of the whole random field where it is
    more than the sum of their squares.
    """

    shared: NDArray[np.float64]
    column: NDArray[np.int64]
    factors: NDArray[np.float64]
    variance: NDArray[np.float64] | None = None

    @property
    def changes_with_depth(self) -> bool:
        """Return whether they are those of a field that changes with the depth."""
        return bool(self.factors.shape[1] > 1)

    @property
    def squares(self) -> NDArray[np.float64]:
        """Return the variance (n,) of the random field: of features, the sums of the squares."""
        if self.variance is not None:
            return self.variance
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
    """The features of a random field of variance 1 with a correlation length (px).

    They are products of some along y and some along x, which `whitening` makes of the covariances
    with `knots` along y and x; `kept` (q,) are the numbers of those products that matter. Positions
    (plane, px, px) are relative to the middle of the stack; the plane plays no part.
    """

    knots: tuple[NDArray[np.float64], NDArray[np.float64]]
    length: float
    whitening: tuple[NDArray[np.float64], NDArray[np.float64]]
    kept: NDArray[np.int64]

    @classmethod
    @lru_cache(maxsize=16)
    def over(cls, image_shape: tuple[int, int], length: float) -> "Features":
        """Return the features over an image (Y, X), and half a correlation length around it.

        The covariance is a product of one along y and one along x: so are its eigenvectors.
        """
        knots, sizes, whitening = [], [], []
        for size in image_shape:
            count = min(MOST_KNOTS, int(np.ceil(size / (KNOT_SPACING * length))) + 2)
            reach = (size + length) / 2
            along = np.linspace(-reach, reach, count)
            values, vectors = np.linalg.eigh(covariance(along[:, None] - along, length))
            largest = values > SMALLEST_FEATURE * values[-1]
            knots.append(along)
            sizes.append(values[largest])
            whitening.append(vectors[:, largest] / np.sqrt(values[largest]))
        both = np.outer(*sizes)
        kept = np.flatnonzero(both > SMALLEST_FEATURE * both[-1, -1])
        return cls((knots[0], knots[1]), length, (whitening[0], whitening[1]), kept)

    @property
    def count(self) -> int:
        """Return how many features q there are."""
        return len(self.kept)

    def at(
        self, positions_zyx: NDArray[np.float64], spread_yx: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return the features (n, q) at positions (n, 3).

        With `spread_yx` (n, 2) their means over normal distributions around the positions, of these
        standard deviations (px).
        """
        y, x = self._along(positions_zyx[:, 1:], spread_yx)
        rows, columns = np.divmod(self.kept, x.shape[1])
        return np.asarray(y[:, rows] * x[:, columns])

    def in_columns(
        self, z: NDArray[np.float64], columns_yx: NDArray[np.float64], column: NDArray[np.int64]
    ) -> FeaturesInColumns:
        """Return the features at depths z (n,), in the `column` (n,) of columns (c, 2) of each."""
        shared = self.at(np.insert(columns_yx, 0, 0.0, axis=1))
        return FeaturesInColumns(shared, column, np.ones((len(z), 1)))

    def averaged(
        self, positions_zyx: NDArray[np.float64], spread_yx: NDArray[np.float64]
    ) -> FeaturesInColumns:
        """Return those of means over some positions each, (n, p, 3), as spread as (n, 2) (px)."""
        return averaged_features(self.at, positions_zyx, spread_yx)

    def summed(
        self, positions_zyx: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the features at positions (n, 3) times weights (q, k), (n, k)."""
        y, x = self._along(positions_zyx[:, 1:])
        count = weights.shape[1]
        every = np.zeros((y.shape[1] * x.shape[1], count))
        every[self.kept] = weights
        parts = (y @ every.reshape(y.shape[1], -1)).reshape(len(y), x.shape[1], count)
        return np.asarray((x[:, None] @ parts)[:, 0])

    def _along(
        self, positions_yx: NDArray[np.float64], spread_yx: NDArray[np.float64] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the factors (n, q_y) and (n, q_x) whose products are the features."""
        squares = 0.0 if spread_yx is None else spread_yx.T[..., None] ** 2
        away = (positions_yx[:, axis, None] - self.knots[axis] for axis in (0, 1))
        y, x = (
            covariance(distance, self.length, along) @ whitening
            for distance, along, whitening in zip(
                away,
                np.broadcast_to(squares, (2, len(positions_yx), 1)),
                self.whitening,
                strict=True,
            )
        )
        return y, x


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

    def at(
        self,
        positions_zyx: NDArray[np.float64],
        spread_yx: NDArray[np.float64] | None = None,
        depth_spread: NDArray[np.float64] | float = 0.0,
    ) -> NDArray[np.float64]:
        """Return the features (n, q) at positions (n, 3), or their means as `Features.at` does.

        `depth_spread` (n,) is the standard deviation (planes) of the depths of these.
        """
        z = positions_zyx[:, 0]
        along_z = 0.5 * (self._along_z(z + depth_spread) + self._along_z(z - depth_spread))
        parts = along_z[:, :, None] * self.plain.at(positions_zyx, spread_yx)[:, None]
        return parts.reshape(len(positions_zyx), self.count)

    def in_columns(
        self, z: NDArray[np.float64], columns_yx: NDArray[np.float64], column: NDArray[np.int64]
    ) -> FeaturesInColumns:
        """Return the features at depths z (n,), in the `column` (n,) of columns (c, 2) of each."""
        plain = self.plain.in_columns(z, columns_yx, column)
        return replace(plain, factors=self._along_z(z))

    def averaged(
        self, positions_zyx: NDArray[np.float64], spread_yx: NDArray[np.float64]
    ) -> FeaturesInColumns:
        """Return those of means over some positions each, (n, p, 3), as spread as (n, 2) (px)."""
        return averaged_features(self.at, positions_zyx, spread_yx)

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


def averaged_features(
    at: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
    positions_zyx: NDArray[np.float64],
    spread_yx: NDArray[np.float64],
) -> FeaturesInColumns:
    """Return the means of features over some positions each, (n, p, 3)."""
    count, each, _ = positions_zyx.shape
    every = at(positions_zyx.reshape(-1, 3), np.repeat(spread_yx, each, axis=0))
    means = every.reshape(count, each, -1).mean(axis=1)
    return FeaturesInColumns(means, np.arange(count), np.ones((count, 1)))


def covariance(
    away: NDArray[np.float64], length: float, spread: NDArray[np.float64] | float = 0.0
) -> NDArray[np.float64]:
    """Return the covariance, along an axis, of values that lie `away` (px) from each other.

    Where they are means over normal distributions, `spread` is the sum of the variances of these.
    """
    squares = length**2 + spread
    return np.asarray(length / np.sqrt(squares) * np.exp(-0.5 * away**2 / squares))
