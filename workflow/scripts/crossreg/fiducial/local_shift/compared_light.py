"""What parts of two stacks have in common, plane by plane, whatever their light along z."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.light_samples import SharedSamples, ShiftsAt

Floats = NDArray[np.float64]

FEWEST_PLANES = 6
"""Planes that a part shows in both stacks, below which it says nothing."""
FEWEST_PARTS = 6
"""Parts below which nothing is said."""


@dataclass(frozen=True)
class ComparedLight:
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


def compared_light(shared: SharedSamples, shifts_zyx_at: ShiftsAt) -> ComparedLight | None:
    """Return what the parts that a reference and a cycle share have in common; None if little.

    `shifts_zyx_at` gives the shifts (n, 3) at positions (n, 3) by which they were taken.
    """
    here, there = shared.here, shared.there
    planes, planes_there = here.shape[1], there.shape[1]
    if min(planes, planes_there) < FEWEST_PLANES or len(here) < FEWEST_PARTS:
        return None
    of_cycle = 2 * np.einsum("nzyx,nzyx->nz", there[..., 1:, :], there[..., :-1, :])
    beside = np.zeros_like(here)
    beside[..., 1:, :] += here[..., :-1, :]
    beside[..., :-1, :] += here[..., 1:, :]
    flat, seen, beside = (part.reshape(*part.shape[:2], -1) for part in (here, there, beside))
    beside = beside.transpose(0, 2, 1)
    depth = np.arange(planes_there) + shared.shift_zyx[:, :1]
    places = np.repeat(shared.middle_zyx, planes_there, axis=0)
    places[:, 0] = depth.ravel()
    at = np.arange(planes_there) + shifts_zyx_at(places)[:, 0].reshape(depth.shape)
    shown = [part.any(axis=(0, 2)) for part in (flat, seen)]
    whole = np.interp(at, np.arange(planes), shown[0])
    used = (at >= 1) & (at <= planes - 2) & (whole == 1) & shown[1]
    enough = used.sum(axis=1) >= FEWEST_PLANES
    if enough.sum() < FEWEST_PARTS:
        return None
    products, own = np.matmul(seen, beside), np.matmul(flat, beside)
    parts = (products.astype(float), own.astype(float), of_cycle.astype(float), at, used)
    return ComparedLight(*(part[enough] for part in parts))
