"""Faults of images that a registration does not notice: copies, patterns, wrong grey values."""

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.block_grid import middle_of
from crossreg.fiducial.correlation.binned_stacks import PLANES_FOR_PATTERN
from crossreg.fiducial.correlation.transforms import images_of, spectra_of
from crossreg.fiducial.quantiles import medians

SAMPLED = 8
"""Every so many pixels along y and x are looked at for the highest value."""
SATURATED = 0.1
"""Part of these that have the highest value from which on a stack is saturated: four stacks of 12
and 20 planes a fifth of which was clipped were off by 1 to 1.6 planes along z, at 3 to 9 standard
errors; with a twentieth four of four were right."""
SKEWED = 0.3
"""Skewness beyond which structure is bright, or, where negative, dark: noise has none."""
NARROW = 0.25
"""Part of a correlation that is left one bin away, below which optics cannot have made it: spots of
a standard deviation of 1 px leave half of it."""

LOOKED_AT = 128
"""Edge (bins) of the middle of the image in which noise is compared: it is known to 1 % there."""
ALIKE, ALIKE_OF_MANY = 0.5, 0.8
"""Noise of a difference, relative to that of the images, below which both are one exposure; the
second for stacks of PLANES_FOR_PATTERN planes. Two exposures leave 1.3 to 1.6, a copy with another
gain, 8 bits or a little more noise 0 to 0.5. A copied plane among many others leaves more, as what
all planes share was taken off each stack; a camera's pattern, which few planes keep, less."""
OPPOSITE_REACH = 12
"""Bins around a match within which the opposite of it would lie: two spots."""

Stack = NDArray[np.int16]


def is_copy(reference: Stack, cycle: Stack) -> bool:
    """Return whether two binned stacks are equal: two exposures never are."""
    return np.array_equal(reference, cycle) and bool(np.any(reference))


def share_of_copied_planes(reference: Stack, cycle: Stack) -> float:
    """Return in which part of the planes two binned stacks are alike to within their noise.

    Two exposures never are; a copy is, also with another gain, offset or number of bits. The noise
    is seen in second differences (Immerkaer 1996, doi:10.1006/cviu.1996.0060), which structure
    hardly has.
    """
    planes = min(len(reference), len(cycle))
    rows, columns = (middle_of(size, LOOKED_AT) for size in reference.shape[1:])
    one, two = (stack[:planes, rows, columns].astype(np.float32) for stack in (reference, cycle))
    noise = np.maximum(_noise(one), _noise(two))
    alike = ALIKE_OF_MANY if planes >= PLANES_FOR_PATTERN else ALIKE
    return float(np.mean((noise > 0) & (_noise(one - two) < alike * noise)))


def _noise(stack: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how noisy the planes (n,) of a stack are: the median size of second differences."""
    for axis in (1, 2):
        stack = np.diff(stack, 2, axis)
    return medians(np.abs(stack).reshape(len(stack), -1), axis=1)


def is_opposite(reference: NDArray[np.float32], aligned: NDArray[np.float32]) -> bool:
    """Return whether what is bright in layers (n, y, x) is dark in others that were matched to it.

    Then the correlation falls, next to the match, by more than it rises.
    """
    shape = reference.shape[1:]
    cross = (spectra_of(reference, shape) * np.conj(spectra_of(aligned, shape))).sum(axis=0)
    correlation = images_of(cross, shape)
    reach = [min(OPPOSITE_REACH, size // 2) for size in shape]
    rows, columns = (np.arange(-far, far + 1) for far in reach)
    near = correlation[rows[:, None], columns]
    return bool(-near.min() > near.max())


def is_saturated(stack: NDArray[np.number]) -> bool:
    """Return whether a tenth of the pixels of a stack (Z, Y, X) have its highest value.

    Planes that were lost, which have one value throughout, do not count.
    """
    sample = stack[:, ::SAMPLED, ::SAMPLED]
    shown = sample[sample.min(axis=(1, 2)) < sample.max(axis=(1, 2))]
    sample = shown if len(shown) else sample
    highest = sample.max()
    share = np.count_nonzero(sample == highest) / sample.size
    return bool(highest > sample.min() and share > SATURATED)


def is_inverted(skewness_of_reference: float, skewness_of_cycle: float) -> bool:
    """Return whether structure is bright in the one of two stacks and dark in the other.

    What all planes of a stack share, which is taken off before stacks are matched, has to be there:
    without it spots are dark in the planes out of their focus.
    """
    skewness = skewness_of_reference, skewness_of_cycle
    return min(skewness) < -SKEWED and max(skewness) > SKEWED


def is_pattern(reference: Stack, cycle: Stack) -> bool:
    """Return whether what two binned stacks share at no shift is narrower than optics allow.

    A camera's pattern differs from pixel to pixel; whatever an objective shows spreads to the
    neighbours.
    """
    one, two = (stack.sum(axis=0, dtype=np.float32) for stack in (reference, cycle))
    here = float(np.vdot(one, two))
    beside = [float(np.vdot(one, np.roll(two, step, axis))) for axis in (0, 1) for step in (-1, 1)]
    return here > 0 and float(np.mean(beside)) < NARROW * here
