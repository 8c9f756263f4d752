"""Whether planes of one stack stop following each other where those of the other do not.

How alike planes are falls with their distance: so the thickness of sections is told from images
(Hanslovsky et al. 2017, doi:10.1093/bioinformatics/btw794). Between two planes of a stage that
slipped, or left some out, it falls more, and where one is doubled less, than between the same
planes of the other stack.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.light_samples import SharedSamples
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, median
from crossreg.fiducial.verdict import Break

Floats = NDArray[np.float64]

FARTHEST = 4
"""Planes between the farthest planes that are compared."""
GROUPS, FEWEST_PARTS = 4, 8
"""Groups of parts that show a break independently of each other, and parts below which none is
told."""
FEWEST_PLANES = 5
"""Boundaries between planes that both stacks show, below which their scatter is not known."""
BELIEVED = 5.0
"""Standard deviations of the scatter from which on a break is believed."""
LEAST_SCATTER = 0.003
"""Scatter at least: no two stacks are that alike."""
LEAST_BREAK = 0.25
"""Part of what a missing plane does that a break does at least: stages are not exact."""
SHOWN_BY_EACH, SURELY, FEWEST_WITNESSES = 0.2, 3.0, 2
"""Part of a break that a group of parts shows at least, or the standard deviations of its own
scatter, and how many groups tell at least: what came, went or moved is in one."""
LASTING = 0.5
"""Part of a break that is left without the plane on either side: a lone odd plane is none."""


def break_of_planes(shared: SharedSamples) -> Break | None:
    """Return where planes of a cycle, or of its reference, stop following each other, if anywhere.

    The parts are those that both show (`shared_samples`).
    """
    if len(shared.here) < FEWEST_PARTS:
        return None
    of_reference, of_cycle = _products(shared.here), _products(shared.there)
    shift_z = median(shared.shift_zyx[:, 0])
    in_cycle, sureness = _likeliest_break(of_cycle, of_reference, shift_z)
    in_reference, as_sure = _likeliest_break(of_reference, of_cycle, -shift_z)
    if in_reference and as_sure > sureness:
        plane = round(in_reference.plane - shift_z)
        return Break(plane, not in_reference.is_repeated)
    return in_cycle


def _products(values: NDArray[np.float32]) -> Floats:
    """Return the products (n, FARTHEST + 1, Z) of planes of parts with those that follow them.

    Of each plane with the first to the last of FARTHEST planes after it; NaN beyond the last. Noise
    of two planes is independent: what planes share with themselves is left out, as NaN.
    """
    result = np.full((len(values), FARTHEST + 1, values.shape[1]), np.nan)
    flat = values.reshape(*values.shape[:2], -1)
    for step in range(1, min(FARTHEST + 1, flat.shape[1])):
        result[:, step, :-step] = np.einsum("nzp,nzp->nz", flat[:, step:], flat[:, :-step])
    return result


def _likeliest_break(own: Floats, other: Floats, shift_z: float) -> tuple[Break | None, float]:
    """Return the surest break of a stack, and its standard deviations; (None, 0.0) if it has none.

    From its products (n, steps, Z) and those of another stack, which lies `shift_z` planes on.
    """
    whole = _apart(own, other, shift_z)
    least = max(BELIEVED * whole.scatter, LEAST_BREAK * _of_missing_plane(other.sum(axis=0)))
    without = [_apart(own, other, shift_z, out) for out in ((1, 0), (0, 1))]
    groups = [_apart(own[n::GROUPS], other[n::GROUPS], shift_z) for n in range(GROUPS)]
    sizes = np.abs(np.nan_to_num(whole.by))
    for plane in np.argsort(-sizes)[: int((sizes > least).sum())].tolist():
        by = float(whole.by[plane])
        lasts = [view.by[plane] / by > LASTING for view in without if np.isfinite(view.by[plane])]
        shown = [group.shows(plane, by) for group in groups if np.isfinite(group.by[plane])]
        if any(lasts) and all(lasts) and len(shown) >= FEWEST_WITNESSES and all(shown):
            return Break(plane, by > 0), abs(by) / whole.scatter
    return None, 0.0


@dataclass(frozen=True)
class _Apart:
    """How much better (Z,) a stack holds together than another one, and the usual `scatter`."""

    by: Floats
    scatter: float = np.inf

    def shows(self, plane: int, by: float) -> bool:
        """Return whether it shows a break of a size before a plane, too."""
        share = self.by[plane] / by
        return bool(share > min(SHOWN_BY_EACH, SURELY * self.scatter / abs(by)))


def _apart(
    own: Floats, other: Floats, shift_z: float, left_out: tuple[int, int] = (0, 0)
) -> _Apart:
    """Return by how much a stack holds together better than another, from plane to plane.

    That is from the one before to each plane; what is usual, the median, is off.
    """
    here, there = (_togetherness(one.sum(axis=0), left_out) for one in (own, other))
    known = np.flatnonzero(np.isfinite(there))
    if not len(known):
        return _Apart(np.full(len(here), np.nan))
    at = np.arange(len(here)) + shift_z
    by = here - np.interp(at, known, there[known], left=np.nan, right=np.nan)
    told = np.isfinite(by)
    if told.sum() < FEWEST_PLANES:
        return _Apart(by)
    by -= median(by[told])
    return _Apart(by, max(median(np.abs(by[told])) / NORMAL_MEDIAN, LEAST_SCATTER))


def _togetherness(products: Floats, left_out: tuple[int, int] = (0, 0)) -> Floats:
    """Return how well (Z,) the planes on either side of a boundary hold together; NaN if unknown.

    It lies before each plane. The logarithm of the products of the last two planes before it and
    the first two after it, with each other, over those of two on one side, so that it does not
    matter how bright a plane is. `left_out` planes, before and after, are not looked at.
    """
    before, after = left_out
    planes = products.shape[1]
    third = np.arange(planes) + after
    second = np.arange(planes) - 1 - before
    inside = (second >= 1) & (third <= planes - 2)
    second, third = second[inside], third[inside]
    apart = third[:1] - second[:1]
    across = (
        products[apart, second],
        products[apart + 2, second - 1],
        products[apart + 1, second - 1],
        products[apart + 1, second],
    )
    along = 2 * (products[1, second - 1], products[1, third])
    result = np.full(planes, np.nan)
    if not inside.any():
        return result
    pairs = np.array([*across, *along])
    shown = np.all(pairs > 0, axis=0)
    logarithms = np.log(np.where(shown, pairs, 1.0))
    value = logarithms[: len(across)].sum(axis=0) - logarithms[len(across) :].sum(axis=0)
    result[inside] = np.where(shown, value, np.nan)
    return result


def _of_missing_plane(products: Floats) -> float:
    """Return by how much worse planes would hold together if one between them were missing."""
    change = _togetherness(products) - _togetherness(products, (0, 1))
    told = np.isfinite(change)
    return max(median(change[told]), 0.0) if told.any() else 0.0
