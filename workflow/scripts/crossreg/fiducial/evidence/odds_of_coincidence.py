"""The odds that two unrelated images have as much in common as these two have by chance.

What two images have in common at a shift is the sum over pairs of objects that meet there. Over all
shifts of an unrelated pair that sum is a random number: many faint contributions make it normal,
a few bright ones (beads) make it jump. A compound Poisson law describes both. Its two numbers, how
many contributions meet and how large they are, are measured from wrong pairings of the same two
images: the cycle mirrored, and turned by 180 degrees. Contributions differ in size; Bennett's
inequality (1962, doi:10.1080/01621459.1962.10482149) bounds the odds for all whose variance is the
same and of which none is larger than the largest one. The odds of a shift are the probability of
the sum that is seen there, times the number of shifts and turns as near as this one that could be
tried.
"""

from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.band_pass import TAPERED, gaussian, taper, window
from crossreg.fiducial.correlation.box_mean import box_mean
from crossreg.fiducial.correlation.interpolation import interpolated
from crossreg.fiducial.correlation.transforms import UNITARY, fast_length, filtered, spectra_of
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, median

LARGEST_SHIFT = 0.6
"""Shifts, as parts of the image, up to which a match may be found, and wrong pairings are tried."""
HEIGHTS = (4.0, 12.0)
"""Standard deviations of the noise at which heights are cut off: one bright object is one object,
and must not outweigh many others. With the first, many faint objects tell most, with the second a
few clear ones."""
DETAIL, BACKGROUND = 0.7, 2.5
"""Gaussian scales (bins) between which structure counts."""
BORDER = 10
"""Bins by which an image is mirrored at its borders: four times the wider scale."""
NEAREST = 5.0
"""Shift (bins) up to which all shifts are equally likely for a stage that comes back."""
PEAK_AREA = 3.0
"""Area (bins squared) of a peak: shifts closer than that are not tried separately."""
SMALLEST_OVERLAP = 0.01
"""Least overlap along an axis that is counted with: of less, nothing can be said."""
OBJECT = 5
"""Edge (bins) of the square that holds the contribution of one object: a spot and its surround."""
SMALLEST_KURTOSIS = 1e-9
"""Least fourth cumulant, relative to a normal variable's variance squared."""

Image = NDArray[np.float32]


def prepared(
    image: NDArray[np.number], noise: float | None = None, height: float = HEIGHTS[0]
) -> Image:
    """Return an image (Y, X) freed of its background, cut off in height, tapered at its borders.

    `noise` is the standard deviation of the noise in it, estimated if not given; heights above
    `height` of it are cut off.
    """
    values = np.asarray(image, dtype=np.float32)
    values = values / np.float32(_noise(values) if noise is None else noise)
    values = np.clip(values - np.float32(median(values)), -height, height)
    values = filtered(
        values, lambda shape: gaussian(shape, DETAIL) - gaussian(shape, BACKGROUND), BORDER
    )
    return np.asarray(values * window(values.shape), dtype=np.float32)


def _noise(image: Image) -> float:
    """Return the standard deviation of an image's noise, by the median of absolute values."""
    distance = np.abs(image - np.float32(median(image)))
    return median(distance) / NORMAL_MEDIAN or float(distance.max()) or 1.0


def moved(image: Image, shifts_yx: NDArray[np.floating]) -> Image:
    """Return an image (Y, X) moved by a shift (Y, X, 2) px for each pixel; what comes in is 0."""
    rows, columns = (np.arange(size, dtype=float) for size in image.shape)
    return interpolated(image, rows[:, None] - shifts_yx[..., 0], columns - shifts_yx[..., 1])


def log10_odds(
    reference: Image,
    cycle: Image,
    aligned: Image,
    shift_yx: NDArray[np.floating],
    turn: float = 0.0,
    pool: Executor | None = None,
) -> float:
    """Return the logarithm of the odds that the match of two prepared images is a coincidence.

    Each is (n, y, x): n layers that are compared one by one, and move together. `aligned` is the
    cycle moved onto the reference, `shift_yx` (bins) how far that is on the whole, `turn` (degrees)
    by how much the cycle was turned before.
    0 or more: as unrelated images match; -10: a coincidence can be ruled out. The threads of
    `pool`, if there is one, share the work.
    """
    in_common = float(np.vdot(reference, aligned))
    variance, unit = _chance(reference, cycle, pool)
    if in_common <= 0 or unit == 0:
        return 0.0
    unit = max(unit, _largest((reference * aligned).sum(axis=0)))
    rate = variance / unit**2
    for overlap, shift in zip(_overlaps(reference.shape[1:]), shift_yx, strict=True):
        rate *= max(float(overlap[len(overlap) // 2 + round(float(shift))]), SMALLEST_OVERLAP)
    tried = max(np.pi * max(float(np.hypot(*shift_yx)), NEAREST) ** 2 / PEAK_AREA, 1.0)
    tried *= len(reference)  # as many shifts along z
    # On average, a turn moves the places of an image by this many bins.
    reach = np.deg2rad(abs(turn)) * np.hypot(*reference.shape[1:]) / np.sqrt(12)
    tried *= max(2 * float(reach) / np.sqrt(PEAK_AREA), 1.0)
    return float(_log_tail(rate, in_common / unit + rate) / np.log(10) + np.log10(tried))


def _log_tail(rate: float, count: float) -> float:
    """Return the logarithm of Chernoff's bound on a Poisson variable of a rate to reach a count."""
    return float(-(count * np.log(count / rate) - count + rate))


def _chance(reference: Image, cycle: Image, pool: Executor | None) -> tuple[float, float]:
    """Return (variance, unit) of what meets by chance at no shift: of the sum, and the usual size.

    From the second and fourth cumulant of what the images have in common over wrong shifts, which
    are the rate times the unit squared and to the fourth; the rate goes with the overlap.
    """
    image_shape = reference.shape[1:]
    shape = tuple(fast_length(2 * size) for size in image_shape)
    many = pool.map if pool else map
    one, two = many(lambda images: spectra_of(images, shape), (reference, cycle))
    reach = [int(LARGEST_SHIFT * size) for size in image_shape]
    overlaps = [
        overlap[len(overlap) // 2 - far : len(overlap) // 2 + far + 1]
        for overlap, far in zip(_overlaps(image_shape), reach, strict=True)
    ]
    # To mirror an image turns its frequencies round; no shift is then in another place of the map.
    upside_down = two[:, -np.arange(shape[0])]
    height, width = (size - 1 for size in image_shape)
    mirrors = (
        (upside_down, True, (height, 0)),
        (upside_down, False, (0, width)),
        (two, False, (height, width)),
    )
    scale = np.sqrt(np.float32(np.prod(shape)))  # of a product of spectra

    def moments(
        mirror: NDArray[np.complex64], is_conjugated: bool, middle: tuple[int, int]
    ) -> tuple[float, float]:
        other = np.conj(mirror) if is_conjugated else mirror
        cross = np.einsum("nyx,nyx->yx", one, other)
        cross = np.fft.ifft(cross, axis=0, norm=UNITARY)
        rows = cross[_around(middle[0], reach[0])] * scale
        rows = np.fft.irfft(rows, n=shape[1], norm=UNITARY)
        squares = np.square(rows[:, _around(middle[1], reach[1])])
        return float(squares.mean()), float(np.square(squares).mean())

    second, fourth = np.mean(list(many(moments, *zip(*mirrors, strict=True))), axis=0).tolist()
    area, squared_area = (
        float(np.prod([np.mean(overlap**power) for overlap in overlaps])) for power in (1, 2)
    )
    variance = second / area
    kurtosis = (fourth - 3 * variance**2 * squared_area) / area
    if variance == 0:
        return 0.0, 0.0
    unit = float(np.sqrt(max(kurtosis / variance, SMALLEST_KURTOSIS * variance)))
    return variance, unit


def _largest(in_common: Image) -> float:
    """Return what one object contributes at most to what two images (Y, X) have in common."""
    mean = box_mean(in_common, OBJECT, "constant")
    return float(mean.max()) * OBJECT**2


def _overlaps(shape: tuple[int, ...]) -> list[NDArray[np.floating]]:
    """Return how much of two tapered images overlaps at each shift along y and x; 1 at no shift."""
    tapers = [np.square(taper(size, size // TAPERED), dtype=float) for size in shape]
    overlaps = [np.correlate(one, one, mode="full") for one in tapers]
    return [overlap / overlap.max() for overlap in overlaps]


def _around(middle: int, reach: int) -> NDArray[np.int64]:
    """Return the indices of a circular axis up to `reach` to both sides of `middle`."""
    return np.arange(middle - reach, middle + reach + 1)
