"""The part of a shift that waves: a random field of waves of about one length.

A Gaussian process whose spectrum is a ring: its covariance swings, as that of a squared exponential
cannot. It is a sum of plane waves, of which a measurement that is the mean over its structure
shows a known part.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.field.random_field import FeaturesInColumns, averaged_features

Floats = NDArray[np.float64]

PERIOD = 1.5
"""Period of the waves' sum, in images: beyond it the field would repeat."""


@dataclass(frozen=True)
class WaveFeatures:
    """The features of a random field of variance 1: cosines and sines of waves (w, 2).

    `vectors` are radians per px, `length` (px) is the correlation length that waves so long have
    near by. Positions (plane, px, px) are relative to the middle of the stack; the plane plays no
    part.
    """

    vectors: Floats
    length: float

    @classmethod
    @lru_cache(maxsize=16)
    def over(cls, image_shape: tuple[int, int], shortest: float, longest: float) -> "WaveFeatures":
        """Return those of waves from the shortest to the longest (px), over an image (Y, X)."""
        steps = 2 * np.pi / (PERIOD * np.array(image_shape))
        most = 2 * np.pi / shortest
        y, x = (np.arange(-np.ceil(most / step), np.ceil(most / step) + 1) * step for step in steps)
        both = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
        size = np.hypot(both[:, 0], both[:, 1])
        is_half = (both[:, 0] > 0) | ((both[:, 0] == 0) & (both[:, 1] > 0))
        kept = is_half & (size <= most) & (size > 2 * np.pi / longest)
        return cls(both[kept], float(np.sqrt(shortest * longest) / (2 * np.pi)))

    @property
    def count(self) -> int:
        """Return how many features q there are."""
        return 2 * len(self.vectors)

    def at(self, positions_zyx: Floats, spread_yx: Floats | None = None) -> Floats:
        """Return the features (n, q) at positions (n, 3), or their means as `Features.at` does."""
        angle = positions_zyx[:, 1:] @ self.vectors.T
        result = np.concatenate([np.cos(angle), np.sin(angle)], axis=1) / np.sqrt(len(self.vectors))
        if spread_yx is not None:
            shown = np.exp(-0.5 * spread_yx**2 @ (self.vectors**2).T)
            result *= np.concatenate([shown, shown], axis=1)
        return np.asarray(result)

    def in_columns(
        self, z: Floats, columns_yx: Floats, column: NDArray[np.int64]
    ) -> FeaturesInColumns:
        """Return the features at depths z (n,), in the `column` (n,) of columns (c, 2) of each."""
        shared = self.at(np.insert(columns_yx, 0, 0.0, axis=1))
        return FeaturesInColumns(shared, column, np.ones((len(z), 1)))

    def averaged(self, positions_zyx: Floats, spread_yx: Floats) -> FeaturesInColumns:
        """Return those of means over some positions each, (n, p, 3), as spread as (n, 2) (px)."""
        return averaged_features(self.at, positions_zyx, spread_yx)

    def summed(self, positions_zyx: Floats, weights: Floats) -> Floats:
        """Return the features at positions (n, 3) times weights (q, k), (n, k)."""
        return np.asarray(self.at(positions_zyx) @ weights)
