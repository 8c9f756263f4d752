"""A cycle matched in more than one way, where what lies still on the camera may mislead.

What all planes of a stack share is the camera's: its pattern, dust, hot pixels. Stacks of enough
planes are freed of it when they are binned. In thin ones the specimen shares much of itself between
planes: they are matched without it where enough is left to be sure, else with it.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.binned_stacks import BIN, PLANES_FOR_PATTERN, without_shared
from crossreg.fiducial.evidence.odds_under_field import planes_differ
from crossreg.fiducial.global_shift.shift_of_projections import global_shift
from crossreg.fiducial.local_shift.gathered_evidence import in_the_middle
from crossreg.fiducial.local_shift.known_depth import Change
from crossreg.fiducial.local_shift.measurements import Measurements
from crossreg.fiducial.local_shift.wide_search import WideSearch
from crossreg.fiducial.verdict import CERTAIN, FAILED, REGISTERED, Evidence, judged, lies_still

FEWEST_PLANES = 3
"""Planes from which on a specimen differs enough between them."""
SURE = -10.0
"""Logarithm of the odds of a coincidence from which on enough light is left of thin stacks."""
ELSEWHERE = 4.0
"""Distance (px) from the first start from which on a match is looked for anew."""

Stacks = tuple[NDArray[np.int16], NDArray[np.int16]]


@dataclass(frozen=True)
class Match:
    """What the sub-blocks say, the evidence, and the wide search that they started from.

    `hidden_z` (planes) is how far the cycle may lie from there along z without a trace; its
    shift may `change` with the depth beyond the field. `shift_z` (planes) is that of all planes
    where only their mean matches; None elsewhere, and where it is not known.
    """

    found: Measurements
    hidden_z: float
    change: Change | None
    evidence: Evidence
    search: WideSearch
    shift_z: float | None = None

    @property
    def has_failed(self) -> bool:
        """Return whether the cycle does not match."""
        return judged(self.evidence).name == FAILED

    @property
    def is_registered(self) -> bool:
        """Return whether nothing speaks against the match."""
        return judged(self.evidence).name == REGISTERED


Matcher = Callable[[Stacks, tuple[float, float], bool], Match]


def best_match(
    matched: Matcher, stacks: Stacks, start_yx: tuple[float, float], pool: Executor
) -> Match:
    """Return the match of two binned stacks (Z, y, x) that is to be believed.

    `matched` matches stacks near a start (px), which is `start_yx` where projections have found it,
    and is told whether to free what is measured of what all planes share: where the specimen shows
    alike in all of them, nothing would be left. Projections show that, too: a cycle that fails is
    looked for anew in stacks without it.
    """
    planes = min(map(len, stacks))
    is_freed, freed, first = planes >= PLANES_FOR_PATTERN, stacks, None
    if FEWEST_PLANES <= planes < PLANES_FOR_PATTERN:
        freed = without_shared(stacks[0], pool), without_shared(stacks[1], pool)
        first = matched(freed, start_yx, True)
        if first.evidence.log10_odds < SURE:
            return first
        is_freed = first.evidence.log10_odds <= CERTAIN
    match = matched(stacks, start_yx, is_freed)
    if first and first.is_registered and not match.is_registered:
        return first
    if first and first.has_failed:
        shifts_at = in_the_middle(match.found.field)
        differ = not match.has_failed and planes_differ(freed, shifts_at)
        evidence = replace(match.evidence, is_same_in_planes=True, planes_differ=differ)
        match = replace(match, evidence=evidence)
    if planes < FEWEST_PLANES or not match.has_failed:
        return match
    elsewhere = _start_of(freed)
    if np.hypot(*np.subtract(elsewhere, start_yx)) < ELSEWHERE:
        return match
    other = matched(freed, elsewhere, True)
    return match if other.has_failed else other


def match_of_means(matched: Matcher, means: Stacks, start_yx: tuple[float, float]) -> Match | None:
    """Return the match of the mean planes (1, y, x) of two stacks of many planes, or None.

    Where the focus is deep, nearly all of the specimen is in all planes, and little is left of it
    in stacks that have been freed of what their planes share. What lies still is the camera's.
    """
    match = matched(means, start_yx, False)
    match = replace(match, evidence=replace(match.evidence, is_of_mean=True))
    is_camera = match.has_failed or lies_still(match.evidence.shift_yx)
    return None if is_camera else match


def _start_of(stacks: Stacks) -> tuple[float, float]:
    """Return the global shift (px) of the projections of two binned stacks."""
    images = (stack.max(axis=0) for stack in stacks)
    row, column = global_shift(*images).shift_yx
    return BIN * row, BIN * column
