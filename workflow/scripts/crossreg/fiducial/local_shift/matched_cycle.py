"""A cycle matched with its reference: as it is, by the means of its planes, without its lean."""

from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from crossreg.fiducial.block_grid import Block
from crossreg.fiducial.correlation.binned_stacks import (
    PLANES_FOR_PATTERN,
    binned_stack,
    stack_of_mean,
)
from crossreg.fiducial.correlation.still_outlines import without_still_outlines
from crossreg.fiducial.correlation.still_waves import without_still_waves
from crossreg.fiducial.evidence.image_faults import is_inverted
from crossreg.fiducial.evidence.plane_lean import lean_of_planes
from crossreg.fiducial.field.motion import Motion
from crossreg.fiducial.field.one_shift import OneShift
from crossreg.fiducial.lean import Lean
from crossreg.fiducial.local_shift.attempts import Match, best_match, match_of_means
from crossreg.fiducial.local_shift.cycle_matcher import CycleMatcher
from crossreg.fiducial.local_shift.known_depth import Depth, cut_by_ends, stacks_to_match
from crossreg.fiducial.local_shift.light import Light
from crossreg.fiducial.reference import Reference
from crossreg.fiducial.turn import Turn


@dataclass(frozen=True)
class MatchedCycle:
    """How a cycle matches, what is known along z, and the lean that was taken off it, if any."""

    match: Match
    depth: Depth
    lean: Lean | None = None


@dataclass(frozen=True)
class Matching:
    """Matches a cycle with a reference.

    `blocks` are those that the image is cut into, `turn` that by which the cycle was turned back
    beforehand, `global_shift_yx` (px) what was found for it as it is. `motion` is how it may move;
    where it `is_interpolated` along z, nothing is said of how its planes follow each other. The
    threads of `pool` share the work.
    """

    reference: Reference
    blocks: list[Block]
    turn: Turn
    global_shift_yx: tuple[float, float]
    motion: Motion
    is_interpolated: bool
    pool: Executor

    def matched(self, cycle: np.ndarray) -> MatchedCycle:
        """Return how the kept planes (Z, Y, X) of a cycle, turned back, match.

        A cycle that leans is matched once more without its lean.
        """
        match, depth, light = self._as_it_is(cycle)
        if match.has_failed:
            return MatchedCycle(match, depth)
        lean = self._lean(match, depth, light)
        if lean:
            middle = match.found.field.domain.middle_zyx[None]
            shift_z = float(match.found.field.shift_at(middle)[0, 0])
            upright, depth_then, light_then = self._as_it_is(
                lean.upright(cycle, shift_z, self.pool)
            )
            if not upright.has_failed:
                return MatchedCycle(upright, _told_by_match(depth_then, upright, light_then), lean)
        return MatchedCycle(match, _told_by_match(depth, match, light))

    def _as_it_is(self, cycle: np.ndarray) -> tuple[Match, Depth, Light]:
        """Return how a cycle matches, what is known along z beforehand, and its light."""
        start_yx, pool = self.turn.start(self.global_shift_yx), self.pool
        here, there = self.reference.binned, binned_stack(cycle, pool)
        if not self.turn:
            here, there = without_still_waves(here, there, start_yx, pool)
            here, there = without_still_outlines(here, there, start_yx)
        light = Light(self.reference.light, cycle, self.is_interpolated)
        stacks, depth = stacks_to_match((here.planes, there.planes), start_yx)
        matcher = CycleMatcher(
            self.reference.image_shape,
            self.blocks,
            light,
            self.motion,
            self.turn,
            self.global_shift_yx,
            is_inverted(here.skewness, there.skewness),
            pool,
        )
        match = best_match(matcher.matched, stacks, start_yx, pool)
        is_weak = match.has_failed or match.evidence.is_by_planes
        if is_weak and depth.planes >= PLANES_FOR_PATTERN:
            means = stack_of_mean(here.mean, pool), stack_of_mean(there.mean, pool)
            of_means = match_of_means(matcher.matched, means, start_yx)
            if of_means:
                of_means = matcher.along_z(of_means, stacks, (here.mean, there.mean))
            if of_means and (match.has_failed or of_means.is_registered):
                match = of_means
        return match, depth, light

    def _lean(self, match: Match, depth: Depth, light: Light) -> Lean | None:
        """Return how the cycle leans, if it does.

        A layer does not say how shifts change with the depth, nor do blocks that are too few for
        gradients; a stage that slipped is told, not followed.
        """
        found, evidence = match.found, match.evidence
        is_mean = evidence.is_of_mean or match.shift_z is not None or depth.plane_shift is not None
        slipped = evidence.slip or evidence.plane_break or evidence.jump
        if self.motion.is_rigid or is_mean or slipped or isinstance(found.field, OneShift):
            return None
        if found.sub_blocks.is_layer(found.field.domain):
            return None
        shared = light.shared(found.field.shift_at)
        return lean_of_planes(shared) if shared else None


def _told_by_match(depth: Depth, match: Match, light: Light) -> Depth:
    """Return what is known along z once two stacks match."""
    if match.evidence.is_of_mean:
        return Depth(1)
    if match.shift_z is not None:
        return Depth(depth.planes, match.shift_z)
    if not depth.is_searched:
        return depth
    cut = cut_by_ends(light, match.found.field)
    return replace(
        depth, is_open=match.evidence.is_z_open, cut=cut, hidden=match.hidden_z, change=match.change
    )
