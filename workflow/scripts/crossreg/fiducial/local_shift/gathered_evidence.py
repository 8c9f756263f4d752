"""The evidence on one cycle, gathered from its stack and from what its sub-blocks say."""

from concurrent.futures import Executor, Future
from dataclasses import replace

import numpy as np

from crossreg.fiducial.correlation.binned_stacks import PLANES_FOR_PATTERN, Stacks
from crossreg.fiducial.evidence.deformation import ShiftsAt, contradiction, turn_and_shear
from crossreg.fiducial.evidence.image_faults import (
    is_copy,
    is_pattern,
    is_saturated,
    share_of_copied_planes,
)
from crossreg.fiducial.evidence.odds_under_field import (
    likeness,
    parts_lie_still,
    unlike_and_skewness,
)
from crossreg.fiducial.evidence.whole_planes import WholePlanes
from crossreg.fiducial.field.smooth_field import SmoothField
from crossreg.fiducial.local_shift.depth_evidence import DepthEvidence
from crossreg.fiducial.local_shift.known_depth import LEAST_PLANES
from crossreg.fiducial.local_shift.light import Light
from crossreg.fiducial.local_shift.measurements import Measurements
from crossreg.fiducial.turn import Turn
from crossreg.fiducial.verdict import (
    Evidence,
    SeenAtRest,
    SeenOwnMotion,
    is_where_dust_is,
    lies_still,
    may_be_whole,
)

FEWEST_MOVED = 2
"""Sub-blocks that moved by themselves below which nothing is said of the cycle."""
FEWEST_MATCHING = 2
"""Blocks that match by themselves in every cycle that does: of 80 pairs, far apart, turned, or of
three to twelve beads, all that were registered had three or more."""
FEWEST_MEASURED = 3
"""Measured blocks below which no more than one shift can be told: three hold an affine field."""


def gathered_evidence(
    stacks: tuple[np.ndarray, np.ndarray],
    light: Light,
    found: Measurements,
    planes: Future[WholePlanes],
    turn: Turn,
    global_shift_yx: tuple[float, float],
    is_rigid: bool,
    pool: Executor,
) -> Evidence:
    """Return the evidence from two binned stacks, both as read, and what sub-blocks say.

    The cycle has been turned back by `turn` beforehand, and its field is that of what was left,
    which is but one shift where the motion `is_rigid`. `planes` gives what whole planes say.
    """
    field = found.field
    shifts_at = in_the_middle(field)
    middle_yx = turn.total(turn.middle_yx[None], shifts_at(turn.middle_yx[None]))[0]
    shift_z = float(field.shift_at(field.domain.middle_zyx[None])[0, 0])
    turn_left, shear = turn_and_shear(shifts_at, field.domain.image_shape)
    copy = pool.submit(is_copy, *stacks)
    copied = None if turn else pool.submit(share_of_copied_planes, *stacks)
    saturated = pool.submit(is_saturated, light.cycle)
    along_z = DepthEvidence.sought(stacks, light, field.shift_at, shifts_at, pool)
    match = likeness(stacks, shifts_at, shift_z, turn.degrees, pool)
    shift_yx = float(middle_yx[0]), float(middle_yx[1])
    is_thin = min(map(len, stacks)) < PLANES_FOR_PATTERN
    may_be_dust = is_thin and _may_be_dust(shift_yx, _sigma_yx(field), global_shift_yx)
    evidence = Evidence(
        log10_odds=match.log10_odds,
        shift_yx=shift_yx,
        global_shift_yx=global_shift_yx,
        contradiction=contradiction(
            turn.start(global_shift_yx), shifts_at, field.domain.image_shape
        ),
        own_motion=_seen_own_motion(found),
        unmatched=found.moved.unmatched_at_most if may_be_dust else found.moved.unmatched,
        matching=float(found.matching.mean()),
        is_thin=is_thin,
        may_be_dust=may_be_dust,
        turn=turn_left,
        shear=shear,
        is_lonely=bool(found.matching.sum() < min(FEWEST_MATCHING, len(found.matching))),
        is_turn_open=bool(turn) and (is_rigid or found.matching.sum() < FEWEST_MEASURED),
        is_by_planes=match.is_by_planes,
        is_inverted=match.is_opposite,
        is_copy=copy.result(),
        copied=copied.result() if copied else 0.0,
        is_saturated=saturated.result(),
    )
    is_tall = field.domain.levels > 1
    return along_z.added_to(evidence, planes.result(), shift_z, gradient_z(field), is_tall)


def _may_be_dust(
    shift_yx: tuple[float, float],
    sigma_yx: tuple[float, float],
    global_shift_yx: tuple[float, float],
) -> bool:
    """Return whether what matches at a shift (px), with standard errors, may lie as dust would.

    The global shift is drawn by dust, too, but near whole pixels it lies by chance as well.
    """
    is_drawn = is_where_dust_is(global_shift_yx) and may_be_whole(shift_yx, sigma_yx)
    return is_where_dust_is(shift_yx) or lies_still(global_shift_yx) or is_drawn


def _seen_own_motion(found: Measurements) -> SeenOwnMotion | None:
    """Return what moved by itself, for the verdict; None where hardly anything did."""
    moved = found.moved
    share = len(moved.sub_blocks) / max(moved.is_clear.sum(), 1)
    if len(moved.sub_blocks) < FEWEST_MOVED:
        return None
    farthest = float(np.hypot(moved.by_zyx[:, 1], moved.by_zyx[:, 2]).max())
    return SeenOwnMotion(
        share, int((found.moved_share > 0).sum()), len(found.moved_share), farthest
    )


def with_camera(
    evidence: Evidence, stacks: Stacks, found: Measurements, turn: Turn, is_freed: bool
) -> Evidence:
    """Return the evidence with what speaks for a pattern of the camera in two binned stacks.

    Those that have been freed of what all planes share may still show what lies in some of them; of
    many planes that is little. In a cycle that was turned back nothing lies still any more.
    """
    is_thin = min(map(len, stacks)) < PLANES_FOR_PATTERN
    may_lie_still = is_thin and not turn
    is_a_plane = min(map(len, stacks)) < LEAST_PLANES
    is_at_rest = is_where_dust_is(evidence.shift_yx) or not (
        is_a_plane or is_freed or not may_be_whole(evidence.shift_yx, _sigma_yx(found.field))
    )
    return replace(
        evidence,
        is_pattern=not is_freed and is_pattern(*stacks),
        is_partly_still=may_lie_still
        and parts_lie_still(stacks, in_the_middle(found.field), bool(evidence.own_motion)),
        at_rest=(
            SeenAtRest(*unlike_and_skewness(stacks, in_the_middle(found.field)), is_a_plane)
            if may_lie_still and is_at_rest
            else None
        ),
    )


def gradient_z(field: SmoothField) -> float:
    """Return by how many planes a field changes from plane to plane, in the middle of the image."""
    domain = field.domain
    ends = domain.middle_zyx + np.outer([-1, 1], [domain.middle_plane, 0, 0])
    first, last = field.shift_at(ends)[:, 0].tolist()
    return float(last - first) / max(domain.planes - 1, 1)


def in_the_middle(field: SmoothField) -> ShiftsAt:
    """Return the function of the shifts (n, 2) at positions (n, 2) of a field's middle plane."""
    shifts_zyx_at = in_the_middle_zyx(field)
    return lambda places_yx: shifts_zyx_at(places_yx)[:, 1:]


def _sigma_yx(field: SmoothField) -> tuple[float, float]:
    """Return the standard errors (px) of the shift in the middle of a field."""
    _, row, column = field.at(field.domain.middle_zyx[None])[1][0].tolist()
    return row, column


def in_the_middle_zyx(field: SmoothField) -> ShiftsAt:
    """Return the function of the shifts (n, 3) at positions (n, 2) of a field's middle plane."""

    def shifts_at(places_yx: np.ndarray) -> np.ndarray:
        depth = np.full(len(places_yx), field.domain.middle_plane)
        return field.shift_at(np.column_stack([depth, places_yx]))

    return shifts_at
