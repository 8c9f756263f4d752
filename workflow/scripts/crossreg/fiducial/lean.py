"""A cycle that leans: its planes are moved back before it is compared, and the lean is added.

The stage, or the specimen, moved sideways while the stack was imaged, alike over the whole image.
"""

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.interpolation import planes_at
from crossreg.fiducial.field.sampled_field import Field

Floats = NDArray[np.float64]

UNSEEN = 0.2
"""Part of a lean that planes may not show: each shows blurred light of its neighbours, too. Of
planted ones they showed 0.7 to 1.0."""
HALF_A_PLANE = 0.5
"""Distance (planes) beyond a plane from which on another one shows what is there."""
UNKNOWN = 0.5
"""Part of what a lean is taken to be beyond the planes that show it, which it may be off there."""


@dataclass(frozen=True)
class Lean:
    """How far planes lie beside the mean of all.

    Attributes
    ----------
    depths : (m,) planes of the reference, increasing.
    by_yx, sigma_yx : (m, 2) what their shift along y and x is beyond the mean, and its standard
        error (px).
    beside_yx : (m, 2) the part of it by which each plane lies beside its neighbours (px): planes
        that tremble one by one. Beyond the first and the last plane the rest goes on as between the
        last two.

    """

    depths: Floats
    by_yx: Floats
    sigma_yx: Floats
    beside_yx: Floats

    def at(self, depths: NDArray[np.floating]) -> Floats:
        """Return the shift (n, 3) that is added at depths (n,)."""
        return self._along(depths, self.by_yx) + self._beyond(depths)

    def sigma_at(self, depths: NDArray[np.floating]) -> Floats:
        """Return the standard error (n, 3) of that."""
        seen = self._along(depths, np.hypot(self.sigma_yx, UNSEEN * self.by_yx))
        known = np.hypot(seen, UNKNOWN * self._beyond(depths))
        # What lies between two planes is seen in both.
        far = np.clip(np.searchsorted(self.depths, depths), 1, len(self.depths) - 1)
        part = (depths - self.depths[far - 1]) / (self.depths[far] - self.depths[far - 1])
        inside = np.sqrt(np.clip(part * (1 - part), 0, None))[:, None]
        unlike = np.zeros((len(depths), 3))
        unlike[:, 1:] = inside * (self.beside_yx[far] - self.beside_yx[far - 1])
        outside = np.maximum(self.depths[0] - depths, depths - self.depths[-1]) > HALF_A_PLANE
        unlike[outside, 1:] = np.sqrt(np.mean(np.square(self.beside_yx), axis=0))
        return np.hypot(known, unlike)

    def mean_over(self, depths: NDArray[np.floating]) -> Floats:
        """Return the mean (3,) of the shifts at depths (n,)."""
        return np.asarray(self.at(depths).mean(axis=0))

    def upright(self, stack: NDArray[Any], shift_z: float, pool: Executor) -> NDArray[Any]:
        """Return a cycle (Z, Y, X), whose planes are `shift_z` before the reference's, without it.

        What a plane does not show has its median.
        """
        shifts = self.at(np.arange(len(stack)) + shift_z)[:, 1:]
        rows, columns = (np.arange(size) for size in stack.shape[1:])

        def places_in(z: int) -> tuple[Floats, Floats]:
            row, column = shifts[z].tolist()
            return rows[:, None] - row, columns - column

        return planes_at(stack, places_in, pool)

    def _along(self, depths: NDArray[np.floating], values_yx: Floats) -> Floats:
        """Return values (m, 2) at depths (n,), as shifts (n, 3) along y and x."""
        columns = [np.interp(depths, self.depths, values) for values in values_yx.T]
        return np.column_stack([np.zeros(len(depths)), *columns])

    def _beyond(self, depths: NDArray[np.floating]) -> Floats:
        """Return how much more (n, 3) it is at depths (n,) beyond those that show it."""
        curve = self.by_yx - self.beside_yx
        ends, steps = (np.diff(values, axis=0)[[0, -1]] for values in (self.depths, curve))
        before = np.minimum(depths - self.depths[0], 0)[:, None] * steps[0] / ends[0]
        after = np.maximum(depths - self.depths[-1], 0)[:, None] * steps[1] / ends[1]
        return np.column_stack([np.zeros(len(depths)), before + after])


@dataclass(frozen=True)
class LeaningField:
    """The field of a cycle from the field of the cycle without its lean."""

    field: Field
    lean: Lean

    def at(self, positions_zyx: Floats) -> tuple[Floats, Floats]:
        """Return (shift, sigma), both (n, 3), at positions (n, 3); planes, px, px."""
        shift, sigma = self.field.at(positions_zyx)
        depths = positions_zyx[:, 0]
        return shift + self.lean.at(depths), np.hypot(sigma, self.lean.sigma_at(depths))
