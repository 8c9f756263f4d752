"""Whether planes of one stack stop following each other where those of the other do not.

Between two planes of a stage that slipped, or left some out, planes hold together less, and where
one is doubled more, than the same planes of the other stack.
"""

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.evidence.plane_products import (
    ComparedPlanes,
    PlaneProducts,
    along_the_same_planes,
)
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, median
from crossreg.fiducial.verdict import Break, Jump

Floats = NDArray[np.float64]

GROUPS, FEWEST_PARTS = 4, 8
"""Groups of parts that show a break independently of each other, and parts below which none is
told."""
FEWEST_PLANES, OF_FEW = 4, 0.1
"""Boundaries beside a break that both stacks show, below which their scatter is not known well: it
is taken for this part of what a missing plane does, at least. Of 15 good stacks of 8 planes none
had a boundary beyond 0.14 of it."""
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
CONTRARY, FEWEST_WITNESSES = 0.3, 3
"""Part of a break that no group of parts shows the other way, and how many groups tell at least."""
AGREEING = {3: 3.15, 4: 2.5}
"""Standard errors of their mean on which 3 or 4 groups agree at least, of equal odds by Student's
t: where spots come and go, they do not."""
LARGE = 2.0
"""Missing planes beyond which a break is told near an end, too, with planes on one side alone."""
CONFIRMED, SURELY = 0.35, 3.0
"""Part of what a missing plane does, and standard deviations, that a jump along z shows at least:
of 35 planted ones the least was 0.49 and 3.7, where a plane of filaments was doubled; of 5 jumps
that were not there the most was 0.24."""
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


def confirms_jump(planes: ComparedPlanes, jump: Jump) -> bool:
    """Return whether planes stop following each other at a jump along z, as they have to."""
    apart = _apart(planes.cycle, planes.reference, planes.shift_z)
    of_missing = max(map(_of_missing_plane, (planes.cycle, planes.reference)))
    more, sureness = _beside(apart, jump.plane, of_missing)
    return bool(sureness > SURELY and -np.sign(jump.by) * more > CONFIRMED * of_missing)


def _largest_break(
    own: PlaneProducts, other: PlaneProducts, shift_z: float
) -> tuple[Break | None, float]:
    """Return the largest break of a stack, and its size; (None, 0.0) if it has none.

    The `other` stack lies `shift_z` planes on.
    """
    here, there = own.togetherness(), other.togetherness()
    whole = _apart(own, other, shift_z)
    of_missing = max(_of_missing_plane(own), _of_missing_plane(other))
    without = [_apart(own, other, shift_z, out) for out in ((1, 0), (0, 1))]
    groups = [
        _apart(own.of_every(GROUPS, n), other.of_every(GROUPS, n), shift_z) for n in range(GROUPS)
    ]
    best, largest = None, 0.0
    for plane in np.flatnonzero(np.abs(whole) > LEAST_BREAK * of_missing).tolist():
        by, sureness = _beside(whole, plane, of_missing)
        if abs(by) <= largest or sureness <= BELIEVED:
            continue
        is_large = abs(by) > LARGE * of_missing
        left = np.array([view[plane] / by for view in without])
        known = np.isfinite(left)
        lasts = (known.all() or (is_large and known.any())) and (left[known] > LASTING).all()
        seen = np.array([group[plane] / by for group in groups])
        seen = seen[np.isfinite(seen)]
        is_seen = len(seen) >= FEWEST_WITNESSES and seen.min() > -CONTRARY and _agree(seen)
        stands_out = _stands_out(here[plane], there, plane + shift_z, by)
        if is_seen and stands_out and lasts:
            best, largest = Break(plane, by > 0), abs(by)
    return best, largest


def _apart(
    own: PlaneProducts, other: PlaneProducts, shift_z: float, left_out: tuple[int, int] = (0, 0)
) -> Floats:
    """Return by how much more (Z,) planes of a stack hold together than those of another one.

    The other lies `shift_z` planes on. What is usual, the median, is off. NaN where it is not
    known.
    """
    here = own.togetherness(left_out)
    more = here - along_the_same_planes(here, other.togetherness(left_out), shift_z)
    known = np.isfinite(more)
    return more - median(more[known]) if known.any() else more


def _beside(apart: Floats, plane: int, of_missing: float) -> tuple[float, float]:
    """Return how much it is (Z,) before a plane, beside what is usual elsewhere, and how sure."""
    away = np.abs(np.arange(len(apart)) - plane)
    others = [np.isfinite(apart) & (away > 1) & (away < reach) for reach in (AROUND, np.inf)]
    if not others[1].any():
        return float(apart[plane]), 0.0
    least = LEAST_SCATTER if others[1].sum() >= FEWEST_PLANES else OF_FEW * of_missing
    by = float(apart[plane]) - median(apart[others[1]])
    scatter = max(least, *(_scatter(apart[near]) for near in others if near.any()))
    return by, abs(by) / scatter if scatter else 0.0


def _stands_out(here: float, there: Floats, place: float, by: float) -> bool:
    """Return whether a break is none of what the other stack shows between two of its planes.

    `here` is how well planes hold together at the break, `there` (Z,) those of the other stack, in
    which it lies at a `place`. Few large things make one boundary unlike the next in both stacks.
    """
    beside = np.abs(np.arange(len(there)) - place) < NEAR
    left = (here - there[beside & np.isfinite(there)]) / by
    return bool(len(left) and left.min() > LEFT)


def _agree(values: Floats) -> bool:
    """Return whether values of independent groups agree on their mean."""
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    return bool(abs(np.mean(values)) > AGREEING[len(values)] * error)


def _scatter(values: Floats) -> float:
    """Return the standard deviation of values, most of which are usual."""
    return median(np.abs(values - median(values))) / NORMAL_MEDIAN


def _of_missing_plane(stack: PlaneProducts) -> float:
    """Return by how much less planes would hold together if one between them were missing."""
    change = stack.togetherness() - stack.togetherness((0, 1))
    known = np.isfinite(change)
    return max(median(change[known]), 0.0) if known.any() else 0.0
