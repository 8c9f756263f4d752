"""Whether planes of one stack stop following each other where those of the other do not.

Between two planes of a stage that slipped, or left some out, planes hold together less, and where
one is doubled more, than the same planes of the other stack.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.evidence.plane_products import (
    ComparedPlanes,
    PlaneProducts,
    along_the_same_planes,
)
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, median
from crossreg.fiducial.verdict import Break

Floats = NDArray[np.float64]

GROUPS, FEWEST_PARTS = 4, 8
"""Groups of parts that show a break independently of each other, and parts below which none is
told."""
FEWEST_PLANES = 4
"""Boundaries beside a break that both stacks show, below which their scatter is not known."""
BELIEVED = 7.0
"""Standard deviations of the scatter beside a break from which on it is believed: of 213 planted
pairs without one the highest that all groups show reached 6.2."""
LEAST_SCATTER = 0.003
"""Scatter at least: no two stacks are that alike."""
LEAST_BREAK = 0.25
"""Part of what a missing plane does that a break does at least: stages are not exact."""
SHOWN_BY_EACH, SURELY, FEWEST_WITNESSES = 0.2, 3.0, 2
"""Part of a break that a group of parts shows at least, or the standard deviations of its own
scatter, and how many groups tell at least: what came, went or moved is in one."""
LASTING = 0.5
"""Part of a break that is left without the plane on either side: a lone odd plane is none."""


def break_of_planes(planes: ComparedPlanes) -> Break | None:
    """Return where planes of a cycle, or of its reference, stop following each other, if any do."""
    reference, cycle, shift_z = planes.reference, planes.cycle, planes.shift_z
    if len(cycle.products) < FEWEST_PARTS:
        return None
    in_cycle, sureness = _surest_break(cycle, reference, shift_z)
    in_reference, as_sure = _surest_break(reference, cycle, -shift_z)
    if in_reference and as_sure > sureness:
        plane = round(in_reference.plane - shift_z)
        return Break(plane, not in_reference.is_repeated)
    return in_cycle


def _surest_break(
    own: PlaneProducts, other: PlaneProducts, shift_z: float
) -> tuple[Break | None, float]:
    """Return the surest break of a stack, and its standard deviations; (None, 0.0) if it has none.

    The `other` stack lies `shift_z` planes on.
    """
    whole = _Apart.between(own, other, shift_z)
    least = LEAST_BREAK * _of_missing_plane(other)
    without = [_Apart.between(own, other, shift_z, out) for out in ((1, 0), (0, 1))]
    groups = [
        _Apart.between(own.of_every(GROUPS, n), other.of_every(GROUPS, n), shift_z)
        for n in range(GROUPS)
    ]
    best, most = None, BELIEVED
    for plane in np.flatnonzero(np.abs(whole.by) > least).tolist():
        by, sureness = whole.beside(plane)
        lasts = [view.by[plane] / by > LASTING for view in without if np.isfinite(view.by[plane])]
        shown = [group.shows(plane, by) for group in groups if np.isfinite(group.by[plane])]
        is_seen = len(shown) >= FEWEST_WITNESSES and all(shown)
        if sureness > most and is_seen and any(lasts) and all(lasts):
            best, most = Break(plane, by > 0), sureness
    return best, most if best else 0.0


@dataclass(frozen=True)
class _Apart:
    """By how much more (Z,) planes of a stack hold together than those of another one.

    What is usual, the median, is off. NaN where it is not known.
    """

    by: Floats

    @classmethod
    def between(
        cls,
        own: PlaneProducts,
        other: PlaneProducts,
        shift_z: float,
        left_out: tuple[int, int] = (0, 0),
    ) -> "_Apart":
        """Return it of a stack and the one that lies `shift_z` planes on (`togetherness`)."""
        here = own.togetherness(left_out)
        by = here - along_the_same_planes(here, other.togetherness(left_out), shift_z)
        known = np.isfinite(by)
        return cls(by - median(by[known]) if known.any() else by)

    def beside(self, plane: int) -> tuple[float, float]:
        """Return how much it is before a plane, beside what is usual elsewhere, and how sure."""
        near = np.abs(np.arange(len(self.by)) - plane) < 2
        others = self.by[np.isfinite(self.by) & ~near]
        if len(others) < FEWEST_PLANES:
            return float(self.by[plane]), 0.0
        by = float(self.by[plane]) - median(others)
        return by, abs(by) / _scatter(others)

    def shows(self, plane: int, by: float) -> bool:
        """Return whether it shows a break of a size before a plane, too."""
        surely = SURELY * _scatter(self.by[np.isfinite(self.by)])
        return bool(self.by[plane] / by > min(SHOWN_BY_EACH, surely / abs(by)))


def _scatter(values: Floats) -> float:
    """Return the standard deviation of values, most of which are usual."""
    spread = median(np.abs(values - median(values))) / NORMAL_MEDIAN
    return max(spread, LEAST_SCATTER)


def _of_missing_plane(stack: PlaneProducts) -> float:
    """Return by how much less planes would hold together if one between them were missing."""
    change = stack.togetherness() - stack.togetherness((0, 1))
    known = np.isfinite(change)
    return max(median(change[known]), 0.0) if known.any() else 0.0
