"""The shift in XY between two projections."""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from crossreg.fiducial.band_pass import band_pass, taper
from crossreg.fiducial.blocks import block_grid
from crossreg.fiducial.correlation import centred, correlation_map, sub_pixel_peak

LEAST_VOTERS = 4
"""Blocks that have to agree before their vote replaces the correlation of the whole image."""
VOTE_REACH = 16
"""How far (px) a block's shift may lie from the whole image's, rotation and drift included."""
VOTE_SPREAD = 3.0
"""How far (px) a block's shift may lie from the median of all blocks to count."""


@dataclass(frozen=True)
class GlobalShift:
    """The shift of a cycle: what is added to its positions to reach the reference.

    `shift_yx` in px (rows, columns); `error` is the normalised rms difference at the shift
    (0 for equal images, near 1 for unrelated ones) and `diffphase` the phase of the correlation
    there, both as in `skimage.registration.phase_cross_correlation`.
    """

    shift_yx: tuple[float, float]
    error: float
    diffphase: float


def global_shift(
    reference: np.ndarray,
    cycle: np.ndarray,
    *,
    align_by_block: bool = True,
    block_size: int = 256,
    threads: int = 1,
) -> GlobalShift:
    """Return the shift between two projections (Y, X), to a fraction of a pixel.

    With `align_by_block` the whole image's shift is refined by the median of the shifts of
    blocks of `block_size` px; with too few blocks that agree it stays as it is.
    """
    with scipy.fft.set_workers(threads):
        reference, cycle = (_flattened(image) for image in (reference, cycle))
        whole, error = _correlate(reference, cycle, max(reference.shape))
        if align_by_block:
            whole = _vote(reference, cycle, whole, block_size)
    return GlobalShift((float(whole[0]), float(whole[1])), error, 0.0)


def _flattened(image: np.ndarray) -> np.ndarray:
    """Return the image as float32 without its median, NaN as 0."""
    image = np.asarray(image, dtype=np.float32)
    return np.nan_to_num(image - np.nanmedian(image), nan=0.0, posinf=0.0, neginf=0.0)


def _correlate(reference: np.ndarray, cycle: np.ndarray, reach: int) -> tuple[np.ndarray, float]:
    """Return (shift, error) of two images of one shape, the shift at most `reach` px an axis."""
    shape = reference.shape
    weights = band_pass(shape)
    spectra = [scipy.fft.rfft2(image * taper(shape)) * weights for image in (reference, cycle)]
    energy = np.prod([np.linalg.norm(scipy.fft.irfft2(part, s=shape)) for part in spectra])
    correlation = centred(correlation_map(*spectra, shape))
    zero = np.array(shape) // 2
    start = np.maximum(zero - reach, 0)
    near = correlation[tuple(slice(a, z + reach + 1) for a, z in zip(start, zero, strict=True))]
    peak = np.unravel_index(np.argmax(near), near.shape)
    similarity = float(near[peak] / energy) if energy > 0 else 0.0
    shift = sub_pixel_peak(near, tuple(int(at) for at in peak)) + start - zero
    return shift, float(np.sqrt(max(0.0, 1 - similarity**2)))


def _vote(
    reference: np.ndarray, cycle: np.ndarray, whole: np.ndarray, block_size: int
) -> np.ndarray:
    """Return the mean shift of the blocks that agree with their median, or `whole`."""
    base = np.rint(whole).astype(int)
    moved = moved_by(cycle, (base[0], base[1]))
    shifts = []
    for block in block_grid(reference.shape, block_size):
        where = (block.rows, block.columns)
        if np.any(moved[where]) and min(moved[where].shape) > 2 * VOTE_REACH:
            shifts.append(_correlate(reference[where], moved[where], VOTE_REACH)[0] + base)
    if len(shifts) < LEAST_VOTERS:
        return whole
    distance = np.abs(shifts - np.median(shifts, axis=0)).max(axis=1)
    voters = np.array(shifts)[distance < VOTE_SPREAD]
    return voters.mean(axis=0) if len(voters) >= LEAST_VOTERS else whole


def moved_by(image: np.ndarray, shift_yx: tuple[int, int]) -> np.ndarray:
    """Return a copy of an image (..., Y, X) moved by whole pixels; what comes in is 0."""
    moved = np.zeros_like(image)
    into, out = [], []
    for size, shift in zip(image.shape[-2:], shift_yx, strict=True):
        into.append(slice(max(shift, 0), max(size + min(shift, 0), 0)))
        out.append(slice(max(-shift, 0), max(size - max(shift, 0), 0)))
    moved[(..., *into)] = image[(..., *out)]
    return moved
