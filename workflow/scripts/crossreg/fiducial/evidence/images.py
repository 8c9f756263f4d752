"""Faults of images that a registration does not notice: copies, patterns, wrong grey values."""

import numpy as np
from numpy.typing import NDArray

SAMPLED = 2
"""Every so many bins along y and x are looked at for skewness."""
SAMPLED_PLANES = 4
"""Every so many planes are looked at for it."""
SAMPLED_FOR_MEDIAN = 8
"""Every so many pixels along y and x are looked at for the median."""
SKEWED = 0.3
"""Skewness beyond which structure is bright, or, where negative, dark: noise has none."""
NARROW = 0.25
"""Part of a correlation that is left one bin away, below which optics cannot have made it: spots of
a standard deviation of 1 px leave half of it."""

Stack = NDArray[np.int16]


def is_copy(reference: Stack, cycle: Stack) -> bool:
    """Return whether two binned stacks are equal: two exposures never are."""
    return np.array_equal(reference, cycle) and bool(np.any(reference))


def is_saturated(stack: NDArray[np.number]) -> bool:
    """Return whether half of the pixels of a stack (Z, Y, X) have its highest value."""
    sample = stack[:, ::SAMPLED_FOR_MEDIAN, ::SAMPLED_FOR_MEDIAN]
    highest = sample.max()
    return bool(highest > sample.min()) and bool(np.median(sample) == highest)


def is_inverted(reference: Stack, cycle: Stack) -> bool:
    """Return whether structure is bright in the one of two binned stacks and dark in the other."""
    one, two = (
        _skewness(stack[::SAMPLED_PLANES, ::SAMPLED, ::SAMPLED]) for stack in (reference, cycle)
    )
    return min(one, two) < -SKEWED and max(one, two) > SKEWED


def is_pattern(reference: Stack, cycle: Stack) -> bool:
    """Return whether what two binned stacks share at no shift is narrower than optics allow.

    A camera's pattern differs from pixel to pixel; whatever an objective shows spreads to the
    neighbours.
    """
    one, two = (stack.sum(axis=0, dtype=np.float32) for stack in (reference, cycle))
    here = float(np.vdot(one, two))
    beside = [float(np.vdot(one, np.roll(two, step, axis))) for axis in (0, 1) for step in (-1, 1)]
    return here > 0 and float(np.mean(beside)) < NARROW * here


def _skewness(values: NDArray[np.number]) -> float:
    """Return the skewness of values: their third central moment over the cube of their spread."""
    centred = np.asarray(values, dtype=float) - np.mean(values)
    squares = np.square(centred)
    spread = float(np.sqrt(np.mean(squares)))
    # Not centred**3: powers take ten times as long as products.
    return float(np.mean(squares * centred)) / spread**3 if spread else 0.0
