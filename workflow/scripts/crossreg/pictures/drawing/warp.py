"""Small images moved by shifts, to show what a registration did."""

from collections.abc import Sequence

import numpy as np


def moved(image: np.ndarray, field: np.ndarray | Sequence[float]) -> np.ndarray:
    """Return an image (rows, columns) moved by a shift (2,), or one per pixel (rows, columns, 2).

    The shift is what is added to a position of the image to reach the result, in px of the
    image. Linear interpolation; what comes in from outside is 0. Pictures need no more, and are
    drawn without the library that does: its import takes longer.
    """
    shift = np.asarray(field, dtype=np.float32)
    rows, columns = image.shape
    y, x = np.arange(rows, dtype=np.float32), np.arange(columns, dtype=np.float32)
    if shift.ndim == 1:
        along_y = _taken(image.astype(np.float32), y - shift[0])
        result = _taken(along_y.T, x - shift[1]).T
    else:
        result = _interpolated(image, y[:, None] - shift[..., 0], x - shift[..., 1])
    rounded: np.ndarray = np.rint(result) if image.dtype.kind in "ui" else result
    return rounded.astype(image.dtype)


def _taken(image: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the rows of an image at positions (n,) between them; 0 outside."""
    first, next_, part, inside = _neighbours(positions, len(image))
    weights = np.where(inside, (1 - part, part), 0)[..., None]
    taken: np.ndarray = weights[0] * image[first] + weights[1] * image[next_]
    return taken


def _interpolated(image: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the values of an image at positions y, x (n, m); 0 outside."""
    top, bottom, down, inside_y = _neighbours(y, image.shape[0])
    left, right, across, inside_x = _neighbours(x, image.shape[1])
    flat, width = image.ravel(), np.int32(image.shape[1])
    top, bottom = top * width, bottom * width
    above = (1 - across) * flat[top + left] + across * flat[top + right]
    below = (1 - across) * flat[bottom + left] + across * flat[bottom + right]
    return np.where(inside_y & inside_x, above + down * (below - above), np.float32(0))


def _neighbours(positions: np.ndarray, size: int) -> tuple[np.ndarray, ...]:
    """Return (index before, index after, part of the way to it, whether inside) of positions."""
    within = np.clip(positions, 0, size - 1)
    first = within.astype(np.int32)
    return (
        first,
        np.minimum(first + 1, size - 1),
        within - first.astype(np.float32),
        within == positions,
    )


def between_blocks(
    values: np.ndarray, centres: Sequence[np.ndarray], positions: Sequence[np.ndarray]
) -> np.ndarray:
    """Return values of blocks (n_i, n_j, k) between their centres, at a grid of positions.

    `centres` and `positions` are rows and columns in px. Linear between the centres, constant
    outside them: a smooth field whose value at each block's centre is the block's.
    """
    result = values.astype(float)
    for axis, (position, centre) in enumerate(zip(positions, centres, strict=True)):
        units = np.eye(len(centre))
        weights = np.stack([np.interp(position, centre, unit) for unit in units], axis=-1)
        result = np.moveaxis(np.tensordot(weights, result, (1, axis)), 0, axis)
    return result
