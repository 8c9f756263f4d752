"""Whether the stage slipped sideways between two planes while it imaged one of two stacks.

Neighbouring planes show much of the same, so that it is seen to a few hundredths of a pixel how far
one lies beside the other. Tissue that leans does so in both stacks; where the stage slipped, planes
of one stack lie beside each other otherwise than those of the other that they meet.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.block_grid import seen_by_both
from crossreg.fiducial.correlation.band_pass import gaussian, window
from crossreg.fiducial.correlation.binned_stacks import BIN
from crossreg.fiducial.correlation.light_samples import SharedSamples
from crossreg.fiducial.correlation.transforms import images_of, spectra_of
from crossreg.fiducial.quantiles import median, medians
from crossreg.fiducial.verdict import Slip

Floats = NDArray[np.float64]

SMOOTHED = 0.8
"""Gaussian scale (bins) that correlations are smoothed by, so that noise makes no peaks."""
SURE = 3.0
"""Standard errors, before smoothing, that a correlation exceeds where something is said of it."""
FEWEST_PARTS, FEWEST_BOUNDARIES = 4, 5
"""Parts, and boundaries between planes that both stacks show, below which no slip is told."""
LEAST_SLIP, LEAST_SCATTER = 0.4, 0.02
"""Slip (px) that is told at least, and scatter (px) of planes that did not slip at least."""
RAYLEIGH_MEDIAN = 1.1774
"""Median length of a vector whose two parts are normal variables of standard deviation 1."""
BELIEVED = 8.0
"""Standard deviations of that scatter from which on a slip is believed."""
GROUPS, FEWEST_WITNESSES, OFF = 4, 3, 0.4
"""Groups of parts that are left out one by one, how often the others tell at least, and how far
from a slip, relative to its size, what they say may be: what came, went or moved is in one group.
Of 46 planted slips all were within 0.35, of what only looked like one the best was at 0.56."""
LEFT_OFF = 0.5
"""The same for what is left without the plane on either side: a lone odd plane is no slip."""
LEAST_SHARPNESS = 1e-9
"""Sharpness of a peak at least: planes without image have none."""


@dataclass(frozen=True)
class _Planes:
    """Z planes of a stack in n parts: their `spectra` (n, Z, y, x) and `energies` (n, Z).

    A part has the `shape` (y, x) bins.
    """

    spectra: NDArray[np.complex64]
    energies: Floats
    shape: tuple[int, int]

    @classmethod
    def of(cls, values: NDArray[np.float32]) -> "_Planes":
        """Return those of parts (n, Z, y, x)."""
        shape = values.shape[2], values.shape[3]
        values = values * window(shape).astype(np.float32)
        energies = np.einsum("nzyx,nzyx->nz", values, values).astype(float)
        return cls(spectra_of(values, shape), energies, shape)

    def without_every(self, step: int, first: int) -> "_Planes":
        """Return them without every so many parts, from the first one on."""
        kept = np.arange(len(self.energies)) % step != first
        return _Planes(self.spectra[kept], self.energies[kept], self.shape)

    def beside(self, start: int, stop: int, apart: int) -> Floats:
        """Return how far (n, 2) px planes lie beside those `apart` planes before them.

        NaN where they have too little in common.
        """
        later, sooner = slice(start, stop), slice(start - apart, stop - apart)
        products = (self.spectra[:, later] * np.conj(self.spectra[:, sooner])).sum(axis=0)
        smoothed = products * gaussian(self.shape, SMOOTHED)
        maps = images_of(smoothed, self.shape) * np.sqrt(np.prod(self.shape))
        both = (self.energies[:, later] * self.energies[:, sooner]).sum(axis=0)
        return BIN * _tops(maps, SURE * np.sqrt(both / np.prod(self.shape)))


@dataclass(frozen=True)
class _Pair:
    """The planes of a reference and those of the cycle that they meet."""

    reference: _Planes
    cycle: _Planes

    def slips(self, start: int, stop: int, apart: int = 1) -> Floats:
        """Return how far (n, 2) px planes of the cycle lie beside those `apart` planes before them.

        Beyond what those of the reference do.
        """
        here, there = (stack.beside(start, stop, apart) for stack in (self.reference, self.cycle))
        return there - here

    def without_every(self, step: int, first: int) -> "_Pair":
        """Return it without every so many parts, from the first one on."""
        stacks = self.reference, self.cycle
        return _Pair(*(stack.without_every(step, first) for stack in stacks))


def slip_of_planes(shared: SharedSamples) -> Slip | None:
    """Return the slip between planes of the cycle, or of its reference, if any."""
    planes, of_cycle = shared.here.shape[1], shared.there.shape[1]
    base = round(median(shared.shift_zyx[:, 0]))
    here, there = seen_by_both(slice(0, planes), planes, of_cycle, base)
    count = here.stop - here.start
    if len(shared.here) < FEWEST_PARTS or count <= FEWEST_BOUNDARIES:
        return None
    pair = _Pair(_Planes.of(shared.here[:, here]), _Planes.of(shared.there[:, there]))
    slips = pair.slips(1, count)
    known = np.isfinite(slips[:, 0])
    if known.sum() < FEWEST_BOUNDARIES:
        return None
    usual = medians(slips[known], 0)
    sizes = np.where(known, np.hypot(*(slips - usual).T), 0.0)
    scatter = max(median(sizes[known]) / RAYLEIGH_MEDIAN, LEAST_SCATTER)
    believed = np.flatnonzero(sizes > max(LEAST_SLIP, BELIEVED * scatter))
    for boundary in believed[np.argsort(-sizes[believed])].tolist():
        plane = boundary + 1
        # One plane at an end may be odd by itself, and where little is seen peaks lie anywhere.
        follow = 1 < plane < count - 1 and known[boundary - 1] and known[boundary + 1]
        if follow and _is_shown(pair, plane, slips[boundary], usual):
            return Slip(there.start + plane, float(sizes[boundary]))
    return None


def _is_shown(pair: _Pair, plane: int, slip: Floats, usual: Floats) -> bool:
    """Return whether no one group of parts, and no one plane, makes a slip (2,) before a plane.

    Between other planes the `usual` one was found.
    """

    def off(others: Floats) -> Floats:
        others = others[np.isfinite(others[:, 0])]
        return np.asarray(np.hypot(*(others - slip).T) / np.hypot(*(slip - usual)))

    parts = [pair.without_every(GROUPS, n).slips(plane, plane + 1) for n in range(GROUPS)]
    seen = off(np.concatenate(parts))
    left = off(pair.slips(plane, plane + 2, apart=2))
    is_seen = len(seen) >= FEWEST_WITNESSES and seen.max() < OFF
    return bool(is_seen and len(left) and left.max() < LEFT_OFF)


def _tops(maps: NDArray[np.float32], least: Floats) -> Floats:
    """Return where (n, 2) the highest values of circular maps (n, y, x) lie; NaN below `least`.

    Parabolas through the neighbours tell it between samples.
    """
    shape = maps.shape[1:]
    numbers = np.arange(len(maps))
    top = np.unravel_index(maps.reshape(len(maps), -1).argmax(axis=1), shape)
    highest = maps[numbers, *top]
    result = np.full((len(maps), 2), np.nan)
    for axis, size in enumerate(shape):
        before, after = (
            maps[numbers, *((top[n] + step * (n == axis)) % shape[n] for n in (0, 1))]
            for step in (-1, 1)
        )
        offset = 0.5 * (after - before) / np.maximum(2 * highest - before - after, LEAST_SHARPNESS)
        result[:, axis] = (top[axis] + size // 2) % size - size // 2 + offset
    result[highest <= least] = np.nan
    return result
