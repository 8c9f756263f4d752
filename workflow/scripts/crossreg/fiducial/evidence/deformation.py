"""How a field turns and shears an image, and how far from it a shift is.

Stages turn, tissue swells, but hardly anything shears.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

PLACES = (1 / 6, 1 / 2, 5 / 6)
"""Where along each axis of the image the field is looked at for its turn."""
CLOSE_PLACES = 9
"""Places along each axis, edges included, at which a shift is compared with the field."""

ShiftsAt = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Returns the shifts (n, 2) px at positions (n, 2) px in an image."""


def turn_and_shear(shifts_at: ShiftsAt, image_shape: tuple[int, ...]) -> tuple[float, float]:
    """Return (turn in degrees, shear in px per px) of the affine field nearest to a field.

    `shifts_at` is the field in an image of `image_shape` (Y, X). The turn is
    positive where rows turn towards higher columns; the shear is the part of the gradients that
    is neither a turn nor the same stretch along both axes.
    """
    places = _grid([np.array(PLACES) * size for size in image_shape]).reshape(-1, 2)
    design = np.column_stack([np.ones(len(places)), places])
    along_y, along_x = np.linalg.lstsq(design, shifts_at(places), rcond=None)[0][1:]
    turn = float(np.rad2deg((along_y[1] - along_x[0]) / 2))
    shear = float(np.hypot((along_y[0] - along_x[1]) / 2, (along_y[1] + along_x[0]) / 2))
    return turn, shear


def contradiction(
    shift_yx: tuple[float, float], shifts_at: ShiftsAt, image_shape: tuple[int, int]
) -> float:
    """Return how far (px) a shift is from a field where that comes nearest: 0 if it is met."""
    places = _grid([np.linspace(0, size - 1, CLOSE_PLACES) for size in image_shape])
    shifts = shifts_at(places.reshape(-1, 2)).reshape(places.shape)
    step = max(np.linalg.norm(np.diff(shifts, axis=axis), axis=-1).max() for axis in (0, 1))
    nearest = np.linalg.norm(shifts - np.asarray(shift_yx), axis=-1).min()
    return max(0.0, float(nearest - step))


def _grid(axes: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the places (rows, columns, 2) that these rows and columns make."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
