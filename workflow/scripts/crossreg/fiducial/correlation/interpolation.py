"""Images at places between their pixels."""

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

Places = tuple[NDArray[np.floating], NDArray[np.floating]]
SAMPLED = 4
"""Every so many pixels along both axes are looked at for the median of a plane."""


def interpolated(
    image: NDArray[np.number],
    rows: NDArray[np.floating],
    columns: NDArray[np.floating],
    outside: float = 0.0,
) -> NDArray[np.float32]:
    """Return an image (Y, X) at rows and columns (px), linear between pixels.

    These are arrays of one shape, or are broadcast to one; beyond the image it is `outside`.
    """
    inside = np.ones(1, dtype=bool)
    corners, parts = [], []
    for places, size in zip((rows, columns), image.shape, strict=True):
        inside = inside & (places >= 0) & (places <= size - 1)
        corner = np.clip(places, 0, max(size - 2, 0)).astype(np.int32)
        corners.append(corner)
        parts.append((places - corner).astype(np.float32))
    first = corners[0] * np.int32(image.shape[1]) + corners[1]
    down, across = parts
    # An image of one row or column has no neighbours, which then count nothing.
    values = np.append(image.ravel(), np.zeros(image.shape[1] + 1, image.dtype))
    above, below = (
        values[first + step] * (1 - across) + values[first + step + 1] * across
        for step in (0, image.shape[1])
    )
    return np.where(inside, above * (1 - down) + below * down, np.float32(outside))


def planes_at(
    stack: NDArray[Any], places_in: Callable[[int], Places], pool: Executor
) -> NDArray[Any]:
    """Return a stack (Z, Y, X) whose planes are taken at rows and columns (px), given for each z.

    What a plane does not show has its median. The type is that of `stack`.
    """
    result = np.empty_like(stack)

    def write(z: int) -> None:
        outside = float(np.median(stack[z, ::SAMPLED, ::SAMPLED]))
        result[z] = in_type(interpolated(stack[z], *places_in(z), outside), stack.dtype)

    for _ in pool.map(write, range(len(stack))):
        pass
    return result


def in_type(values: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return values in a type, rounded where that is one of whole numbers."""
    return (np.rint(values) if np.issubdtype(dtype, np.integer) else values).astype(dtype)
