"""Linear fits in which values that contradict the others count less."""

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.quantiles import NORMAL_MEDIAN, median

Floats = NDArray[np.float64]

OUTLIER, ROUNDS = 2.0, 4
"""Residual (standard deviations) from which on a plane counts less, and times that they are sought.
"""
FLOOR = 0.05
"""Least standard deviation (planes or px) of where planes lie."""


def fitted(terms: Floats, values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the factors (p,) of `terms` (n, p) that fit `values` (n,), and their standard errors.

    Values that contradict the others count less than their `weights` (n,).
    """
    used = weights
    for _ in range(ROUNDS):
        inverse = np.linalg.pinv((terms.T * used) @ terms)
        found = inverse @ (terms.T * used) @ values
        residuals = values - terms @ found
        sizes = np.abs(residuals) * np.sqrt(weights)
        spread = max(median(sizes) / NORMAL_MEDIAN, FLOOR * float(np.sqrt(median(weights))))
        used = weights / np.square(np.maximum(sizes / (OUTLIER * spread), 1))
    free = max(float((used / weights).sum()) - terms.shape[1], 1.0)
    variance = float(used @ np.square(residuals)) / free + FLOOR**2 * median(weights)
    return found, np.sqrt(variance * np.diagonal(inverse))


def step_beside_parabola(
    planes: NDArray[np.intp], first: int, values: Floats, weights: Floats
) -> tuple[float, float]:
    """Return (step, its standard error) of `values` (n,) at `planes` (n,), before plane `first`.

    It is fitted together with a parabola, as tissue bends: the values are weighted (n,).
    """
    along = 2 * (planes - planes[0]) / (planes[-1] - planes[0]) - 1
    terms = np.column_stack([np.ones_like(along), along, along**2, planes >= first])
    found, errors = fitted(terms, values, weights)
    return float(found[-1]), float(errors[-1])
