"""Quantiles of many values, by partition: their order beside the wanted places does not matter.

`np.median` and `np.quantile` do the same, but load a library for masked arrays. Sorting takes three
times as long.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Number = TypeVar("Number", np.float32, np.float64)

NORMAL_MEDIAN = 0.6745
"""Median of the absolute value of a normal variable of standard deviation 1."""


def quantiles(values: ArrayLike, fractions: Sequence[float]) -> list[float]:
    """Return the values below which these fractions of all finite `values` lie; linear between."""
    flat = np.ravel(values)
    last = len(flat) - 1
    places = [fraction * last for fraction in fractions]
    wanted = {min(int(place) + step, last) for place in places for step in (0, 1)}
    ordered = np.partition(flat, sorted(wanted))
    found = []
    for place in places:
        first = int(place)
        low, high = float(ordered[first]), float(ordered[min(first + 1, last)])
        found.append(low + (place - first) * (high - low))
    return found


def medians(values: NDArray[Number], axis: int) -> NDArray[Number]:
    """Return the medians of all finite `values` along an axis, as `np.median` does."""
    along = np.moveaxis(values, axis, -1)
    half = along.shape[-1] // 2
    ordered = np.partition(along, half, axis=-1)
    high = ordered[..., half]
    if along.shape[-1] % 2:
        return high
    # One place is found in half of the time of two.
    result: NDArray[Number] = (ordered[..., :half].max(axis=-1) + high) / values.dtype.type(2)
    return result


def median(values: ArrayLike) -> float:
    """Return the median of all finite `values`."""
    return quantiles(values, (0.5,))[0]
