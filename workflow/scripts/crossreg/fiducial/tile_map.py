"""The second look: the correlation of small tiles of full resolution near their prediction."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft

from crossreg.fiducial.band_pass import band_pass, taper
from crossreg.fiducial.binned import NORMAL_MEDIAN, PLANES_FOR_PATTERN
from crossreg.fiducial.blocks import seen_by_both

REACH = (3, 4, 4)
"""How far (planes, px, px) around the prediction the correlation is computed."""
LEAST_SIZE = 12
"""Edge (px) below which what both stacks show of a tile holds too little."""
TAPERED_PLANES = 2
"""Planes of the taper at both ends of a stack."""
TAPERED = 4
"""The cosine edge of a tile takes one part in so many of its length."""
CLIP = 30.0
"""Standard deviations of the noise above which voxels are cut off: very bright dirt."""


@dataclass(frozen=True)
class TileMap:
    """Normalised correlation around a whole shift.

    `values` (2 * reach + 1 an axis) lies in -1..1; `noise` is its root mean square over all
    shifts, which is what unrelated tiles would show (Bartlett's formula).
    """

    values: np.ndarray
    noise: float


def clip_level(stack: np.ndarray) -> float:
    """Return the height above the background at which the voxels of a stack are cut off."""
    sample = np.nan_to_num(stack[::2, ::4, ::4].astype(np.float32))
    sample -= np.median(sample, axis=(1, 2), keepdims=True)
    spread = float(np.median(np.abs(sample))) / NORMAL_MEDIAN
    return CLIP * spread if spread > 0 else float("inf")


def common_part(
    reference: np.ndarray,
    cycle: np.ndarray,
    tile: tuple[slice, slice],
    shift_zyx: np.ndarray,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return what both stacks show of a tile at a whole shift; None if it is too little."""
    ranges = [
        seen_by_both(where, size, other, int(shift))
        for where, size, other, shift in zip(
            (slice(0, len(reference)), *tile), reference.shape, cycle.shape, shift_zyx, strict=True
        )
    ]
    one, two = (
        stack[tuple(both[place] for both in ranges)]
        for place, stack in enumerate((reference, cycle))
    )
    enough = min(one.shape[1:]) >= LEAST_SIZE and len(one) >= min(2, len(reference))
    return (one, two) if enough else None


def tile_spectrum(part: np.ndarray, clip: float, shape: tuple[int, int, int]) -> np.ndarray:
    """Return the tapered and band-passed spectrum of a part (Z, y, x), filled up to `shape`.

    What all planes share, as the camera's fixed pattern, is taken off first.
    """
    part = np.nan_to_num(part.astype(np.float32))
    if len(part) >= PLANES_FOR_PATTERN:
        part -= part.mean(axis=0)
    else:
        part -= np.median(part[:, ::2, ::2], axis=(1, 2), keepdims=True)
    np.minimum(part, clip, out=part)
    part *= _window(part.shape)
    spectrum = scipy.fft.rfftn(part, s=shape)
    spectrum *= band_pass(shape)
    return spectrum


def tile_map(
    one: np.ndarray,
    two: np.ndarray,
    shape: tuple[int, int, int],
    seen: tuple[int, int, int],
) -> TileMap | None:
    """Return the correlation near shift 0 of two spectra of images of `shape` (Z, y, x).

    `seen` is the shape of the part of them that holds something.

    Only the shifts that are wanted are transformed back (the matrix-multiply DFT of
    Guizar-Sicairos et al. 2008). The loss of overlap under the taper is made up for: it would
    pull the peak to shift 0. None if a part holds nothing.
    """
    energy = np.sqrt(_sum_of_squares(one, shape) * _sum_of_squares(two, shape))
    if energy == 0:
        return None
    cross = one * np.conj(two)
    voxels = float(np.prod(shape))
    noise = np.sqrt(_sum_of_squares(cross, shape) / voxels) / energy
    reach = [min(r, (size - 1) // 2) for r, size in zip(REACH, seen, strict=True)]
    values = np.matmul(_inverse(shape[1], reach[1]), cross)
    values = np.tensordot(_inverse(shape[0], reach[0]), values, axes=(1, 0))
    values = np.matmul(values, _inverse_of_half(shape[2], reach[2]).T).real / (energy * voxels)
    for axis in range(3):
        shown = _overlap(seen[axis], _edge(seen, axis), reach[axis])
        values /= shown.reshape([-1 if other == axis else 1 for other in range(3)])
    return TileMap(values, float(noise))


def _edge(shape: tuple[int, ...], axis: int) -> int:
    """Return the length of the taper along an axis."""
    if axis > 0:
        return shape[axis] // TAPERED
    return TAPERED_PLANES if shape[0] >= PLANES_FOR_PATTERN else 0


@lru_cache(maxsize=64)
def _window(shape: tuple[int, int, int]) -> np.ndarray:
    z, y, x = (taper(size, _edge(shape, axis)) for axis, size in enumerate(shape))
    return z[:, None, None] * y[:, None] * x


@lru_cache(maxsize=256)
def _overlap(size: int, edge: int, reach: int) -> np.ndarray:
    """Return the correlation (2 * reach + 1,) of a taper with itself, 1 at shift 0."""
    window = taper(size, edge).astype(float)
    full = np.correlate(window, window, mode="full")
    return full[size - 1 - reach : size + reach] / full[size - 1]


@lru_cache(maxsize=256)
def _inverse(size: int, reach: int) -> np.ndarray:
    """Return the factors (2 * reach + 1, size) of the inverse DFT for shifts -reach..reach."""
    shifts = np.arange(-reach, reach + 1)
    return np.exp(2j * np.pi * np.outer(shifts, np.fft.fftfreq(size))).astype(np.complex64)


@lru_cache(maxsize=256)
def _inverse_of_half(size: int, reach: int) -> np.ndarray:
    """Return the same for the half spectrum of a real image, (2 * reach + 1, size // 2 + 1)."""
    shifts = np.arange(-reach, reach + 1)
    frequencies = np.fft.rfftfreq(size)
    return (_twice(size) * np.exp(2j * np.pi * np.outer(shifts, frequencies))).astype(np.complex64)


def _twice(size: int) -> np.ndarray:
    """Return how often each column of a half spectrum stands in the whole one."""
    columns = np.arange(size // 2 + 1)
    return np.where(columns * 2 % size == 0, 1.0, 2.0)


def _sum_of_squares(spectrum: np.ndarray, shape: tuple[int, int, int]) -> float:
    """Return the sum of the squares of the image whose half spectrum is given (Parseval)."""
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return float(power.sum(axis=(0, 1), dtype=float) @ _twice(shape[2])) / float(np.prod(shape))
