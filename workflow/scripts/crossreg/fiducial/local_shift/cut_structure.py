"""Structure that the border of an image cuts: the two stacks show different parts of it."""

import numpy as np

from crossreg.fiducial.local_shift.measurements import USEFUL_SIGMA
from crossreg.fiducial.turn import Turn

BORDER = 6.0
"""Distance (px) from the border of what both stacks show below which structure may be cut:
twice the scale of the background."""
CUT_SIGMA = 0.5
"""Uncertainty (px) added to the shift of structure that may be cut: the part that is seen differs
between the stacks."""


def cut_sigma(
    positions_zyx: np.ndarray, shifts_zyx: np.ndarray, image_shape: tuple[int, int], turn: Turn
) -> np.ndarray:
    """Return the uncertainty (m, 2) in y and x of structure that an image's border may cut.

    It lies at positions (m, 3) of the reference, and moves by shifts (m, 3). A border of the cycle
    that was turned back by `turn` runs obliquely through what both show: it cuts the one image
    only, so that nothing can be said there.
    """
    last = np.array(image_shape) - 1
    place = positions_zyx[:, 1:]
    there = turn.in_cycle(place - shifts_zyx[:, 1:])
    near = np.asarray(np.minimum(place, last - place) < BORDER)
    near_in_cycle = np.asarray(np.minimum(there, last - there) < BORDER)
    if turn:
        is_cut = near_in_cycle.any(axis=1, keepdims=True)
        return np.where(is_cut, USEFUL_SIGMA, np.where(near, CUT_SIGMA, 0.0))
    return np.where(near | near_in_cycle, CUT_SIGMA, 0.0)
