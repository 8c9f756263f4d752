"""The mean over a box around every pixel."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


def box_mean(image: Image, size: int, beyond: Literal["symmetric", "wrap", "constant"]) -> Image:
    """Return the mean of the `size` x `size` pixels around each one of an image (Y, X).

    `beyond` says as in `numpy.pad` what lies beyond the borders; constant is 0.
    """
    before = size // 2
    sums = np.pad(image, (before, size - 1 - before), mode=beyond)
    sums = _sums(_sums(sums, size).T, size).T
    sums *= np.float32(1 / size**2)
    return sums


def _sums(values: Image, count: int) -> Image:
    """Return the sums of `count` successive rows (Y - count + 1, X), from those of half as many."""
    if count == 1:
        return values
    half = count // 2
    sums = _sums(values, half)
    sums = sums[:-half] + sums[half:]
    return sums[:-1] + values[count - 1 :] if count % 2 else sums
