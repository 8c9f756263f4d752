"""Where a field lives: the image, its planes, and the depths at which it is measured."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.field import motion_terms

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Domain:
    """Where the field lives.

    Attributes
    ----------
    image_shape : (Y, X) in px.
    planes : planes of the stack.
    levels : depths at which sub-blocks are measured.
    repeats : how often a plane counts: more than once where the levels overlap.

    """

    image_shape: tuple[int, int]
    planes: int
    levels: int = 1
    repeats: float = 1.0

    @property
    def middle_plane(self) -> float:
        """Return the plane in the middle of the stack."""
        return (self.planes - 1) / 2

    @property
    def middle_zyx(self) -> Floats:
        """Return the middle (3,) of the stack: plane, px, px."""
        return np.asarray((np.array([self.planes, *self.image_shape]) - 1) / 2)

    def relative(self, positions_zyx: Floats) -> Floats:
        """Return positions (n, 3) relative to the middle; z in planes, y and x in px."""
        return positions_zyx - self.middle_zyx

    def terms(self, relative_zyx: Floats) -> Floats:
        """Return the explicit functions (n, p) at positions (n, 3) relative to the middle."""
        return motion_terms.terms(relative_zyx, self.planes, self.levels)
