"""Which z step of the cycle, in those of the reference, explains how alike all planes are."""

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.evidence.depth_course import (
    LEAST_SHOWN,
    AllProducts,
    DepthCourse,
    course_of,
)
from crossreg.fiducial.field.grid_spline import interpolation

Floats = NDArray[np.float64]

RATIOS = np.array([1 / 4, 1 / 3, 1 / 2, 2 / 3, 4 / 5, 1.0, 5 / 4, 3 / 2, 2.0, 3.0, 4.0])
"""Planes of the cycle for one plane of the reference that are tried, forwards and backwards."""
EXPLAINED = 0.02
"""Part of the products' squares that a course may leave where no other step is looked for: courses
of 130 planted stacks left 0.0001 to 0.005, and 0.01 to 0.06 with other optics; with steps that
differ by half and more they leave 0.03 to 0.5."""
CLEARLY = 0.35
"""By how much less (logarithm) another step has to leave: of 70 planted stacks and parts of
stacks with one step all left as much with it, or 0.3 less; of steps of a half and of two,
0.65 to 5 less."""
USUAL, SURE = 0.1, 4.0
"""Logarithm of a course's step from which on it is told, as tissue that swells shows 0.05, and the
standard errors of it."""
STEP = 0.25
"""Planes between the offsets that are tried."""
LEAST_OVERLAP, FEWEST = 0.6, 4
"""Part of the planes, of the stack with fewer matching ones, that meet at least; their number."""
TINY = 1e-12


def ratio_of_z_steps(products: AllProducts, course: DepthCourse | None) -> float | None:
    """Return how many planes of the cycle follow each other for one plane of the reference.

    `course` is what the products say of the depths near where the cycle was found. 1 where no other
    step explains them clearly better, None where the course does not tell; negative where the
    planes of the cycle run the other way.
    """
    if course and course.left < EXPLAINED:
        error = float(course.sigma[0]) / course.half
        if abs(np.log(max(course.z_ratio, TINY))) > max(USUAL, SURE * error):
            return course.z_ratio
        return 1.0 if error < USUAL / 2 else None
    if not course or products.shown < LEAST_SHOWN:
        return None
    whole = products.whole()
    across, here, there = whole.across[0], whole.here[0], whole.there[0]
    signed = np.concatenate([RATIOS, -RATIOS])
    left = _least_left(across, here, 1 / signed) + _least_left(across.T, there, signed)
    best = int(left.argmin())
    if left[best] > left[list(signed).index(1.0)] - 2 * CLEARLY:
        return None
    near = course_of(products, (1 - signed[best]) * course.half) if signed[best] > 0 else None
    return near.z_ratio if near and near.left < course.left else float(signed[best])


def _least_left(measured: Floats, own: Floats, steps: Floats) -> Floats:
    """Return the logarithm (n,) of what lines of some steps (n,) leave of products (Z, Z') at best.

    A line reads the products of a stack with `own` (Z, Z) planes at places that are a step apart.
    """
    planes, of_other = measured.shape
    fine = np.arange(0, planes - 1 + STEP / 2, STEP)
    table = own @ interpolation(planes, fine).T
    with_other, with_each, others = measured.T @ table, table.T @ table, measured.T @ measured
    result = np.zeros(len(steps))
    numbers = np.arange(of_other) - (of_other - 1) / 2
    for count, step in enumerate(steps):
        need = max(LEAST_OVERLAP * min(of_other, planes / abs(step)), FEWEST)
        for offset in np.arange(-0.6 * planes, 0.6 * planes, STEP):
            at = np.rint((step * numbers + (planes - 1) / 2 + offset) / STEP).astype(int)
            shown = np.flatnonzero((at >= 0) & (at < len(fine)))
            if len(shown) < need:
                continue
            at = at[shown]
            alike = _centred_sum(with_other[np.ix_(shown, at)])
            sizes = _centred_sum(with_each[np.ix_(at, at)]) * _centred_sum(
                others[np.ix_(shown, shown)]
            )
            explained = alike * abs(alike) / max(sizes, TINY)
            result[count] = min(result[count], np.log(max(1 - explained, TINY)))
    return result


def _centred_sum(products: Floats) -> float:
    """Return the sum of products (n, n) of pairs, from vectors without their mean."""
    return float(np.trace(products) - products.sum() / len(products))
