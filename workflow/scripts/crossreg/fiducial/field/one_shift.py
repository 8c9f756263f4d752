"""One shift for a whole cycle, as unsure as a smooth field through the same measurements."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.field.smooth_field import SmoothField

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class OneShift(SmoothField):
    """A smooth field that gives `one` shift everywhere in place of its own.

    What too few places show is no gradient to go by, but neither does it say that there is none.
    The standard error is that of the one shift where the smooth field is right: its variance and
    the square of how far the two are apart.
    """

    one: SmoothField

    @classmethod
    def of(cls, one: SmoothField, smooth: SmoothField) -> "OneShift":
        """Return the shift of a rigid field, as unsure as a smooth field is of it."""
        return cls(**vars(smooth), one=one)

    def mean_over(self, points_zyx: Floats) -> tuple[Floats, Floats]:
        """Return (shift, sigma), both (n, 3), averaged over points (n, p, 3)."""
        return self._about(self.one.mean_over(points_zyx)[0], *super().mean_over(points_zyx))

    def at(self, positions_zyx: Floats) -> tuple[Floats, Floats]:
        """Return (shift, sigma), both (n, 3), at positions (n, 3); planes, px, px."""
        return self._about(self.one.shift_at(positions_zyx), *super().at(positions_zyx))

    def shift_at(self, positions_zyx: Floats) -> Floats:
        """Return the shift (n, 3) at positions (n, 3): the same everywhere."""
        return self.one.shift_at(positions_zyx)

    @staticmethod
    def _about(one: Floats, shift: Floats, sigma: Floats) -> tuple[Floats, Floats]:
        return one, np.hypot(sigma, shift - one)
