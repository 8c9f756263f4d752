"""The part of a random field that is shorter than knots spread over the image can follow.

Its features are made of the covariances with the measured places themselves: exact for any length,
for no more features than measurements. A measurement is the mean over its structure, which hides
most of a wave that is shorter than that; between the places the whole variance is left.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.field.random_field import (
    SMALLEST_FEATURE,
    FeaturesInColumns,
    covariance,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ShortFeatures:
    """The features of a random field of variance 1, of whose means over structure some are known.

    The means are those over n places, as spread as `spread_yx` (n, 2) (px) around `places_yx`.
    Positions (plane, px, px) are relative to the middle of the stack; the plane plays no part.
    """

    places_yx: Floats
    spread_yx: Floats
    length: float
    whitening: Floats

    @classmethod
    def of(cls, positions_zyx: Floats, spread_yx: Floats, length: float) -> "ShortFeatures":
        """Return the features for means around positions (n, 3), and a correlation length (px)."""
        places = positions_zyx[:, 1:]
        values, vectors = np.linalg.eigh(_covariances(places, spread_yx, places, spread_yx, length))
        kept = values > SMALLEST_FEATURE * values[-1]
        return cls(places, spread_yx, length, vectors[:, kept] / np.sqrt(values[kept]))

    @property
    def count(self) -> int:
        """Return how many features q there are."""
        return int(self.whitening.shape[1])

    def at(self, positions_zyx: Floats, spread_yx: Floats | None = None) -> Floats:
        """Return the features (k, q) at positions (k, 3), or their means as `Features.at` does."""
        places = positions_zyx[:, 1:]
        spread = np.zeros_like(places) if spread_yx is None else spread_yx
        return self._covariances(places, spread) @ self.whitening

    def in_columns(
        self, z: Floats, columns_yx: Floats, column: NDArray[np.int64]
    ) -> FeaturesInColumns:
        """Return the features at depths z (k,), in the `column` (k,) of columns (c, 2) of each."""
        shared = self._covariances(columns_yx, np.zeros_like(columns_yx)) @ self.whitening
        return FeaturesInColumns(shared, column, np.ones((len(z), 1)), np.ones(len(z)))

    def averaged(self, positions_zyx: Floats, spread_yx: Floats) -> FeaturesInColumns:
        """Return those of means over some positions each, (k, p, 3), as spread as (k, 2) (px)."""
        count, each, _ = positions_zyx.shape
        every = self.at(positions_zyx.reshape(-1, 3), np.repeat(spread_yx, each, axis=0))
        variance = np.ones((count, each, each))
        for axis in (0, 1):
            places = positions_zyx[..., axis + 1]
            both = 2 * spread_yx[:, axis, None, None] ** 2
            variance *= covariance(places[:, :, None] - places[:, None], self.length, both)
        means = every.reshape(count, each, -1).mean(axis=1)
        return FeaturesInColumns(
            means, np.arange(count), np.ones((count, 1)), variance.mean(axis=(1, 2))
        )

    def summed(self, positions_zyx: Floats, weights: Floats) -> Floats:
        """Return the features at positions (k, 3) times weights (q, j), (k, j)."""
        places = positions_zyx[:, 1:]
        return np.asarray(
            self._covariances(places, np.zeros_like(places)) @ (self.whitening @ weights)
        )

    def _covariances(self, places_yx: Floats, spread_yx: Floats) -> Floats:
        """Return those (k, n) of means around places (k, 2) with the known ones."""
        return _covariances(places_yx, spread_yx, self.places_yx, self.spread_yx, self.length)


def _covariances(
    one: Floats, one_spread: Floats, two: Floats, two_spread: Floats, length: float
) -> Floats:
    """Return the covariances (k, n) of means around places (k, 2) and (n, 2), as spread (px)."""
    result = np.ones((len(one), len(two)))
    for axis in (0, 1):
        both = one_spread[:, axis, None] ** 2 + two_spread[:, axis] ** 2
        result *= covariance(one[:, axis, None] - two[:, axis], length, both)
    return result
