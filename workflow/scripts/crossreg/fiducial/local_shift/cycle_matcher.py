"""How two binned stacks match: the shifts of sub-blocks, the field through these, the evidence."""

from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace

import numpy as np

from crossreg.fiducial.block_grid import Block, centre_yx
from crossreg.fiducial.correlation.binned_stacks import shown_in_both
from crossreg.fiducial.correlation.faint_structure import freed_of_noise
from crossreg.fiducial.correlation.spot_widths import with_spots_alike
from crossreg.fiducial.evidence.plane_places import PlacedPlanes, Places, placed_planes
from crossreg.fiducial.evidence.plane_spacing import denies_gradient, is_bent
from crossreg.fiducial.field import smooth_field
from crossreg.fiducial.field.consensus import agreeing_blocks
from crossreg.fiducial.field.domain import Domain
from crossreg.fiducial.field.motion import RIGID, Motion
from crossreg.fiducial.field.one_shift import OneShift
from crossreg.fiducial.field.smooth_field import SmoothField
from crossreg.fiducial.local_shift.attempts import Match, Stacks
from crossreg.fiducial.local_shift.fading import Fading
from crossreg.fiducial.local_shift.gathered_evidence import (
    FEWEST_MEASURED,
    gathered_evidence,
    gradient_z,
    in_the_middle_zyx,
    with_camera,
)
from crossreg.fiducial.local_shift.levels import domain_of
from crossreg.fiducial.local_shift.light import Light
from crossreg.fiducial.local_shift.measurements import Measurements
from crossreg.fiducial.local_shift.sub_block_matcher import SubBlockMatcher
from crossreg.fiducial.local_shift.wide_search import WideSearch, WideShifts
from crossreg.fiducial.turn import Turn

WIDE_SIGMA = 0.5
"""Uncertainty (px, planes) of the shifts of the wide search, seen on planted shifts."""
WIDE_HEIGHT = 4.0
"""Height of a peak (standard deviations) that unrelated blocks reach often."""
FAR_OFF = 0.3
"""Distance (planes) that a cycle which fades was off, beyond which it is measured once more: nuclei
were left 0.22 planes away, 0.03 then."""


@dataclass(frozen=True)
class CycleMatcher:
    """Matches binned stacks of a cycle with those of its reference.

    Attributes
    ----------
    image_shape : (Y, X) px of the reference.
    blocks : those that its image is cut into.
    light : of both stacks as they were read.
    motion : how the cycle may move.
    turn : by which the cycle was turned back beforehand.
    global_shift_yx : that of the projections, or given (px).
    is_inverted : structure is bright in the one stack and dark in the other.
    pool : whose threads share the work.

    """

    image_shape: tuple[int, int]
    blocks: list[Block]
    light: Light
    motion: Motion
    turn: Turn
    global_shift_yx: tuple[float, float]
    is_inverted: bool
    pool: Executor

    def matched(self, stacks: Stacks, start_yx: tuple[float, float], is_freed: bool) -> Match:
        """Return how two binned stacks (Z, y, x), reference and cycle, match near a start (px).

        `is_freed`: they have been freed of what all their planes share.
        """
        search = WideSearch(stacks, start_yx, self.pool)
        wide = search.some_shifts(self.blocks)
        alike = with_spots_alike(stacks, self.pool)
        found, hidden_z, placing = self._placed(alike, wide, is_freed)
        is_rigid = self.motion.is_rigid
        evidence = gathered_evidence(
            stacks, self.light, found, placing, self.turn, self.global_shift_yx, is_rigid, self.pool
        )
        evidence = replace(evidence, is_inverted=self.is_inverted or evidence.is_inverted)
        evidence = with_camera(evidence, stacks, found, self.turn, is_freed)
        placed = placing.result()
        if placed and not is_rigid:
            found = self._with_sure_gradient(found, placed.whole)
        return Match(found, hidden_z, evidence, search)

    def _placed(
        self, stacks: Stacks, wide: WideShifts, is_freed: bool
    ) -> tuple[Measurements, float, Future[PlacedPlanes | None]]:
        """Return what `_measured` does, and where the planes lie, once that is known.

        Where they show that the shift along z bends, it is measured at as many levels as it takes.
        """

        def measured(domain: Domain) -> tuple[Measurements, float, Future[PlacedPlanes | None]]:
            found, hidden_z = self._measured(stacks, wide, is_freed, domain, self.motion)
            shifts_at = in_the_middle_zyx(found.field)
            return found, hidden_z, self.pool.submit(placed_planes, stacks, shifts_at)

        planes = len(stacks[0]), len(stacks[1])
        found, hidden_z, placing = measured(domain_of(self.image_shape, *planes))
        finer = domain_of(self.image_shape, *planes, is_bent=True)
        if finer.levels > found.field.domain.levels and not self.motion.is_rigid:
            placed = placing.result()
            if placed and is_bent(placed.whole):
                return measured(finer)
        return found, hidden_z, placing

    def _measured(
        self, stacks: Stacks, wide: WideShifts, is_freed: bool, domain: Domain, motion: Motion
    ) -> tuple[Measurements, float]:
        """Return what the sub-blocks of two stacks say, and how far z (planes) may be off.

        Where too few blocks match by themselves for gradients to be told, it is one shift, and
        sigma that of a smooth field. Where the cycle's light falls otherwise along z than the
        reference's, all is measured anew without that.
        """
        field = self._wide_field(domain, wide, motion)
        middle = domain.middle_zyx[None]
        pool, light = self.pool, self.light

        def measured(stacks: Stacks, field: SmoothField) -> Measurements:
            shown = shown_in_both(stacks, field.shift_at(middle)[0, 0])
            clear = freed_of_noise(shown[0], pool), freed_of_noise(shown[1], pool)
            matcher = SubBlockMatcher(clear, self.blocks, domain, pool, motion, is_freed, self.turn)
            return matcher.measure(field)

        found, made_up_for = measured(stacks, field), 0.0
        fading = light.fading(found.field.shift_at) if len(stacks[0]) > 1 else Fading()
        if fading.is_clear:
            made_up_for = fading.slope
            alike = with_spots_alike(light.alike(stacks[0], made_up_for, pool), pool)
            found = measured(alike, found.field)
            if abs(fading.away) > FAR_OFF:
                found = measured(alike, found.field)
            fading = light.fading(found.field.shift_at)
        if motion.is_rigid or found.matching.sum() >= FEWEST_MEASURED:
            return found, fading.hidden(made_up_for)
        found, hidden_z = self._measured(stacks, wide, is_freed, domain, RIGID)
        if not found.sub_blocks.useful.any():
            return found, hidden_z
        return replace(found, field=OneShift.of(found.field, self._fitted(found))), hidden_z

    def _with_sure_gradient(self, found: Measurements, places: Places) -> Measurements:
        """Return what the sub-blocks say, without a gradient along z that the planes' places deny.

        Levels along z show by themselves how the shift changes.
        """
        field = found.field
        if field.domain.levels > 1 or not denies_gradient(places, gradient_z(field)):
            return found
        return replace(found, field=self._fitted(found, gradient_z=False))

    def _fitted(self, found: Measurements, *, gradient_z: bool = True) -> SmoothField:
        """Return the field through the sub-blocks, fitted anew."""
        used = found.sub_blocks.useful_ones
        return smooth_field.fit(
            found.field.domain, used.position_zyx, used.shift_zyx, used.sigma_zyx, self.pool,
            depth_spread=used.depth_spread, motion=self.motion, gradient_z=gradient_z,
        )  # fmt: skip

    def _wide_field(self, domain: Domain, wide: WideShifts, motion: Motion) -> SmoothField:
        """Return the field through the blocks whose peaks agree, the first prediction."""
        centres = np.array([centre_yx(block.rows, block.columns) for block in wide.blocks])
        weights = np.maximum(wide.height - WIDE_HEIGHT, 0)
        agree = agreeing_blocks(centres - centres.mean(axis=0), wide.shift_zyx, weights)
        if not agree.any():
            agree[:] = True
        positions = np.column_stack([np.full(len(centres), domain.middle_plane), centres])[agree]
        sigmas = np.full((len(positions), 3), WIDE_SIGMA)
        shifts = wide.shift_zyx[agree]
        return smooth_field.fit(
            domain, positions, shifts, sigmas, self.pool, rough=True, motion=motion
        )
