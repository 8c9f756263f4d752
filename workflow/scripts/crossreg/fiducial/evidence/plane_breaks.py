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
AROUND = 8
"""Planes around a break whose scatter counts, too: where little is seen it is larger."""
LEAST_SCATTER = 0.003
"""Scatter at least: no two stacks are that alike."""
LEAST_BREAK = 0.5
"""Part of what a missing plane does that a break does at least: stages are not exact, and optics
that differ do up to 0.4 of it. A doubled plane does 0.6 and more."""
SHOWN_BY_EACH, SURELY, FEWEST_WITNESSES = 0.2, 3.0, 3
"""Part of a break that a group of parts shows at least, or the standard deviations of its own
scatter, and how many groups tell at least: what came, went or moved is in one."""
AGREEING, LARGE = 2.5, 2.0
"""Standard errors of their mean on which groups agree at least: where spots come and go, they do
not. A slip may show in some of them far more than in others: what does more than this many missing
planes need not be as large in all."""
NEAR, LEFT = 1.0, 0.3
"""Distance (planes) of the planes of the other stack between which a plane lies, and the part of a
break that is left beside the one of them that is most like it."""
LASTING = 0.5
"""Part of a break that is left without the plane on either side: a lone odd plane is none."""


def break_of_planes(planes: ComparedPlanes) -> Break | None:
    """Return where planes of a cycle, or of its reference, stop following each other, if any do."""
    reference, cycle, shift_z = planes.reference, planes.cycle, planes.shift_z
    if len(cycle.products) < FEWEST_PARTS:
        return None
    in_cycle, size = _largest_break(cycle, reference, shift_z)
    in_reference, other_size = _largest_break(reference, cycle, -shift_z)
    if in_reference and other_size > size:
        plane = round(in_reference.plane - shift_z)
        return Break(plane, not in_reference.is_repeated)
    return in_cycle


def _largest_break(
    own: PlaneProducts, other: PlaneProducts, shift_z: float
) -> tuple[Break | None, float]:
    """Return the largest break of a stack, and its size; (None, 0.0) if it has none.

    The `other` stack lies `shift_z` planes on.
    """
    here, there = own.togetherness(), other.togetherness()
    whole = _Apart.between(own, other, shift_z)
    usual = max(_of_missing_plane(own), _of_missing_plane(other))
    without = [_Apart.between(own, other, shift_z, out) for out in ((1, 0), (0, 1))]
    groups = [
        _Apart.between(own.of_every(GROUPS, n), other.of_every(GROUPS, n), shift_z)
        for n in range(GROUPS)
    ]
    best, largest = None, 0.0
    for plane in np.flatnonzero(np.abs(whole.by) > LEAST_BREAK * usual).tolist():
        by, sureness = whole.beside(plane)
        is_large = abs(by) > LARGE * usual
        left = np.array([view.by[plane] / by for view in without])
        known = np.isfinite(left)
        lasts = (known.all() or (is_large and known.any())) and (left[known] > LASTING).all()
        witnesses = [group for group in groups if np.isfinite(group.by[plane])]
        is_seen = len(witnesses) >= FEWEST_WITNESSES and all(
            group.shows(plane, by) for group in witnesses
        )
        stands_out = _stands_out(here[plane], there, plane + shift_z, by)
        agree = is_large or _agree([group.by[plane] for group in witnesses])
        if abs(by) > largest and sureness > BELIEVED and is_seen and stands_out and agree and lasts:
            best, largest = Break(plane, by > 0), abs(by)
    return best, largest


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
        away = np.abs(np.arange(len(self.by)) - plane)
        others = [np.isfinite(self.by) & (away > 1) & (away < reach) for reach in (AROUND, np.inf)]
        if others[1].sum() < FEWEST_PLANES:
            return float(self.by[plane]), 0.0
        by = float(self.by[plane]) - median(self.by[others[1]])
        return by, abs(by) / max(_scatter(self.by[near]) for near in others if near.any())

    def shows(self, plane: int, by: float) -> bool:
        """Return whether it shows a break of a size before a plane, too."""
        surely = SURELY * _scatter(self.by[np.isfinite(self.by)])
        return bool(self.by[plane] / by > min(SHOWN_BY_EACH, surely / abs(by)))


def _stands_out(here: float, there: Floats, place: float, by: float) -> bool:
    """Return whether a break is none of what the other stack shows between two of its planes.

    `here` is how well planes hold together at the break, `there` (Z,) those of the other stack, in
    which it lies at a `place`. Few large things make one boundary unlike the next in both stacks.
    """
    beside = np.abs(np.arange(len(there)) - place) < NEAR
    left = (here - there[beside & np.isfinite(there)]) / by
    return bool(len(left) and left.min() > LEFT)


def _agree(values: list[float]) -> bool:
    """Return whether values of independent groups agree on their mean."""
    if len(values) < FEWEST_WITNESSES:
        return False
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    return bool(abs(np.mean(values)) > AGREEING * error)


def _scatter(values: Floats) -> float:
    """Return the standard deviation of values, most of which are usual."""
    spread = median(np.abs(values - median(values))) / NORMAL_MEDIAN
    return max(spread, LEAST_SCATTER)


def _of_missing_plane(stack: PlaneProducts) -> float:
    """Return by how much less planes would hold together if one between them were missing."""
    change = stack.togetherness() - stack.togetherness((0, 1))
    known = np.isfinite(change)
    return max(median(change[known]), 0.0) if known.any() else 0.0
