"""The shift in XY between two projections."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.ndimage
from threadpoolctl import threadpool_limits

from crossreg.fiducial.band_pass import band_pass, taper
from crossreg.fiducial.blocks import Block, block_grid, centre_yx, seen_by_both
from crossreg.fiducial.consensus import affine_fit, agreeing_blocks
from crossreg.fiducial.peak import sub_pixel_peak

FLATTENED = 33
"""Edge (px) of the box whose mean is taken off every pixel: ten spots wide."""
CLIP = 8.0
"""Standard deviations of the noise above which pixels are cut off: a few very bright spots or
pieces of dirt must not outweigh all others."""
NORMAL_MEDIAN = 0.6745
"""Median of the absolute value of a normal variable of standard deviation 1."""
TAPERED = 8
"""The cosine edge of an image takes one part in so many of its length."""
BEYOND_OPTICS = 0.4
"""Frequency (cycles per px) from which on spots show nothing: what two images share there is
the camera's pattern, which is the same at all frequencies."""
LEAST_HEIGHT = 5.0
"""Height of a block's peak (standard deviations) from which on it votes."""
LEAST_VOTERS = 4
"""Blocks that have to agree before their vote replaces the correlation of the whole image."""
LARGEST_VOTER = 128
"""Edge (px) of the largest block that votes: rotation blurs the peak of a larger one, so larger
blocks are cut into parts that vote."""
PROBES = 6
"""Probes along the longer axis of an image: parts that are looked for in the whole cycle."""
SMALLEST_PROBE = 64
"""Edge (px) of the smallest probe."""
PROBE_REACH = 2.0
"""How far (px) the peak of the whole images may lie from where the probes agree."""


@dataclass(frozen=True)
class GlobalShift:
    """The shift of a cycle: what is added to its positions to reach the reference.

    `shift_yx` in px (rows, columns); `error` is the normalised rms difference at the shift
    (0 for equal images, near 1 for unrelated ones) and `diffphase` the phase of the correlation
    there, 0 for images without negative contrast: both as in
    `skimage.registration.phase_cross_correlation`. `height` is that of the whole image's peak in
    standard deviations of the correlation.
    """

    shift_yx: tuple[float, float]
    error: float
    diffphase: float
    height: float = float("nan")


@dataclass(frozen=True)
class _Peak:
    shift_yx: np.ndarray
    similarity: float
    height: float


def global_shift(
    reference: np.ndarray,
    cycle: np.ndarray,
    *,
    align_by_block: bool = True,
    block_size: int = 256,
    threads: int = 1,
) -> GlobalShift:
    """Return the shift between two projections (Y, X), to a fraction of a pixel.

    With `align_by_block` the answer is the mean over the common part of the images of an affine
    field through the shifts of blocks of `block_size` px; with too few blocks that agree it is
    the shift of the whole images.
    """
    with ThreadPoolExecutor(threads) as pool, threadpool_limits(1, user_api="blas"):
        reference, cycle = (_flattened(image) for image in (reference, cycle))
        start = _probed_shift(reference, cycle, pool)
        whole = _peak(reference, cycle, near=start)
        shift = whole.shift_yx
        if align_by_block:
            shift = _vote(reference, cycle, shift, block_size, pool)
    error = float(np.sqrt(max(0.0, 1 - whole.similarity**2)))
    return GlobalShift((float(shift[0]), float(shift[1])), error, 0.0, whole.height)


def _probed_shift(
    reference: np.ndarray, cycle: np.ndarray, pool: ThreadPoolExecutor
) -> np.ndarray | None:
    """Return the shift at the middle of the images that most parts of the reference agree on.

    Every part is looked for in the whole cycle, both binned 2 x 2, by the correlation relative to
    the structure that the cycle has in the same place. Other than the peak of the
    whole images, their vote survives rotation, and bright things that only one image shows.
    None if too few agree.
    """
    size = max(SMALLEST_PROBE, -(-max(reference.shape) // PROBES))
    reference, cycle = (
        image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
        .reshape(image.shape[0] // 2, 2, -1, 2)
        .sum(axis=(1, 3))
        for image in (reference, cycle)
    )
    shape = reference.shape
    blocks = block_grid(shape, size // 2)
    weights = band_pass(shape, 2.0)
    target = scipy.fft.rfft2(cycle * _window(shape)) * weights
    energy = np.square(scipy.fft.irfft2(target, s=shape))
    energy = scipy.ndimage.uniform_filter(energy, size // 2, mode="wrap")
    floor = max(float(np.median(energy)) / 2, np.finfo(np.float32).tiny)
    energy = np.sqrt(np.maximum(energy, floor))
    target = np.conj(target) * weights

    def one(block: Block) -> tuple[np.ndarray, float]:
        part = np.zeros_like(reference)
        where = (block.rows, block.columns)
        part[where] = reference[where] * _window(reference[where].shape)
        correlation = scipy.fft.irfft2(scipy.fft.rfft2(part) * target, s=shape)
        middle = tuple(int(at) + 1 for at in centre_yx(*where))
        return _highest(correlation / np.roll(energy[::-1, ::-1], middle, axis=(0, 1)))

    shifts, heights = (np.array(found) for found in zip(*pool.map(one, blocks), strict=True))
    centres = np.array([centre_yx(block.rows, block.columns) for block in blocks])
    centres -= (np.array(shape) - 1) / 2
    affine = _affine_vote(centres * 2, shifts * 2, heights)
    return None if affine is None else affine[0]


def _affine_vote(centres: np.ndarray, shifts: np.ndarray, heights: np.ndarray) -> np.ndarray | None:
    """Return the affine field (3, 2) that most blocks agree on: constant, gradients; or None."""
    flat = np.column_stack([np.zeros(len(shifts)), shifts])
    agree = agreeing_blocks(centres, flat, np.maximum(heights - LEAST_HEIGHT, 0))
    if agree.sum() < LEAST_VOTERS:
        return None
    return affine_fit(centres[agree], shifts[agree])


def _window(shape: tuple[int, int]) -> np.ndarray:
    y, x = (taper(size, size // TAPERED) for size in shape)
    return y[:, None] * x


def _highest(correlation: np.ndarray) -> tuple[np.ndarray, float]:
    """Return (shift (2,), height in standard deviations) of the highest peak of a map."""
    spread = float(np.sqrt(np.mean(np.square(correlation))))
    if spread == 0:
        return np.zeros(2), 0.0
    index = tuple(int(at) for at in np.unravel_index(np.argmax(correlation), correlation.shape))
    shift, size = sub_pixel_peak(correlation, index), np.array(correlation.shape)
    return np.where(shift >= size / 2, shift - size, shift), float(correlation[index]) / spread


def _flattened(image: np.ndarray) -> np.ndarray:
    """Return the image as float32 without its background, very bright pixels cut off."""
    image = np.asarray(image, dtype=np.float32)
    image = np.nan_to_num(image, nan=float(np.nanmedian(image)))
    image = image - scipy.ndimage.uniform_filter(image, FLATTENED, mode="reflect")
    noise = float(np.median(np.abs(image))) / NORMAL_MEDIAN
    return np.minimum(image, CLIP * noise) if noise > 0 else image


def _peak(
    reference: np.ndarray,
    cycle: np.ndarray,
    moved_yx: tuple[int, int] = (0, 0),
    near: np.ndarray | None = None,
) -> _Peak:
    """Return the highest peak of the correlation of two flattened images of one shape.

    `moved_yx` is by how much the cycle has been moved beforehand, `near` where the peak lies
    within PROBE_REACH.
    """
    shape = reference.shape
    spectra = [
        scipy.fft.rfft2(image * _window(shape)) * band_pass(shape) for image in (reference, cycle)
    ]
    cross = spectra[0] * np.conj(spectra[1])
    correlation = scipy.fft.irfft2(_without_pattern(cross, shape, moved_yx), s=shape)
    spread = float(np.sqrt(np.mean(np.square(correlation))))
    if near is not None:
        correlation[~_within(shape, near)] = 0
    shift, _ = _highest(correlation)
    index = np.unravel_index(np.argmax(correlation), shape)
    energy = np.prod([np.linalg.norm(scipy.fft.irfft2(part, s=shape)) for part in spectra])
    if energy == 0 or spread == 0:
        return _Peak(np.zeros(2), 0.0, 0.0)
    similarity = float(scipy.fft.irfft2(cross, s=shape)[index] / energy)
    return _Peak(shift + moved_yx, similarity, float(correlation[index]) / spread)


def _within(shape: tuple[int, int], near: np.ndarray) -> np.ndarray:
    """Return which shifts of a circular map lie within PROBE_REACH of a shift along each axis."""
    rows, columns = (
        np.abs((np.arange(size) - at + size / 2) % size - size / 2) <= PROBE_REACH
        for size, at in zip(shape, near, strict=True)
    )
    return rows[:, None] & columns


def _without_pattern(
    cross: np.ndarray, shape: tuple[int, int], moved_yx: tuple[int, int]
) -> np.ndarray:
    """Return a band-passed cross spectrum without what a camera's fixed pattern adds to it.

    A white pattern adds one positive number to all frequencies, with the phase of the shift that
    the cycle has been moved by. The number is read off where optics transmit nothing.
    """
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    beyond = np.hypot(rows, columns) > BEYOND_OPTICS
    weights = np.square(band_pass(shape))
    phase = np.exp(2j * np.pi * (rows * moved_yx[0] + columns * moved_yx[1]))
    shared = np.sum((cross[beyond] * np.conj(phase[beyond])).real) / np.sum(weights[beyond])
    return cross - np.float32(max(shared, 0.0)) * weights * phase.astype(np.complex64)


def _vote(
    reference: np.ndarray,
    cycle: np.ndarray,
    whole: np.ndarray,
    block_size: int,
    pool: ThreadPoolExecutor,
) -> np.ndarray:
    """Return the mean over the overlap of the affine field that most blocks agree on."""
    base = np.rint(whole).astype(int)
    moved = _moved(cycle, base)
    parts = -(-block_size // LARGEST_VOTER)
    blocks = block_grid(reference.shape, -(-block_size // parts))

    def one(block: Block) -> _Peak:
        where = (block.rows, block.columns)
        return _peak(reference[where], moved[where], (int(base[0]), int(base[1])))

    peaks = list(pool.map(one, blocks))
    overlap = [
        seen_by_both(slice(0, size), size, size, int(shift))[0]
        for size, shift in zip(reference.shape, base, strict=True)
    ]
    centres = np.array([centre_yx(block.rows, block.columns) for block in blocks])
    affine = _affine_vote(
        centres - centre_yx(*overlap),
        np.array([peak.shift_yx for peak in peaks]),
        np.array([peak.height for peak in peaks]),
    )
    return whole if affine is None else affine[0]


def _moved(image: np.ndarray, shift_yx: np.ndarray) -> np.ndarray:
    """Return a copy of an image (Y, X) moved by whole pixels; what comes in is 0."""
    moved = np.zeros_like(image)
    both = [
        seen_by_both(slice(0, size), size, size, int(shift))
        for size, shift in zip(image.shape, shift_yx, strict=True)
    ]
    moved[both[0][0], both[1][0]] = image[both[0][1], both[1][1]]
    return moved
