"""Quantiles of many values, by sorting them.

NumPy sorts several numbers at once, but looks for quantiles one by one: a median by sorting takes a
third of the time of `np.median`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

NORMAL_MEDIAN = 0.6745
"""Median of the absolute value of a normal variable of standard deviation 1."""


def quantiles(values: ArrayLike, fractions: Sequence[float]) -> list[float]:
    """Return the values below which these fractions of all finite `values` lie; linear between."""
    ordered = np.sort(values, axis=None)
    found = []
    for fraction in fractions:
        place = fraction * (len(ordered) - 1)
        first = int(place)
        low, high = float(ordered[first]), float(ordered[min(first + 1, len(ordered) - 1)])
        found.append(low + (place - first) * (high - low))
    return found


def median(values: ArrayLike) -> float:
    """Return the median of all finite `values`."""
    return quantiles(values, (0.5,))[0]
