"""Where a field lives: the image, its planes, and the depths at which it is measured."""

from collections.abc import Callable
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
    may_change : whether deformation along y and x may change with the depth, however well
        sub-blocks agree with one that does not.

    """

    image_shape: tuple[int, int]
    planes: int
    levels: int = 1
    repeats: float = 1.0
    may_change: bool = False

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


@dataclass(frozen=True)
class Course:
    """How the shift along z changes with the depth, alike over the whole image.

    Attributes
    ----------
    middle : the plane of the reference that others are compared with.
    depths : (m,) those planes.
    away, sigma : (m,) how far the shift there lies from that in the middle, and how surely.

    """

    middle: float
    depths: Floats
    away: Floats
    sigma: Floats

    def terms(self, domain: Domain) -> Floats:
        """Return what the explicit functions (m, p) of a domain are beside those in the middle."""
        above_each_other = np.zeros((len(self.depths) + 1, 3))
        above_each_other[:, 0] = np.append(self.middle, self.depths) - domain.middle_plane
        terms = domain.terms(above_each_other)
        return np.asarray(terms[1:] - terms[0])


def averaged_over_depth(
    function: Callable[[Floats], Floats], positions: Floats, depth_spread: Floats
) -> Floats:
    """Return a function (n, p) of positions (n, 3), its mean over the depths that each stands for.

    `depth_spread` (n,) is their standard deviation (planes).
    """
    if not depth_spread.any():
        return function(positions)
    away = np.column_stack([depth_spread, np.zeros((len(positions), 2))])
    above, below = (function(positions + side * away) for side in (1, -1))
    return (above + below) / 2
