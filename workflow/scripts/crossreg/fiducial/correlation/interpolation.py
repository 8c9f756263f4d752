"""Images at places between their pixels."""

import numpy as np
from numpy.typing import NDArray


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
