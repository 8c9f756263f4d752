"""The light of a cycle along z beside that of its reference."""

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
    SharedSamples,
    ShiftsAt,
    light_by_depth,
    samples_at,
    shared_samples,
)
from crossreg.fiducial.evidence.depth_of_light import shown_of_depth
from crossreg.fiducial.local_shift.compared_light import compared_light
from crossreg.fiducial.local_shift.fading import Fading, fitted_fading

Floats = NDArray[np.float64]
Stacks = tuple[NDArray[np.int16], NDArray[np.int16]]

SEEN_BY_DEPTH = 12
"""Parts of the cycle that tell at which depth its structure lies."""


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

    @cached_property
    def depth_spread(self) -> float:
        """Return the standard deviation (planes) of the depths of the reference's light."""
        profile = np.maximum(light_by_depth(self.of_reference.values), 0.0)
        if not profile.sum():
            return 0.0
        depths = np.arange(len(profile))
        middle = np.average(depths, weights=profile)
        return float(np.sqrt(np.average((depths - middle) ** 2, weights=profile)))

    @cached_property
    def shown_of_depth(self) -> float:
        """Return the part of a change with the depth that planes of the reference show."""
        return shown_of_depth(self.of_reference.values)

    def fading(self, shifts_zyx_at: ShiftsAt) -> Fading:
        """Return how the cycle's light changes, if it lies about where a field says."""
        shared = self.shared(shifts_zyx_at)
        compared = compared_light(shared, shifts_zyx_at) if shared else None
        return fitted_fading(compared) if compared else Fading()

    def shared(self, shifts_zyx_at: ShiftsAt) -> SharedSamples | None:
        """Return the parts that both show, if the cycle lies where a field says; None if none."""
        if shifts_zyx_at not in self._shared:
            self._shared.clear()
            found = shared_samples(self.of_reference, self.cycle, shifts_zyx_at)
            self._shared[shifts_zyx_at] = found
        return self._shared[shifts_zyx_at]

    @cached_property
    def _shared(self) -> dict[ShiftsAt, SharedSamples | None]:
        """Return what was taken last: several ask for what one field says."""
        return {}


def _weighted(stack: NDArray[np.int16], slope: float, pool: Executor) -> NDArray[np.int16]:
    """Return a binned stack (Z, y, x), planes that had less light weighted down."""
    depth = -slope * np.arange(len(stack))
    return weighted_planes(stack, np.exp(depth - depth.max()), pool)
