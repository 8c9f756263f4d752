"""The second look: the correlation of small tiles near their predicted shift.

It is computed on binned stacks, at shifts of whole pixels: the band-pass leaves nothing that
finer sampling would show.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft

from crossreg.fiducial.band_pass import low_pass, taper
from crossreg.fiducial.binned import BIN
from crossreg.fiducial.blocks import seen_by_both

REACH = (3, 4, 4)
"""How far (planes, px, px) around the prediction the correlation is computed."""
STEPS = (1, BIN, BIN)
"""Shifts (planes, px, px) in one sample of a binned stack."""
LEAST_SIZE = 6
"""Edge (bins) below which what both stacks show of a tile holds too little."""
TAPERED_PLANES = 2
"""Planes of the taper at both ends of a stack."""
PLANES_TO_TAPER = 8
"""Planes below which a taper would leave too little."""
LEAST_OVERLAP = 0.1
"""Overlap of the tapers that is made up for at most."""
TAPERED = 4
"""The cosine edge of a tile takes one part in so many of its length."""


@dataclass(frozen=True)
class TileMap:
    """Normalised correlation around a shift `middle_zyx` (planes, px, px).

    `values` (2 * reach + 1 an axis) lies in -1..1. `noise` is its root mean square over all
    shifts, which is what unrelated tiles would show (Bartlett's formula).
    """

    middle_zyx: np.ndarray
    values: np.ndarray
    noise: float


@dataclass(frozen=True)
class TileSpectra:
    """The spectra of a tile in both stacks, both images of `shape` (Z, y, x).

    The cycle's is that of the cycle moved by `moved` (3,) samples. `seen` is the shape of the
    part that both show, and `expected` (3,) samples is the remaining shift at which the tapers
    cover the same structure.
    """

    reference: np.ndarray
    cycle: np.ndarray
    shape: tuple[int, int, int]
    seen: tuple[int, int, int]
    moved: np.ndarray
    expected: np.ndarray


def tile_spectra(
    reference: np.ndarray,
    cycle: np.ndarray,
    tile: tuple[slice, slice],
    expected_zyx: np.ndarray,
) -> TileSpectra | None:
    """Return the spectra of a tile (rows, columns in bins) of two binned stacks (Z, y, x).

    `expected_zyx` (planes, px, px) is the shift that the tile is expected to show. None if both
    show too little of the tile.
    """
    expected = expected_zyx / STEPS
    moved = np.rint(expected).astype(int)
    parts = _common_part(reference, cycle, tile, moved)
    if parts is None:
        return None
    planes = scipy.fft.next_fast_len(max(len(reference), len(cycle)), real=True)
    shape = (planes, *(where.stop - where.start for where in tile))
    rest = expected - moved
    # what the cycle shows of the structure lies at minus the remaining shift: so does its taper
    spectra = (
        _spectrum(part, shape, at) for part, at in zip(parts, (0 * rest, -rest), strict=True)
    )
    return TileSpectra(*spectra, shape, parts[0].shape, moved, rest)


def _common_part(
    reference: np.ndarray,
    cycle: np.ndarray,
    tile: tuple[slice, slice],
    shift_zyx: np.ndarray,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return what both binned stacks show of a tile at a shift (planes, bins, bins).

    None if it is too little.
    """
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


def _spectrum(part: np.ndarray, shape: tuple[int, int, int], offset: np.ndarray) -> np.ndarray:
    """Return the low-passed spectrum of a tapered part (Z, y, x), filled up to `shape`.

    The taper is moved by `offset` (3,) samples. What all planes share is taken off first: it is
    taken off the binned stacks too, but from all planes of each, which are not those that both
    show.
    """
    values = part.astype(np.float32)
    if len(part) >= PLANES_TO_TAPER:
        values -= values.mean(axis=0)
    z, y, x = (
        taper(size, _edge(part.shape, axis), at)
        for axis, (size, at) in enumerate(zip(part.shape, offset, strict=True))
    )
    values *= y[:, None] * x
    values *= z[:, None, None]
    spectrum = scipy.fft.rfftn(values, s=shape)
    spectrum *= low_pass(shape, BIN)
    return spectrum


def tile_map(tile: TileSpectra) -> TileMap | None:
    """Return the correlation of a tile near the shift that is expected; None if it is empty.

    Only the shifts that are wanted are transformed back (the matrix-multiply DFT of
    Guizar-Sicairos et al. 2008). The loss of overlap under the tapers is made up for: it would
    pull the peak to the shift that is expected.
    """
    one, two, shape = tile.reference, tile.cycle, tile.shape
    energy = np.sqrt(_sum_of_squares(one, shape) * _sum_of_squares(two, shape))
    if energy == 0:
        return None
    cross = one * np.conj(two)
    voxels = float(np.prod(shape))
    noise = np.sqrt(_sum_of_squares(cross, shape) / voxels) / energy
    reach = [
        min(r, (size - 1) // 2 * step)
        for r, size, step in zip(REACH, tile.seen, STEPS, strict=True)
    ]
    values = np.matmul(_inverse(shape[1], reach[1], STEPS[1]), cross)
    values = np.tensordot(_inverse(shape[0], reach[0], STEPS[0]), values, axes=(1, 0))
    values = np.matmul(values, _inverse_of_half(shape[2], reach[2], STEPS[2]).T).real
    values /= energy * voxels
    for axis in range(3):
        steps = np.arange(-reach[axis], reach[axis] + 1) / STEPS[axis] - tile.expected[axis]
        shown = np.interp(steps, *_overlap(tile.seen[axis], _edge(tile.seen, axis)))
        values /= shown.reshape([-1 if other == axis else 1 for other in range(3)])
    return TileMap(tile.moved * np.array(STEPS, dtype=float), values, float(noise))


def _edge(shape: tuple[int, ...], axis: int) -> int:
    """Return the length of the taper along an axis."""
    if axis > 0:
        return shape[axis] // TAPERED
    return TAPERED_PLANES if shape[0] >= PLANES_TO_TAPER else 0


@lru_cache(maxsize=256)
def _overlap(size: int, edge: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (shifts, correlation of a taper with itself there), 1 at shift 0."""
    window = taper(size, edge).astype(float)
    full = np.correlate(window, window, mode="full")
    return np.arange(1 - size, size), np.maximum(full / full[size - 1], LEAST_OVERLAP)


@lru_cache(maxsize=256)
def _inverse(size: int, reach: int, step: int) -> np.ndarray:
    """Return the factors (2 * reach + 1, size) of the inverse DFT for -reach..reach steps."""
    return _factors(reach, step, np.fft.fftfreq(size)).astype(np.complex64)


@lru_cache(maxsize=256)
def _inverse_of_half(size: int, reach: int, step: int) -> np.ndarray:
    """Return the same for the half spectrum of a real image, (2 * reach + 1, size // 2 + 1)."""
    factors = _twice(size) * _factors(reach, step, np.fft.rfftfreq(size))
    return factors.astype(np.complex64)


def _factors(reach: int, step: int, frequencies: np.ndarray) -> np.ndarray:
    return np.exp(2j * np.pi * np.outer(np.arange(-reach, reach + 1) / step, frequencies))


def _twice(size: int) -> np.ndarray:
    """Return how often each column of a half spectrum stands in the whole one."""
    columns = np.arange(size // 2 + 1)
    return np.where(columns * 2 % size == 0, 1.0, 2.0)


def _sum_of_squares(spectrum: np.ndarray, shape: tuple[int, int, int]) -> float:
    """Return the sum of the squares of the image whose half spectrum is given (Parseval)."""
    total = 2 * np.vdot(spectrum, spectrum).real
    for column in np.flatnonzero(_twice(shape[2]) == 1):
        total -= np.square(np.abs(spectrum[..., column])).sum()
    return float(total) / float(np.prod(shape))
