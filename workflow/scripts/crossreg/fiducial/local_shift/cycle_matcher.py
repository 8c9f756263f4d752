"""How two binned stacks match: the shifts of sub-blocks, the field through these, the evidence."""

from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from crossreg.fiducial.block_grid import Block, centre_yx
from crossreg.fiducial.correlation.binned_stacks import shown_in_both
from crossreg.fiducial.correlation.faint_structure import freed_of_noise
from crossreg.fiducial.correlation.spot_widths import with_spots_alike
from crossreg.fiducial.even_choice import evenly_chosen
from crossreg.fiducial.evidence.odds_of_coincidence import Image
from crossreg.fiducial.evidence.odds_under_field import shift_z_of_planes
from crossreg.fiducial.evidence.plane_places import PlacedPlanes, Places, course_of, placed_planes
from crossreg.fiducial.evidence.plane_slips import slip_of_planes
from crossreg.fiducial.evidence.plane_spacing import denies_gradient, is_bent, unseen_bend
from crossreg.fiducial.field import smooth_field
from crossreg.fiducial.field.change_with_depth import log_odds_of_change
from crossreg.fiducial.field.consensus import agreeing_blocks
from crossreg.fiducial.field.domain import Course, Domain
from crossreg.fiducial.field.motion import RIGID, Motion
from crossreg.fiducial.field.one_shift import OneShift
from crossreg.fiducial.field.smooth_field import SmoothField
from crossreg.fiducial.local_shift.attempts import Match, Stacks
from crossreg.fiducial.local_shift.depth_evidence import DepthEvidence
from crossreg.fiducial.local_shift.fading import Fading
from crossreg.fiducial.local_shift.gathered_evidence import (
    FEWEST_MEASURED,
    gathered_evidence,
    gradient_z,
    in_the_middle,
    in_the_middle_zyx,
    with_camera,
)
from crossreg.fiducial.local_shift.known_depth import SHALLOW_SIGMA, Bend, Depth
from crossreg.fiducial.local_shift.levels import SHALLOW, domain_of
from crossreg.fiducial.local_shift.light import Light
from crossreg.fiducial.local_shift.measurements import Measurements, SubBlockShifts
from crossreg.fiducial.local_shift.sub_block_matcher import SubBlockMatcher
from crossreg.fiducial.local_shift.wide_search import WideSearch, WideShifts
from crossreg.fiducial.quantiles import median
from crossreg.fiducial.turn import Turn

FILLED = 0.1
"""Standard deviation of the depths of what a sub-block shows, over the planes of the stack, from
which on it fills enough of the depth: structure at all depths has 0.29, and 0.21 to 0.25 under
tapers. With 0.2, parts of real tissue that change with the depth were left out."""
COLUMNS = 32
"""Sub-blocks above which levels are looked at beforehand, about so many: 16 to 30 showed it."""
DEFORMED = 0.1
"""Standard deviation (px) of the deformation along y or x from which on it may change."""
CHANGES = 2.0
"""Logarithm of how much likelier a change with the depth is than none, from which on it is taken
for one: it was 3 to 140 for dense textures that change, -3 to 1 for 40 pairs that do not."""
MOST_LOOKED_AT = 200
"""Sub-blocks of a tall stack at most that are asked: to all of them it would take long."""
WIDE_SIGMA = 0.5
"""Uncertainty (px, planes) of the shifts of the wide search, seen on planted shifts."""
WIDE_HEIGHT = 4.0
"""Height of a peak (standard deviations) that unrelated blocks reach often."""
MOST_PLANES_ALIKE, LEAST_MATCHING = 11, 1 / 3
"""Planes of stacks that hardly differ, at most, and the part of the blocks in which their mean
matches, at least, where all planes together tell the shift along z: a layer in 20 planes, clipped
in one stack, was 7 planes off, and half of a layer 1.5."""
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
        if placed and not is_rigid and found.sub_blocks.useful.any():
            found = self._with_sure_gradient(found, placed.whole)
            found = self._with_course(found, placed)
        return Match(found, hidden_z, self._unseen_bend(found, placed), evidence, search)

    def along_z(self, match: Match, stacks: Stacks, means: tuple[Image, Image]) -> Match:
        """Return the match of mean planes with what the planes of the stacks tell along z.

        That is at which depth they agree on it, if they do: `stacks` (Z, y, x) are freed of what
        all their planes share, `means` (y, x) are those of all planes. More planes, or few blocks,
        do not tell: there light that is clipped or fades feigns a depth.
        """
        is_tall = max(map(len, stacks)) > MOST_PLANES_ALIKE
        if is_tall or match.found.matching.mean() < LEAST_MATCHING:
            return match
        field = match.found.field
        shifts_at = in_the_middle(field)
        shift_z = shift_z_of_planes(stacks, means, shifts_at)
        if shift_z is None:
            return match
        depth = Depth(min(map(len, stacks)), shift_z)

        def shifts_zyx_at(positions_zyx: np.ndarray) -> np.ndarray:
            return depth.shift(field.shift_at(positions_zyx))

        def middle_at(positions_yx: np.ndarray) -> np.ndarray:
            return np.column_stack([np.full(len(positions_yx), shift_z), shifts_at(positions_yx)])

        seen = DepthEvidence.sought(stacks, self.light, shifts_zyx_at, shifts_at, self.pool)
        evidence = replace(match.evidence, is_of_mean=False)
        placed = placed_planes(stacks, middle_at)
        evidence = seen.added_to(evidence, placed, shift_z, gradient_z=0.0, is_tall=False)
        along_z = replace(match, evidence=evidence, shift_z=shift_z)
        return match if along_z.has_failed else along_z

    def _placed(
        self, stacks: Stacks, wide: WideShifts, is_freed: bool
    ) -> tuple[Measurements, float, Future[PlacedPlanes | None]]:
        """Return what `_measured` does, and where the planes lie, once that is known.

        Where they show that the shift along z bends, or levels that deformation changes with the
        depth, it is measured at as many levels as it takes.
        """

        def measured(domain: Domain) -> tuple[Measurements, float, Future[PlacedPlanes | None]]:
            found, hidden_z = self._measured(stacks, wide, is_freed, domain, self.motion)
            shifts_at = in_the_middle_zyx(found.field)
            return found, hidden_z, self.pool.submit(placed_planes, stacks, shifts_at)

        planes, spread = (len(stacks[0]), len(stacks[1])), self.light.depth_spread
        domain_at = partial(domain_of, self.image_shape, *planes, light_spread=spread)
        found, hidden_z, placing = measured(domain_at())
        finer = domain_at(may_change=True)
        if self.motion.is_rigid or finer.levels == 1:
            return found, hidden_z, placing
        domain = found.field.domain
        if finer.levels > domain.levels:
            placed = placing.result()
            if placed and is_bent(placed.whole):
                return measured(finer)
        if domain.levels > 1:
            used = found.sub_blocks.useful_ones
            if found.field.may_change or not self._changes(found.field, domain, used):
                return found, hidden_z, placing
            field = self._fitted(found, replace(domain, may_change=True))
            return replace(found, field=field), hidden_z, placing
        if self._hides_change(stacks, found, finer, is_freed):
            return measured(finer)
        return found, hidden_z, placing

    def _hides_change(
        self, stacks: Stacks, found: Measurements, domain: Domain, is_freed: bool
    ) -> bool:
        """Return whether deformation changes with the depth, of which one level shows no trace.

        That is where structure fills the depth of sub-blocks, whose shifts then are means over all
        depths. Some blocks tell, at the levels of `domain`.
        """
        spread = found.sub_blocks.useful_ones.spread_zyx[:, 0]
        if not len(spread) or median(spread) < FILLED * found.field.domain.planes:
            return False
        if found.field.amplitude < DEFORMED:
            return False
        count = -(-COLUMNS // len(self.blocks[0].sub_blocks()))
        some = [self.blocks[n] for n in evenly_chosen(len(self.blocks), count)]
        matcher = SubBlockMatcher(stacks, some, domain, self.pool, self.motion, is_freed, self.turn)
        return self._changes(found.field, domain, matcher.glance(found.field))

    def _changes(self, field: SmoothField, domain: Domain, seen: SubBlockShifts) -> bool:
        """Return whether deformation changes with the depth, as sub-blocks of `domain` show it.

        It does beyond what `field` says. A stage that slipped sideways makes levels differ, too:
        that is told, not followed. Blocks that are too few for gradients are too few for it, too.
        """
        if isinstance(field, OneShift) or field.amplitude < DEFORMED or not len(seen.shift_zyx):
            return False
        seen = seen.some(MOST_LOOKED_AT)
        log_odds = log_odds_of_change(
            domain, field.length, seen.position_zyx, seen.shift_zyx, seen.sigma_zyx,
            seen.spread_zyx, is_bend_known=field.domain.levels > 1,
        )  # fmt: skip
        if log_odds < CHANGES:
            return False
        shared = self.light.shared(field.shift_at)
        return shared is None or slip_of_planes(shared) is None

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
            # Of fewer planes, that is added whatever sub-blocks show.
            is_unseen = min(map(len, stacks)) >= SHALLOW and found.sub_blocks.shows_no_depth
            unseen = SHALLOW_SIGMA if is_unseen else 0.0
            return found, float(np.hypot(fading.hidden(made_up_for), unseen))
        found, hidden_z = self._measured(stacks, wide, is_freed, domain, RIGID)
        if not found.sub_blocks.useful.any():
            return found, hidden_z
        return replace(found, field=OneShift.of(found.field, self._fitted(found))), hidden_z

    def _unseen_bend(self, found: Measurements, placed: PlacedPlanes | None) -> Bend | None:
        """Return how a stack of one level may bend unseen; others see bends."""
        used, domain = found.sub_blocks.useful_ones, found.field.domain
        if self.motion.is_rigid or domain.levels > 1 or not placed or not len(used.spread_zyx):
            return None
        middle, spread = used.depth
        size = unseen_bend(placed.whole, spread, domain.planes)
        return Bend(size, domain.planes, middle, spread)

    def _with_sure_gradient(self, found: Measurements, places: Places) -> Measurements:
        """Return what the sub-blocks say, without a gradient along z that the planes' places deny.

        Levels along z show by themselves how the shift changes.
        """
        field = found.field
        if field.domain.levels > 1 or not denies_gradient(places, gradient_z(field)):
            return found
        return replace(found, field=self._fitted(found, gradient_z=False))

    def _with_course(self, found: Measurements, placed: PlacedPlanes) -> Measurements:
        """Return what the sub-blocks say, along a bend that whole planes show.

        They show it up to the ends of a stack, of which levels show the mean over some planes.
        Where light fades along z, planes seem to lie where they do not.
        """
        domain = found.field.domain
        if domain.levels == 1 or not is_bent(placed.whole):
            return found
        if self.light.fading(found.field.shift_at).is_clear:
            return found
        middle = float(found.field.shift_at(domain.middle_zyx[None])[0, 0])
        return replace(found, field=self._fitted(found, course_z=course_of(placed, middle)))

    def _fitted(
        self,
        found: Measurements,
        domain: Domain | None = None,
        *,
        gradient_z: bool = True,
        course_z: Course | None = None,
    ) -> SmoothField:
        """Return the field through the sub-blocks, fitted anew."""
        domain = domain or found.field.domain
        used = found.sub_blocks.to_fit(domain)
        return smooth_field.fit(
            domain, used.position_zyx, used.shift_zyx, used.sigma_zyx,
            self.pool, spread_zyx=used.spread_zyx, motion=self.motion, gradient_z=gradient_z,
            course_z=course_z,
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
