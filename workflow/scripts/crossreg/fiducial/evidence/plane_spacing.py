"""Whether planes of a cycle are spaced otherwise than those of the reference, or bend."""

import numpy as np

from crossreg.fiducial.evidence.plane_places import Places
from crossreg.fiducial.evidence.plane_products import ComparedPlanes, along_the_same_planes
from crossreg.fiducial.evidence.robust_fit import fitted

FEWEST_PLANES = 8
"""Planes below which no spacing is told."""
USUAL = 0.065
"""Planes by which planes come nearer to each other, each, in tissue that swells: up to 0.057 was
seen in parts of real stacks, 0.028 over a whole one."""
USUAL_IN_TALL = 0.12
"""The same in stacks of several levels, where the field follows a gradient and a bend of tissue: a
bend by one plane over 30 looks like 0.1 planes each."""
BELIEVED = 10.0
"""Standard errors that another spacing exceeds: where the two images are unlike along z, as with
other optics, planes at the ends feign up to 0.2 planes each, but not along a line."""
FASTER, SURE, FOLLOWED = 0.08, 4.0, 0.35
"""How many times as fast (natural logarithm) planes of one stack change where that says that its z
step is another one, too, and the standard errors, and the part of it, that where planes lie has to
show then: with a cone of light wider or narrower by a quarter, planes change up to 1.9 times as
fast, and lie along a line of up to 0.26 of that; another z step left 0.4 to 0.9."""
MOST = 4.0
"""Planes that correspond to one at most: where all lie at one place, they do not tell."""
CONTRADICTED = 0.5
"""Part of it that the field's gradient shows the other way, at which it is not believed: of 17
planted z steps one showed 0.2, all others the same sign; two cones of light unlike, 1.0."""
GROUPS, AGREEING = 4, 5.0
"""Groups of parts, and standard errors of their mean rate from which on it is believed: of 12
planted z steps it was 8.7 to 69, and 0.9 where bright dirt lay in one of the stacks."""
FEWEST_BOUNDARIES = 4
"""Boundaries between planes below which no rate is told."""
LEAST_CHANGE = 1e-3
"""Change (logarithm) from plane to plane, over all of them, at least."""
FEWEST_OF_LAYER = 12
"""Planes from which on structure may be a layer."""
LAYER = 0.12
"""Standard deviation of the depths, over the planes, below which structure is a layer."""


def ratio_of_spacings(places: Places, gradient: float, is_tall: bool, rate: float = 1.0) -> float:
    """Return about how many planes of the cycle correspond to one of the reference.

    From where its planes lie. 1 where they follow those of the reference; where that is not clear;
    or where the field's change of the shift along z, its `gradient` (planes per plane), which rests
    on structure at other depths instead of on other planes, has the other sign. The field of
    a stack that `is_tall` has several levels along z. Planes of the cycle change at a `rate`
    (`rate_of_change`), which is another witness of their step.
    """
    slope, error = _slope(places)
    is_faster = abs(np.log(rate)) > FASTER and slope * (rate - 1) > 0
    is_shown = abs(slope) > max(USUAL, SURE * error, FOLLOWED * abs(rate - 1))
    if is_faster and is_shown and slope * gradient > -CONTRADICTED * slope**2:
        return 1 / rate
    usual = USUAL_IN_TALL if is_tall else USUAL
    is_possible = 1 / MOST < 1 + slope < MOST
    believed = abs(slope) > max(usual, BELIEVED * error) and slope * gradient > 0
    return float(1 / (1 + slope)) if is_possible and believed else 1.0


def rate_of_change(planes: ComparedPlanes) -> float:
    """Return how many times as fast planes of a cycle change along z as those of the reference.

    1 where that is not known, or groups of parts do not agree on it: something came or went in one.
    It is the ratio of their z steps where their optics are the same.
    """
    whole = _rate(planes)
    groups = np.log([_rate(planes.of_every(GROUPS, first)) for first in range(GROUPS)])
    error = float(np.std(groups, ddof=1)) / GROUPS**0.5
    return whole if abs(np.log(whole)) > AGREEING * error else 1.0


def _rate(planes: ComparedPlanes) -> float:
    """Return the rate of change that all parts together show; 1 where that is not known."""
    here = planes.cycle.togetherness((0, 1))
    there = along_the_same_planes(here, planes.reference.togetherness((0, 1)), planes.shift_z)
    known = np.isfinite(there)
    if known.sum() < FEWEST_BOUNDARIES:
        return 1.0
    ratio = float(here[known].sum() / min(there[known].sum(), -LEAST_CHANGE))
    return float(np.sqrt(ratio)) if ratio > 0 else 1.0


def is_layer(depth_spread: float, planes: int) -> bool:
    """Return whether structure is a layer of a stack of so many planes; few planes show none.

    `depth_spread` (planes) is the standard deviation of its depths.
    """
    return planes >= FEWEST_OF_LAYER and depth_spread < LAYER * planes


def _slope(places: Places) -> tuple[float, float]:
    """Return (slope, its standard error) of a line through where planes lie; (0, inf) of few."""
    if len(places.planes) < FEWEST_PLANES:
        return 0.0, np.inf
    terms = np.column_stack([np.ones(len(places.planes)), places.planes])
    (_, slope), (_, error) = fitted(terms, places.away, places.weights)
    return float(slope), float(error)
