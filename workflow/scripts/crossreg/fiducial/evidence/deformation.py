"""How a field turns and shears an image: stages turn, tissue swells, but hardly anything shears."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

PLACES = (1 / 6, 1 / 2, 5 / 6)
"""Where along each axis of the image the field is looked at."""


def turn_and_shear(
    shifts_at: Callable[[NDArray[np.float64]], NDArray[np.float64]], image_shape: tuple[int, ...]
) -> tuple[float, float]:
    """Return (turn in degrees, shear in px per px) of the affine field nearest to a field.

    `shifts_at` gives the shifts (n, 2) px at positions (n, 2) px in an image (Y, X). The turn is
    positive where rows turn towards higher columns; the shear is the part of the gradients that
    is neither a turn nor the same stretch along both axes.
    """
    axes = [np.array(PLACES) * size for size in image_shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    design = np.column_stack([np.ones(len(places)), places])
    along_y, along_x = np.linalg.lstsq(design, shifts_at(places), rcond=None)[0][1:]
    turn = float(np.rad2deg((along_y[1] - along_x[0]) / 2))
    shear = float(np.hypot((along_y[0] - along_x[1]) / 2, (along_y[1] + along_x[0]) / 2))
    return turn, shear
