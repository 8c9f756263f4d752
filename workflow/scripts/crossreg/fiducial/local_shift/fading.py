"""Light that changes with depth in one of two stacks otherwise than in the other.

A cycle that bleaches while it is imaged, or lies deeper, darkens along z. Structure of the depth s
(standard deviation, planes) whose light falls by exp(-g z) looks as if it lay g s**2 planes higher:
0.1 planes in spots, 0.5 in tissue, the same in all blocks, so that nothing contradicts it. Where
both stacks lie and how their light changes is fitted together, so that neither feigns the other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.local_shift.compared_light import FEWEST_PARTS, ComparedLight
from crossreg.fiducial.quantiles import median

Floats = NDArray[np.float64]

MOST_WEIGHT = 2.0
"""Weight of a part at most, relative to the median: a few bright ones must not rule."""
MOST_ALIKE = 0.95
"""Square of the correlation from which on a fading and a shift look the same: thin layers."""
ROUNDS, DAMPED = 10, 0.6
"""Rounds of the fit at most, and the part of each step that is taken: soft structure among noise
hardly shows its gradient, so that whole steps would run to and fro."""
LARGEST_STEPS, SETTLED = (0.05, 0.5), (2e-4, 2e-3)
"""Changes (of the fading, planes) in a round at most, and those that end the fit."""
FARTHEST = 0.3, 2.0
"""Fading, and distance (planes), beyond which the fit has lost its way."""
LEAST_FADING = 0.004
"""Change (logarithm of the light per plane) below which nothing is made up for: it moves spots by
0.01 planes."""
SURE = 4.0
"""Standard errors from which on a fading, or a distance, is believed."""
LEAST_SHARE = 0.5
"""Part of a fading that the light of the cycle itself shows at least, whether or not it matches:
where a stage slipped, less and less of what it shows matches."""
LIKELY, USUAL_FADING = 0.3, 0.03
"""How many cycles fade otherwise than the reference, and by how much (logarithm of the light per
plane): 40 % of the light over 16 planes. What cannot be measured may be this."""
USUAL_DEPTH = 3.3
"""Square of the depth (planes) of usual spots, where it is not known."""

BRIGHTNESS = 0
"""Number of the first term of the fit; the others are the fading and the distance."""


@dataclass(frozen=True)
class Fading:
    """How the light of a cycle changes along z beside the reference's, and where it lies.

    The logarithm of its light falls by `slope` per plane, to within `slope_sigma`; the cycle lies
    `away` planes from where the field expects it, to within `away_sigma`, whatever its light.
    `depth` is the square of the structure's depth: by how many planes a fading moves it. Where
    nothing can be told, the standard errors are infinite.
    """

    slope: float = 0.0
    slope_sigma: float = np.inf
    away: float = 0.0
    away_sigma: float = np.inf
    depth: float = USUAL_DEPTH

    @property
    def is_clear(self) -> bool:
        """Return whether the light surely changes."""
        return abs(self.slope) > max(LEAST_FADING, SURE * self.slope_sigma)

    def hidden(self, made_up_for: float) -> float:
        """Return how far (planes) the cycle may lie from where it was found.

        That is by a fading beside what was `made_up_for`, or by what contradicts the field.
        """
        left = self.slope - made_up_for
        fading = self.depth * _hidden_fading(left, self.slope_sigma, bool(made_up_for))
        contradicts = abs(self.away) > SURE * self.away_sigma
        return float(np.hypot(fading, self.away if contradicts else 0.0))


def _hidden_fading(slope: float, sigma: float, fades: bool) -> float:
    """Return the root of the mean square of the fading that a cycle may have.

    A cycle fades or it does not (a mixture of two priors); `slope` was measured to within `sigma`.
    """
    both = USUAL_FADING**2 + sigma**2
    if np.isinf(sigma):
        return float(np.sqrt(LIKELY) * USUAL_FADING)
    seen = slope * USUAL_FADING**2 / both
    left = USUAL_FADING**2 * sigma**2 / both
    fits_better = 0.5 * slope**2 * (sigma**-2 - 1 / both)
    against = (1 - LIKELY) / LIKELY * np.sqrt(both) / sigma * np.exp(-fits_better)
    share = 1.0 if fades else 1 / (1 + against)
    return float(np.sqrt(share * (seen**2 + left)))


def fitted_fading(compared: ComparedLight) -> Fading:
    """Return the fading and the distance that explain best what two stacks share.

    Gauss-Newton; the standard errors are those of the jackknife over the parts (Tukey 1958).
    """
    slope = away = 0.0
    depth = USUAL_DEPTH
    for number in range(ROUNDS):
        matrices, right = compared.normal_equations(slope, away)
        energy = matrices[:, 0, 0]
        lit = energy > 0
        if lit.sum() < FEWEST_PARTS:
            return Fading()
        usual = median(energy[lit])
        matrices, right, energy = matrices[lit], right[lit], energy[lit]
        weights = np.minimum(1.0, MOST_WEIGHT * usual / energy)
        matrices, right = matrices * weights[:, None, None], right * weights[:, None]
        whole = matrices.sum(axis=0)
        inner = _inner(whole)
        depth = _depth(inner, int(compared.used.sum(axis=1).max())) if number == 0 else depth
        if not _can_be_told(inner):
            return Fading(depth=depth)
        step = np.clip(_solution(whole, right.sum(axis=0)), *np.outer([-1, 1], LARGEST_STEPS))
        if (np.abs(step) < SETTLED).all():
            break
        slope, away = slope + DAMPED * step[0], away + DAMPED * step[1]
        if abs(slope) > FARTHEST[0] or abs(away) > FARTHEST[1]:
            return Fading(depth=depth)
    without = np.array(
        [
            _solution(whole - matrix, right.sum(axis=0) - side)
            for matrix, side in zip(matrices, right, strict=True)
        ]
    )
    sigma = np.sqrt((len(without) - 1) * without.var(axis=0))
    if np.sign(slope) * compared.slope_of_light(away) < LEAST_SHARE * abs(slope):
        sigma[0] = max(sigma[0], abs(slope))
    return Fading(float(slope), float(sigma[0]), float(away), float(sigma[1]), depth)


def _depth(inner: Floats, planes: int) -> float:
    """Return by how many planes a fading of 1 moves what matches.

    No less than usual spots, and no more than what is as bright in all of the planes.
    """
    moves = inner[0, 1] / inner[1, 1] if inner[1, 1] > 0 else USUAL_DEPTH
    return float(np.clip(moves, USUAL_DEPTH, max(planes**2 / 12, USUAL_DEPTH)))


def _inner(whole: Floats) -> Floats:
    """Return the normal matrix (2, 2) of the fading and the distance, the brightness left free."""
    first = whole[BRIGHTNESS]
    return np.asarray((whole - np.outer(first, first) / first[BRIGHTNESS])[1:, 1:])


def _can_be_told(inner: Floats) -> bool:
    """Return whether the fading and the distance can be told apart."""
    own = np.diagonal(inner)
    return bool(own.min() > 0 and inner[0, 1] ** 2 < MOST_ALIKE * own.prod())


def _solution(whole: Floats, right: Floats) -> Floats:
    """Return the steps (2,) of the fading and of the distance that solve normal equations."""
    brightness, *steps = np.linalg.solve(whole, right)
    return np.asarray(steps / brightness)
