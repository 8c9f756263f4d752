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
LEAST_GRADIENT, DENIED, SURELY = 0.015, 0.3, 3.0
"""Gradient (planes per plane) of a field that is looked at, the part of it that planes have to show
at least, and by how many standard errors more."""

BENT, BEND_SIZE, BENT_FROM = 0.2, 1.7, 12
"""Part of all stacks that bend, and by how many planes (a standard deviation) from so many planes
on: the ends of fewer are nearer, and by its square bends less what is as curved."""
NOT_SHOWN, WELL_SHOWN = 0.16, 0.24
"""Standard deviations of the depths of structure, over the planes, up to which and from which on
its planes show none, and as much as they can, of a bend: layers have 0.04 to 0.12, nuclei and beads
0.15 to 0.2, what is at all depths 0.22 to 0.3."""
LAYER = 0.12
"""Standard deviation of the depths, over the planes, below which structure is a layer."""
SHOWN, SHOWN_ERROR = 0.5, 0.3
"""Part of a bend that they show then, as the ends show light of the middle, too; and how much of
that it varies by: of 24 planted bends it was 0.3 to 0.9."""
BEND_ERROR = 0.05
"""Planes: no bend is known better."""
SIZES = np.linspace(-4, 4, 801)
"""Bends that are thought of, in standard deviations."""
LEAST_BEND, BEND_BELIEVED = 0.25, 6.0
"""Distance (planes) of the middle from a line through the ends, beyond which a stack is bent, and
the standard errors of it."""


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


def denies_gradient(places: Places, gradient: float) -> bool:
    """Return whether planes deny that the shift along z changes by `gradient` planes per plane.

    Structure near an end of the stack shows one half of its cone of light only. With optics whose
    cone is wider, as of another colour or with another focus, that half looks as if it lay nearer
    to the end, and sharp planes as if they lay farther from it.
    """
    slope, error = _slope(places)
    seen = slope * np.sign(gradient) + SURELY * error
    return bool(abs(gradient) > LEAST_GRADIENT and seen < DENIED * abs(gradient))


def is_bent(places: Places) -> bool:
    """Return whether the shift along z bends over the depth of the stack, as planes show it."""
    if len(places.planes) < FEWEST_PLANES:
        return False
    bend, error = _bend(places)
    return abs(bend) > max(LEAST_BEND, BEND_BELIEVED * error)


def is_layer(depth_spread: float, planes: int) -> bool:
    """Return whether structure is a layer of a stack of so many planes; few planes show none.

    `depth_spread` (planes) is the standard deviation of its depths.
    """
    return planes >= BENT_FROM and depth_spread < LAYER * planes


def unseen_bend(places: Places, depth_spread: float, planes: int) -> float:
    """Return by how much (planes) a stack of so many planes may bend unseen.

    A standard deviation of how far the ends lie from where the middle says, by Bayes' rule from
    where planes lie. They show less of it the smaller the standard deviation of the structure's
    depths is, `depth_spread` (planes).
    """
    reach = (depth_spread / planes - NOT_SHOWN) / (WELL_SHOWN - NOT_SHOWN)
    bends = SIZES * BEND_SIZE * min(planes / BENT_FROM, 1) ** 2
    shown = SHOWN * np.clip(reach, 0, 1) * bends
    likely = BENT * np.exp(-0.5 * SIZES**2)
    likely /= likely.sum() / BENT
    likely[len(SIZES) // 2] += 1 - BENT
    if len(places.planes) >= FEWEST_PLANES:
        bend, error = _bend(places)
        errors = np.sqrt(error**2 + BEND_ERROR**2 + (SHOWN_ERROR * shown) ** 2)
        likely *= np.exp(-0.5 * ((bend - shown) / errors) ** 2) / errors
    return float(np.sqrt(np.average(bends**2, weights=likely)))


def _bend(places: Places) -> tuple[float, float]:
    """Return how far (planes) the ends lie from where the middle says, and the standard error."""
    along = 2 * (places.planes - places.planes[0]) / np.ptp(places.planes) - 1
    terms = np.column_stack([np.ones_like(along), along, along**2])
    (*_, bend), (*_, error) = fitted(terms, places.away, places.weights)
    return float(bend), float(error)


def _slope(places: Places) -> tuple[float, float]:
    """Return (slope, its standard error) of a line through where planes lie; (0, inf) of few."""
    if len(places.planes) < FEWEST_PLANES:
        return 0.0, np.inf
    terms = np.column_stack([np.ones(len(places.planes)), places.planes])
    (_, slope), (_, error) = fitted(terms, places.away, places.weights)
    return float(slope), float(error)
