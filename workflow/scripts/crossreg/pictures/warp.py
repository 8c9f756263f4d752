"""Small images moved by shifts, to show what a registration did."""

from collections.abc import Sequence

import numpy as np
import scipy.ndimage


def moved(image: np.ndarray, field: np.ndarray | Sequence[float]) -> np.ndarray:
    """Return an image (rows, columns) moved by a shift: one (2,) or one a pixel (rows, columns, 2).

    The shift is what is added to a position of the image to reach the result, in px of the
    image. Linear interpolation; what comes in from outside is 0.
    """
    places = np.indices(image.shape, dtype=np.float32)
    source = places - np.moveaxis(np.broadcast_to(field, (*image.shape, 2)), -1, 0)
    return scipy.ndimage.map_coordinates(image, source, order=1, mode="constant")


def between_blocks(
    values: np.ndarray, centres: Sequence[np.ndarray], places: Sequence[np.ndarray]
) -> np.ndarray:
    """Return values of blocks (n_i, n_j, k) between their centres, at a grid of places.

    `centres` and `places` are rows and columns in px. Linear between the centres, constant
    outside them: a smooth field whose value at each block's centre is the block's.
    """
    indices = [
        np.interp(place, centre, np.arange(len(centre)))
        for centre, place in zip(centres, places, strict=True)
    ]
    grid = np.meshgrid(*indices, indexing="ij")
    parts = [
        scipy.ndimage.map_coordinates(values[..., axis], grid, order=1, mode="nearest")
        for axis in range(values.shape[-1])
    ]
    return np.stack(parts, axis=-1)
