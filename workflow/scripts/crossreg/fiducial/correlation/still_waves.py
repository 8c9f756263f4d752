"""Fringes and lattices that lie still on the camera and multiply what two images show.

Light that interferes with itself, or comes through a bundle of fibres, is brighter and darker at
the same places of both images, whatever the specimen does. Such waves stand out of the spectra of
the logarithms of both images, at the same frequencies and with the same phase, while the phase of
everything that moved by a shift d changes by 2 pi k d at the frequency k. They are taken off by a
division, as unevenness of the light is: what they multiply would be drawn to where they are.
"""

import itertools
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.block_grid import evenly_cut, middle_of
from crossreg.fiducial.correlation.band_pass import taper
from crossreg.fiducial.correlation.binned_stacks import (
    BIN,
    SAMPLED,
    BinnedStack,
    binned_plane,
    finite,
    freed_stack,
)
from crossreg.fiducial.correlation.box_mean import box_mean
from crossreg.fiducial.correlation.camera_stripes import without_stripes
from crossreg.fiducial.correlation.transforms import spectra_of
from crossreg.fiducial.quantiles import quantiles

Image = NDArray[np.float32]
Frequency = tuple[float, float]
"""Cycles a px along y and x."""

PART = 256
"""Edge (bins) of the parts of the images in which the amplitude and phase of a wave change little;
waves are looked for in one of them, in the middle."""
DARK, DARKER = 0.01, 1.5
"""Part of the pixels of an image that are darkest, and how much darker no light at all is, over how
far these are below the median: so found, the waves of 24 planted pairs were 0.6 to 1.4 times as
strong as they are."""
LEAST_LIGHT = 1e-6
"""Part of the brightest light below which nothing counts."""
BACKGROUND = 48
"""Edge (px) of the box whose mean is taken off: longer waves draw nothing of spot scale."""
USUAL, CLIP = 0.7, 3.0
"""Heights above this quantile, times this factor, are cut off: the specimen is mostly bright."""
AROUND = 15
"""Frequencies along each axis around one whose mean logarithm says what is usual there."""
EXPONENTIAL = 1.78
"""Mean of the energies of noise over their geometric mean: exp of Euler's constant."""
STANDS_OUT = 20.0
"""How far the energy of a wave is above what is usual around it, in both images: planted fringes
and bundles of fibres reach 30 to 4,000, other patterns and specimens 12 at most."""
SAME_PHASE = 0.25
"""Difference (rad) of the phases in both images up to which they are the same."""
UNSURE_SHIFT, UNSURE_PHASE = 0.4, 0.1
"""Uncertainty (px) of the shift of the images, and of a phase (rad) beside it."""
FEWEST_PERIODS = 4.0
"""What fits less often into an image is no wave: uneven light of real beads fitted 2.8 times."""
TERMS = 4
"""Polynomials along each axis that the amplitude and phase of a wave follow."""
MOST_WAVES = 16
"""Waves at most that are looked for."""
SMALLEST = np.float32(1e-30)
"""Least energy before its logarithm is taken."""


@dataclass(frozen=True)
class _Logarithms:
    """The logarithms of two images (y, x), what has no wave of spot scale apart, cut off."""

    reference: Image
    cycle: Image

    @property
    def spectra(self) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
        """Return the half spectra of both under a window."""
        shape = self.reference.shape
        window = np.multiply.outer(*(taper(size, size // 2) for size in shape))
        return spectra_of(self.reference * window, shape), spectra_of(self.cycle * window, shape)

    @property
    def without_stripes(self) -> "_Logarithms":
        """Return both without rows and columns of the camera, whose spectra stand out, too."""
        return _Logarithms(without_stripes(self.reference), without_stripes(self.cycle))

    def without(self, wave: Image) -> "_Logarithms":
        """Return what is left without a wave (y, x) that both show."""
        return _Logarithms(self.reference - wave, self.cycle - wave)


def without_still_waves(
    reference: BinnedStack, cycle: BinnedStack, shift_yx: tuple[float, float], pool: Executor
) -> tuple[BinnedStack, BinnedStack]:
    """Return two stacks of a few planes without the waves that lie still on the camera of both.

    Others, and those that show no such waves, are returned as they are. `shift_yx` (px) brings the
    cycle to the reference.
    """
    exposed = reference.exposed, cycle.exposed
    if not min(map(len, exposed)) or exposed[0].shape[1:] != exposed[1].shape[1:]:
        return reference, cycle
    one, two = (planes.mean(axis=0) for planes in exposed)
    waves = still_waves(one, two, shift_yx)
    if not waves:
        return reference, cycle
    factor = factor_of_waves(one, two, waves, BIN)
    dark = _darkness(one), _darkness(two)
    return (
        freed_stack((exposed[0] - dark[0]) / factor, pool),
        freed_stack((exposed[1] - dark[1]) / factor, pool),
    )


def projections_without_waves(
    images: Sequence[NDArray[np.number]], shift_yx: tuple[float, float] | None
) -> list[Image] | None:
    """Return two images (Y, X) without the waves that lie still on the camera of both.

    None where there are none, by `still_waves`.
    """
    middle = tuple(middle_of(size, BIN * PART) for size in images[0].shape)
    one, two = (binned_plane(image[middle]) for image in images)
    waves = still_waves(one, two, shift_yx)
    if not waves:
        return None
    one, two = map(finite, images)
    factor = factor_of_waves(one, two, waves, 1)
    return [(one - _darkness(one)) / factor, (two - _darkness(two)) / factor]


def still_waves(
    reference: Image, cycle: Image, shift_yx: tuple[float, float] | None
) -> list[Frequency]:
    """Return the frequencies of the waves that lie still on the camera of two binned images (y, x).

    `shift_yx` (px) brings the cycle to the reference. There are none where the shift is so small
    that they cannot be told from a specimen. Without a shift all waves that have the same phase in
    both images are taken for still.
    """
    middle = tuple(middle_of(size, PART) for size in reference.shape)
    seen = _logarithms(reference[middle], cycle[middle], BIN)
    waves: list[Frequency] = []
    if not _strongest(seen, shift_yx):
        return waves
    seen = seen.without_stripes
    while len(waves) < MOST_WAVES:
        # Once one wave is known to lie still, others need not be by themselves: where the specimen
        # moved by whole periods, they have the phase that they would have on the specimen, too.
        found = _strongest(seen, None if waves else shift_yx)
        if not found:
            break
        waves.append(found)
        seen = seen.without(_wave(seen, found, BIN))
    return waves


def factor_of_waves(reference: Image, cycle: Image, waves: list[Frequency], pixel: int) -> Image:
    """Return the factor (y, x) by which waves multiply two images whose pixels are `pixel` px."""
    factor = np.empty_like(reference)
    parts = (evenly_cut(slice(0, size), -(-size * pixel // (BIN * PART))) for size in factor.shape)
    for part in itertools.product(*parts):
        whole = left = _logarithms(reference[part], cycle[part], pixel).without_stripes
        for wave in waves:
            left = left.without(_wave(left, wave, pixel))
        factor[part] = np.exp(whole.reference - left.reference)
    return factor


def _darkness(image: Image) -> np.float32:
    """Return about the value of an image (y, x) where no light falls."""
    dark, usual = quantiles(image[::SAMPLED, ::SAMPLED], (DARK, 0.5))
    return np.float32(dark - DARKER * (usual - dark))


def _logarithms(reference: Image, cycle: Image, pixel: int) -> _Logarithms:
    """Return the logarithms of two images (y, x) whose pixels are `pixel` px."""
    heights = []
    for image in (reference, cycle):
        light = image - _darkness(image)
        height = np.log(np.maximum(light, np.float32(LEAST_LIGHT) * light.max() + SMALLEST))
        height -= box_mean(height, BACKGROUND // pixel, "symmetric")
        limit = CLIP * quantiles(np.abs(height[::SAMPLED, ::SAMPLED]), (USUAL,))[0]
        heights.append(np.clip(height, -limit, limit))
    return _Logarithms(*heights)


def _strongest(seen: _Logarithms, shift_yx: tuple[float, float] | None) -> Frequency | None:
    """Return the frequency of the still wave of binned images that stands out most.

    None where there is none. Of a specimen that moved by a shift (px), if it is given, the wave
    would have another phase.
    """
    reference, cycle = seen.spectra
    energies = [np.square(np.abs(spectrum)) for spectrum in (reference, cycle)]
    least, mean = np.minimum(*energies), (energies[0] + energies[1]) / 2
    usual = np.exp(box_mean(np.log(mean + SMALLEST), AROUND, "symmetric")) * EXPONENTIAL
    rows, columns = np.nonzero(least > STANDS_OUT * usual)
    height = (least / usual)[rows, columns]
    y = np.fft.fftfreq(seen.reference.shape[0], BIN)[rows]
    x = np.fft.rfftfreq(seen.reference.shape[1], BIN)[columns]
    length = np.hypot(y, x)
    periods = length * BIN * min(seen.reference.shape)
    turned = np.angle(reference[rows, columns] * np.conj(cycle[rows, columns]))
    is_wave = (np.abs(turned) < SAME_PHASE) & (periods > FEWEST_PERIODS)
    if shift_yx is not None:
        moved = turned + 2 * np.pi * (y * shift_yx[0] + x * shift_yx[1])
        unsure = 2 * np.pi * length * UNSURE_SHIFT + UNSURE_PHASE
        is_wave &= np.abs(np.angle(np.exp(1j * moved))) > unsure
    if not is_wave.any():
        return None
    best = np.where(is_wave, height, 0.0).argmax()
    return float(y[best]), float(x[best])


def _wave(seen: _Logarithms, frequency: Frequency, pixel: int) -> Image:
    """Return the wave (y, x) of a frequency that two logarithms share, as it changes slowly.

    Their pixels are `pixel` px.
    """
    both = (seen.reference + seen.cycle) / 2
    y, x = (
        np.exp(-2j * np.pi * cycles * pixel * np.arange(size))[:, None] * _slow(size)
        for cycles, size in zip(frequency, both.shape, strict=True)
    )
    y, x = y.astype(np.complex64), x.astype(np.complex64)
    return np.asarray(2 * np.real(np.conj(y) @ (y.T @ both @ x) @ np.conj(x).T))


@lru_cache(maxsize=16)
def _slow(size: int) -> NDArray[np.float32]:
    """Return the orthonormal polynomials (size, TERMS) along an axis."""
    powers = np.polynomial.legendre.legvander(np.linspace(-1, 1, size), TERMS - 1)
    return np.linalg.qr(powers)[0].astype(np.float32)
