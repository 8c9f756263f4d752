"""Light that changes with depth in one of two stacks otherwise than in the other.

A cycle that bleaches while it is imaged, or lies deeper, darkens along z. Structure of the depth s
(standard deviation, planes) whose light falls by exp(-g z) looks as if it lay g s**2 planes higher:
0.1 planes in spots, 0.5 in tissue, the same in all blocks, so that nothing contradicts it. Where
both stacks lie and how their light changes is fitted together, so that neither feigns the other.
"""

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.binned_stacks import (
    binned_planes,
    freed_planes,
    weighted_planes,
)
from crossreg.fiducial.correlation.light_samples import (
    LightSamples,
    ShiftsAt,
    light_by_depth,
    samples_at,
    shared_samples,
)
from crossreg.fiducial.evidence.plane_products import ComparedPlanes
from crossreg.fiducial.quantiles import median

Floats = NDArray[np.float64]
Stacks = tuple[NDArray[np.int16], NDArray[np.int16]]

FEWEST_PLANES = 6
"""Planes that a part shows in both stacks, below which it says nothing."""
FEWEST_PARTS = 6
"""Parts below which nothing is said."""
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
SEEN_BY_DEPTH = 12
"""Parts of the cycle that tell at which depth its structure lies."""
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


@dataclass(frozen=True)
class Light:
    """Parts of the reference, and the cycle (Z, Y, X), as they were read.

    `is_interpolated`: planes of the cycle lie between those that were exposed, and share noise.
    """

    of_reference: LightSamples
    cycle: NDArray[np.number]
    is_interpolated: bool = False

    def alike(self, reference: NDArray[np.int16], slope: float, pool: Executor) -> Stacks:
        """Return the binned reference (Z, y, x), and the cycle without such a fading.

        The cycle is freed of what all planes share once it is as bright everywhere. The planes that
        had little light count less in both, as their noise has grown.
        """
        planes = binned_planes(self.cycle, pool)
        planes *= np.exp(slope * np.arange(len(planes), dtype=np.float32))[:, None, None]
        cycle = freed_planes(planes, planes.sum(axis=0), pool)
        return _weighted(reference, slope, pool), _weighted(cycle, slope, pool)

    def by_depth(self, shift_yx: Floats) -> tuple[Floats, Floats]:
        """Return how bright the planes of the reference and of the cycle are (`light_by_depth`).

        The cycle's parts are taken where a shift (px) says, or as near to there as it reaches.
        """
        shown = self.of_reference
        last = np.array(self.cycle.shape[1:]) - shown.size_yx
        first = shown.first_yx[:SEEN_BY_DEPTH] - np.rint(shift_yx).astype(int)
        there = samples_at(self.cycle, np.clip(first, 0, np.maximum(last, 0)), shown.size_yx)
        return light_by_depth(shown.values), light_by_depth(there)

    def fading(self, shifts_zyx_at: ShiftsAt) -> Fading:
        """Return how the cycle's light changes, if it lies about where a field says."""
        compared = _compared(self.of_reference, self.cycle, shifts_zyx_at)
        return _fitted(compared) if compared else Fading()

    def compared_planes(self, shifts_zyx_at: ShiftsAt) -> ComparedPlanes | None:
        """Return what planes of both share with each other; None where that tells nothing.

        That is where no part is in both, or neighbouring planes share noise.
        """
        if self.is_interpolated:
            return None
        shared = shared_samples(self.of_reference, self.cycle, shifts_zyx_at)
        return ComparedPlanes.of(shared) if shared else None


@dataclass(frozen=True)
class _Compared:
    """What n parts of two stacks have in common, plane by plane.

    `products` (n, Z', Z) are those of planes of the cycle and of the reference, `of_reference`
    (n, Z, Z) of its own planes, `of_cycle` (n, Z') of each of the cycle's with itself; `at` (n, Z')
    says where these lie in the reference and `used` (n, Z') which of them count. Of one of two
    planes, neighbouring rows are taken, since noise, which they do not share, would add to the
    products of a plane with itself.
    """

    products: Floats
    of_reference: Floats
    of_cycle: Floats
    at: Floats
    used: NDArray[np.bool_]

    @cached_property
    def parts(self) -> NDArray[np.int64]:
        """Return the numbers of the parts (n, 1, 1), to index with."""
        return np.arange(len(self.at))[:, None, None]

    def slope_of_light(self, away: float) -> float:
        """Return by how much the logarithm of the light falls per plane, matching or not."""
        own = np.diagonal(self.of_reference, axis1=1, axis2=2)
        planes = np.arange(own.shape[1])
        at = self.at + away
        here = np.array([np.interp(to, planes, part) for to, part in zip(at, own, strict=True)])
        one, two = ((part * self.used).sum(axis=0) for part in (here, self.of_cycle))
        lit = np.flatnonzero((one > 0) & (two > 0))
        if len(lit) < FEWEST_PLANES:
            return 0.0
        change, weights = 0.5 * np.log(two[lit] / one[lit]), np.sqrt(one[lit] * two[lit])
        depth = lit - np.average(lit, weights=weights)
        return -float(weights @ (depth * change)) / float(weights @ depth**2)

    def normal_equations(self, slope: float, away: float) -> tuple[Floats, Floats]:
        """Return (matrices (n, p, p), right sides (n, p)) of the fit of the terms, around a guess.

        The mean over the planes is off: what all planes share is the camera's.
        """
        planes = self.of_reference.shape[1]
        at = self.at + away
        first = np.clip(np.floor(at).astype(int), 1, max(planes - 3, 1))
        depth = np.arange(at.shape[1]) - (at.shape[1] - 1) / 2
        light = (np.exp(-slope * depth) * self.used)[..., None]
        value, gradient = _interpolation(at - first)
        terms = np.stack([value, -depth[:, None] * value, gradient], axis=1) * light[:, None]
        near = first[..., None] + np.arange(-1, 3)
        own = self.of_reference[self.parts[..., None], near[..., :, None], near[..., None, :]]
        matrices = np.einsum("npzk,nzkl,nqzl->npq", terms, own, terms, optimize=True)
        shared = self.products[self.parts, np.arange(at.shape[1])[:, None], near]
        right = np.einsum("npzk,nzk->np", terms, shared)
        count = self.used.sum(axis=1)[:, None]
        mean = np.zeros((*terms.shape[:2], planes))
        for step in range(4):
            where = self.parts, np.arange(terms.shape[1])[:, None], near[:, None, :, step]
            np.add.at(mean, where, terms[..., step])
        mean /= count[..., None]
        of_mean = np.einsum("npr,nrs,nqs->npq", mean, self.of_reference, mean, optimize=True)
        with_mean = np.einsum("nz,nzr,npr->np", self.used, self.products, mean, optimize=True)
        return matrices - count[..., None] * of_mean, right - with_mean


def _interpolation(part: Floats) -> tuple[Floats, Floats]:
    """Return the weights (..., 4) of four planes, for what lies a part of a plane after the second.

    Those of its value (Keys 1981), and of its gradient: differences of planes that are two apart,
    which show soft structure best among noise.
    """
    t, t2, t3 = part, part**2, part**3
    value = np.stack([2 * t2 - t - t3, 2 - 5 * t2 + 3 * t3, t + 4 * t2 - 3 * t3, t3 - t2], axis=-1)
    gradient = np.stack([t - 1, -t, 1 - t, t], axis=-1)
    return value / 2, gradient / 2


def _compared(
    reference: LightSamples, cycle: NDArray[np.number], shifts_zyx_at: ShiftsAt
) -> _Compared | None:
    """Return what the parts of a reference and a cycle (Z, Y, X) share; None where that is little.

    They are compared where the cycle shows them whole, moved by whole pixels.
    """
    planes = reference.values.shape[1]
    if min(planes, len(cycle)) < FEWEST_PLANES:
        return None
    shared = shared_samples(reference, cycle, shifts_zyx_at)
    if shared is None or len(shared.here) < FEWEST_PARTS:
        return None
    here, there = shared.here, shared.there
    of_cycle = 2 * np.einsum("nzyx,nzyx->nz", there[..., 1:, :], there[..., :-1, :])
    beside = np.zeros_like(here)
    beside[..., 1:, :] += here[..., :-1, :]
    beside[..., :-1, :] += here[..., 1:, :]
    flat, seen, beside = (part.reshape(*part.shape[:2], -1) for part in (here, there, beside))
    beside = beside.transpose(0, 2, 1)
    depth = np.arange(len(cycle)) + shared.shift_zyx[:, :1]
    places = np.repeat(shared.middle_zyx, len(cycle), axis=0)
    places[:, 0] = depth.ravel()
    at = np.arange(len(cycle)) + shifts_zyx_at(places)[:, 0].reshape(depth.shape)
    shown = [part.any(axis=(0, 2)) for part in (flat, seen)]
    whole = np.interp(at, np.arange(planes), shown[0])
    used = (at >= 1) & (at <= planes - 2) & (whole == 1) & shown[1]
    enough = used.sum(axis=1) >= FEWEST_PLANES
    if enough.sum() < FEWEST_PARTS:
        return None
    products, own = np.matmul(seen, beside), np.matmul(flat, beside)
    parts = (products.astype(float), own.astype(float), of_cycle.astype(float), at, used)
    return _Compared(*(part[enough] for part in parts))


def _fitted(compared: _Compared) -> Fading:
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


def _weighted(stack: NDArray[np.int16], slope: float, pool: Executor) -> NDArray[np.int16]:
    """Return a binned stack (Z, y, x), planes that had less light weighted down."""
    depth = -slope * np.arange(len(stack))
    return weighted_planes(stack, np.exp(depth - depth.max()), pool)
