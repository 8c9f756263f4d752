"""How far structure that took no part in a fit lies from the field: an error seen, not computed."""

from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.field import smooth_field
from crossreg.fiducial.field.motion import Motion
from crossreg.fiducial.field.smooth_field import SmoothField
from crossreg.fiducial.local_shift.measurements import SubBlockShifts
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, medians

CELL = 48.0
"""Edge (px) of the squares of a chessboard whose colours are held out in turn: a sub-block."""
FEWEST = 4
"""Sub-blocks of each colour below which there are too few to compare: nine squares have four black
ones."""


def held_out_residual(
    whole: SmoothField, found: SubBlockShifts, motion: Motion, pool: Executor
) -> NDArray[np.float64]:
    """Return the typical residual of sub-blocks from a field that is fitted without them.

    The image is a chessboard; the field through one colour predicts what the other shows. What
    sub-blocks of all depths in one place show is held out together. The residuals hold the noise
    of the sub-blocks themselves, and the field lacks half of its evidence: an upper limit. Only
    which of them count less, since they contradict all others, is taken from the whole field.

    Parameters
    ----------
    whole : SmoothField
        The field through all useful sub-blocks.
    found : SubBlockShifts
        What the sub-blocks show.
    motion : Motion
        As in `smooth_field.fit`.
    pool : Executor
        Whose threads share the components.

    Returns
    -------
    residual : (3,)
        Standard deviation (planes, px, px), by the median of the absolute values; NaN where there
        are too few sub-blocks.

    """
    used = found.useful_ones
    shifts, positions, spreads = used.shift_zyx, used.position_zyx, used.spread_zyx
    white = (positions[:, 1:] // CELL).sum(axis=1) % 2 == 0
    residuals = np.full(shifts.shape, np.nan)
    if min(white.sum(), (~white).sum()) < FEWEST:
        return np.full(3, np.nan)
    sigmas = np.sqrt(whole.variances_zyx)
    for held in (white, ~white):
        field = smooth_field.fit(
            whole.domain, positions[~held], shifts[~held], sigmas[~held], pool,
            spread_zyx=spreads[~held], rough=True, motion=motion, with_outliers=False,
        )  # fmt: skip
        residuals[held] = shifts[held] - field.shift_at(positions[held])
    residual: NDArray[np.float64] = medians(np.abs(residuals), 0) / NORMAL_MEDIAN
    return residual
