"""The explicit functions of the position that a shift is made of, and how large they may be.

A constant; gradients in the plane (rotation, strain, tilt); along z a gradient and a bend; a
gradient in the plane that changes with z (twist). How large each may be is not known: every
choice of scales is a prior, and the evidence decides between them. The small scales let a stage
that moves rigidly be found rigid, so that little is made up where nothing is measured.
"""

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from crossreg.fiducial.even_choice import evenly_chosen

CONSTANT = 100.0
"""Standard deviation (px) of the constant around the median of the measurements."""
ROTATIONS = (1e-4, 1e-3, 1e-2, 6e-2)
"""Standard deviations (radians) of the rotation, or of the tilt (planes per px): 1e-4 moves the
corners of a field of 1000 px by 0.05 px, 6e-2 is 3.4 degrees."""
STRAINS = (1e-4, 1e-3, 1e-2)
"""Standard deviations (px per px) of strain and change of scale."""
DEPTH_SCALES = (5e-4, 5e-3, 5e-2)
"""Standard deviations (px or planes per plane) of the gradient along z."""
BENDS = (0.0, 0.1, 0.5, 2.0)
"""Standard deviations (px or planes) of the bend along z."""
TWISTS = (0.0, 1e-3, 1e-2)
"""Standard deviations (px per px) of how the gradients differ at the ends of the stack."""
DEGREES = (2, 3, 4, 5)
"""Degrees of the Legendre polynomials along z that make the bend; the standard deviation of their
weights falls as 2 / degree."""
BEYOND_ENDS = 1.2
"""Depth, in half stacks from the middle, from which on the bend stays what it is."""
BEND_ERROR = 0.15
"""Error of each bend, relative to the whole: soft structure as high as its level is drawn to where
it is looked for, and in all sub-blocks of the level alike, so that more of them do not help. With
0.15, 0.2 and 0.25, 0.76, 0.79 and 0.82 of the places in 24 parts of real tissue that bend were
within one sigma along z; with 0.15, 0.22 and 0.3, of the places in 36 stronger bends 0.62, 0.71 and
0.77, and 3.8, 2.3 and 1.6 % beyond 3."""
FIRST_BEND = 4
"""Column of the first bend along z."""
Y_TERM, X_TERM, Z_TERM = 1, 2, 3
"""Columns of the gradients along y, x and z; all further columns change with z, too."""


@dataclass(frozen=True)
class Priors:
    """Choices of priors for p weights: independent normal ones.

    Attributes
    ----------
    means, deviations : (g, p) of each choice.
    log_weights : (g,) how likely each choice is beforehand.

    """

    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    log_weights: NDArray[np.float64]

    def spread(self, most: int) -> "Priors":
        """Return `most` choices at most, spread over all."""
        kept = evenly_chosen(len(self.log_weights), most)
        return Priors(self.means[kept], self.deviations[kept], self.log_weights[kept])


@dataclass(frozen=True)
class Slope:
    """What one component's gradient says about another's: a mean and a standard deviation."""

    mean: float
    deviation: float


def terms(positions_zyx: NDArray[np.float64], planes: int, levels: int) -> NDArray[np.float64]:
    """Return the functions (n, p) at positions (n, 3) relative to the middle of a stack.

    Columns: constant, y, x, z; with several `levels` of sub-blocks also the bends, and the twist
    along y and along x, which one level does not show.
    """
    z, y, x = positions_zyx.T
    plain = [np.ones(len(z)), y, x, z]
    if levels == 1:
        return np.column_stack(plain)
    depth = relative_depth(z, planes)
    bends = [legendre.Legendre.basis(degree)(depth) for degree in DEGREES]
    return np.column_stack([*plain, *bends, depth * y, depth * x])


def relative_depth(z: NDArray[np.float64], planes: int) -> NDArray[np.float64]:
    """Return the depth (n,), -1 to 1 from end to end, of z (n,) relative to the middle plane."""
    return np.clip(z / max((planes - 1) / 2, 1.0), -BEYOND_ENDS, BEYOND_ENDS)


def bend_errors(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviations (p,) of weights (p,) that all sub-blocks of a level share."""
    bends = slice(FIRST_BEND, FIRST_BEND + len(DEGREES))
    errors = np.zeros_like(weights)
    errors[bends] = BEND_ERROR * np.linalg.norm(weights[bends]) * 2.0 / np.array(DEGREES)
    return errors


def constant_prior(levels: int) -> Priors:
    """Return the prior of a motion that is one shift everywhere."""
    deviations = np.zeros((1, 4 if levels == 1 else 6 + len(DEGREES)))
    deviations[0, 0] = CONSTANT
    return Priors(np.zeros_like(deviations), deviations, np.zeros(1))


@lru_cache(maxsize=64)
def smooth_priors(
    axis: int, levels: int, other: Slope | None = None, *, gradient_z: bool = True
) -> Priors:
    """Return the choices of priors for one component (0: z, 1: y, 2: x) of a smooth motion.

    Parameters
    ----------
    axis : int
        The component.
    levels : int
        Depths at which sub-blocks lie. One level shows no bend and no twist.
    other : Slope
        What is known of the gradient of y along x where the component is x, and of x along y where
        it is y. A rotation shows in both with opposite signs, a shear with the same, so that one
        tells of the other.
    gradient_z : bool
        Whether there is a gradient along z.

    """
    bends, twists = (BENDS, TWISTS) if levels > 1 else ((0.0,), (0.0,))
    strains = STRAINS if axis else (0.0,)
    depths = DEPTH_SCALES if gradient_z else (0.0,)
    choices = itertools.product(ROTATIONS, strains, depths, bends, twists)
    rotation, strain, depth, bend, twist = np.array(list(choices)).T
    decay = (2.0 / np.array(DEGREES)) ** 2
    own = np.hypot(rotation, strain) if axis == 0 else strain
    across, mean, weights = _across(rotation, strain, other)
    along_y, along_x = {0: (own, own), 1: (own, across), 2: (across, own)}[axis]
    columns = [np.full(len(own), CONSTANT), along_y, along_x, depth]
    if levels > 1:
        columns += [bend[:, None] * decay, twist, twist]
    deviations = np.column_stack(columns)
    means = np.zeros_like(deviations)
    if axis:
        means[:, X_TERM if axis == 1 else Y_TERM] = mean
    return Priors(means, deviations, weights)


def flat_priors(axis: int, levels: int) -> Priors:
    """Return those of the choices by which a component changes least with the depth."""
    every = smooth_priors(axis, levels)
    along_z = every.deviations[:, Z_TERM:]
    flat = (along_z == along_z.min(axis=0)).all(axis=1)
    return Priors(every.means[flat], every.deviations[flat], every.log_weights[flat])


def _across(
    rotation: NDArray[np.float64], strain: NDArray[np.float64], other: Slope | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (deviations, means, log weights) of a gradient across, given the other component's.

    The two gradients are shear + rotation and shear - rotation, both normal.
    """
    variance = rotation**2 + strain**2
    if other is None:
        return np.sqrt(variance), np.zeros(len(variance)), np.zeros(len(variance))
    covariance = strain**2 - rotation**2
    seen = variance + other.deviation**2
    mean = covariance / seen * other.mean
    log_weights = -0.5 * (other.mean**2 / seen + np.log(seen))
    return np.sqrt(variance - covariance**2 / seen), mean, log_weights
