"""The correlation of two images over circular shifts, and its peaks."""

import itertools
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from crossreg.fiducial.block_grid import seen_by_both
from crossreg.fiducial.correlation.band_pass import band_pass, window
from crossreg.fiducial.correlation.peak import sub_pixel_peak
from crossreg.fiducial.correlation.transforms import images_of, spectra_of

BEYOND_OPTICS = 0.4
"""Frequency (cycles per px) from which on spots show nothing: what two images share there is
the camera's pattern, which is the same at all frequencies."""
PROBE_REACH = 2.0
"""How far (px) a peak may lie from where the probes or a field expect it."""


@dataclass(frozen=True)
class Peak:
    """A peak of a correlation: its shift (2,), its height in standard deviations, its place."""

    shift_yx: np.ndarray
    height: float
    index: tuple[int, ...]


@dataclass(frozen=True)
class Correlation:
    """The correlation of two images over circular shifts, without what a camera's pattern adds.

    `spectra` are those of the two images, band-passed. The cycle was moved by `moved_yx` px
    beforehand. `pattern` is the variance of the camera's pattern that the images share.
    """

    values: np.ndarray
    spectra: tuple[np.ndarray, np.ndarray]
    moved_yx: tuple[int, int]
    pattern: float

    @cached_property
    def spread(self) -> float:
        """Return the standard deviation of the correlation; 0 where one of the images is empty."""
        if not all(spectrum.any() for spectrum in self.spectra):
            return 0.0
        return float(np.sqrt(np.vdot(self.values, self.values) / self.values.size))

    def peak(self, near: np.ndarray | None = None) -> Peak:
        """Return the highest peak, of those within PROBE_REACH of the circular shift `near`."""
        if self.spread == 0:
            return Peak(np.zeros(2), 0.0, (0, 0))
        values, size = self.values, np.array(self.values.shape)
        if near is None:
            index = np.array(np.unravel_index(np.argmax(values), values.shape))
        else:
            lowest = np.ceil(near - PROBE_REACH).astype(int)
            steps = np.floor(near + PROBE_REACH).astype(int) - lowest + 1
            rows, columns = (at + np.arange(n) for at, n in zip(lowest, steps, strict=True))
            around = values[rows[:, None] % size[0], columns % size[1]]
            index = (lowest + np.unravel_index(np.argmax(around), around.shape)) % size
        place = int(index[0]), int(index[1])
        shift = sub_pixel_peak(values, place)
        shift = np.where(shift >= size / 2, shift - size, shift)
        return Peak(shift + self.moved_yx, float(values[place]) / self.spread, place)

    def unwrapped(self, peak: Peak, near: np.ndarray | None = None) -> np.ndarray:
        """Return the shift (2,) of a peak: of those that the circular map cannot tell apart.

        It is the one closest to `near`, or else the one under which what both images show of the
        specimen has most in common.
        """
        size = np.array(self.values.shape)
        if near is not None:
            result: np.ndarray = peak.shift_yx + size * np.rint((near - peak.shift_yx) / size)
            return result
        reference, cycle = (images_of(one, self.values.shape) for one in self.spectra)
        wraps = itertools.product((0, -1, 1), repeat=2)
        candidates = [peak.shift_yx + size * wrap for wrap in wraps]
        whole = [np.rint(candidate).astype(int) for candidate in candidates]
        return candidates[np.argmax([np.vdot(reference, moved_by(cycle, one)) for one in whole])]

    def similarity(self, index: tuple[int, ...]) -> float:
        """Return the cosine between the images, pattern included, at a place of the map."""
        # All from the half spectra: the columns between the first and the last count twice.
        size, (reference, cycle) = self.values.shape, self.spectra
        counts = np.full(reference.shape[1], 2.0, dtype=np.float32)
        counts[[0, -1] if size[1] % 2 == 0 else 0] = 1
        norm = np.prod([float(counts @ np.square(np.abs(one)).sum(axis=0)) for one in self.spectra])
        rows, columns = (
            np.exp(2j * np.pi * np.arange(n) * at / whole).astype(np.complex64)
            for n, at, whole in zip(reference.shape, index, size, strict=True)
        )
        cosine = float((rows @ (reference * np.conj(cycle)) @ (columns * counts)).real)
        return float(cosine / np.sqrt(norm)) if norm else 0.0


def correlated(
    reference: np.ndarray,
    cycle: np.ndarray,
    moved_yx: tuple[int, int] = (0, 0),
    pattern: float | None = None,
) -> Correlation:
    """Return the correlation of two flattened images (Y, X) as `all_correlated` does."""
    return all_correlated(reference[None], cycle[None], moved_yx, pattern)[0]


def all_correlated(
    references: np.ndarray,
    cycles: np.ndarray,
    moved_yx: tuple[int, int] = (0, 0),
    pattern: float | None = None,
) -> list[Correlation]:
    """Return the correlations of n pairs of flattened images, each (n, Y, X).

    `moved_yx` is by how much the cycle has been moved beforehand. `pattern` is the variance of
    the camera's pattern, where larger images have shown it; else that of all pairs together.
    """
    shape = references.shape[1:]
    one, two = (
        spectra_of(images * window(shape), shape) * band_pass(shape)
        for images in (references, cycles)
    )
    cross = one * np.conj(two)
    phase = _pattern_phase(shape, moved_yx)
    energy = _energy_of_window(shape) / np.prod(shape)  # as the spectra are scaled
    if pattern is None:
        pattern = _pattern_power(cross.mean(axis=0), shape, phase) / energy
    if pattern:
        cross -= np.float32(pattern * energy) * _squared_band_pass(shape) * phase
    values = images_of(cross, shape)
    return [
        Correlation(*found, moved_yx, pattern)
        for found in zip(values, zip(one, two, strict=True), strict=True)
    ]


@lru_cache(maxsize=16)
def _energy_of_window(shape: tuple[int, int]) -> float:
    return float(np.square(window(shape)).sum())


@lru_cache(maxsize=16)
def _squared_band_pass(shape: tuple[int, int]) -> np.ndarray:
    squared: np.ndarray = np.square(band_pass(shape))
    return squared


@lru_cache(maxsize=16)
def _pattern_phase(shape: tuple[int, int], moved_yx: tuple[int, int]) -> np.ndarray:
    """Return the phases of the shift that a camera's fixed pattern has, once the cycle is moved."""
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    phase = np.exp(2j * np.pi * (rows * moved_yx[0] + columns * moved_yx[1]))
    return phase.astype(np.complex64)


def _pattern_power(cross: np.ndarray, shape: tuple[int, int], phase: np.ndarray) -> float:
    """Return what a camera's fixed pattern adds to all frequencies of a cross spectrum.

    A white pattern adds one positive number, with the phase of the shift that the cycle has been
    moved by. The number is read off where optics transmit nothing, before the band-pass.
    """
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    beyond = np.hypot(rows, columns) > BEYOND_OPTICS
    shared = float(np.vdot(phase * beyond, cross).real)
    return max(shared / float(np.sum(_squared_band_pass(shape), where=beyond)), 0.0)


def moved_by(image: np.ndarray, shift_yx: np.ndarray) -> np.ndarray:
    """Return a copy of an image (Y, X) moved by whole pixels; what comes in is 0."""
    moved = np.zeros_like(image)
    both = [
        seen_by_both(slice(0, size), size, size, int(shift))
        for size, shift in zip(image.shape, shift_yx, strict=True)
    ]
    moved[both[0][0], both[1][0]] = image[both[0][1], both[1][1]]
    return moved
