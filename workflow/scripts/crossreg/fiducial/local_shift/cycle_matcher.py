"""How two binned stacks match: the shifts of sub-blocks, the field through these, the evidence."""

from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from crossreg.fiducial.block_grid import Block, centre_yx
from crossreg.fiducial.correlation.binned_stacks import shown_in_both
from crossreg.fiducial.correlation.faint_structure import freed_of_noise
from crossreg.fiducial.correlation.spot_widths import difference_of_widths, with_spots_alike
from crossreg.fiducial.even_choice import evenly_chosen
from crossreg.fiducial.evidence.depth_course import DepthCourse, likely_change
from crossreg.fiducial.evidence.odds_of_coincidence import Image
from crossreg.fiducial.evidence.odds_under_field import shift_z_of_planes
from crossreg.fiducial.evidence.plane_slips import slip_of_planes
from crossreg.fiducial.evidence.whole_planes import WholePlanes, whole_planes
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
from crossreg.fiducial.local_shift.known_depth import SHALLOW_SIGMA, Change, Depth
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
SURELY, CONTRADICTED = 2.0, 0.3
"""Standard errors by which the gradient along z of whole planes contradicts that of structure at
different depths, which is not believed then: near an end of the stack structure shows one half of
its cone of light, and with a wider one, as of another colour, looks as if it lay nearer to the end.
And the part of the difference by which that of whole planes may err then."""
OTHER_OPTICS, FEIGNED = 0.15, 0.3
"""Difference of the squared widths (bins) of spots from which on it is not believed either: with
the same optics it is below 0.09, with spots that are 1.5 times as wide 0.2 to 0.9. And the gradient
(planes at the ends) that whole planes may feign then, for each squared bin."""
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
        wider = difference_of_widths(*stacks)
        alike = with_spots_alike(stacks, wider, self.pool)
        found, hidden_z, planes = self._placed(alike, wide, is_freed)
        is_rigid = self.motion.is_rigid
        evidence = gathered_evidence(
            stacks, self.light, found, planes, self.turn, self.global_shift_yx, is_rigid, self.pool
        )
        evidence = replace(evidence, is_inverted=self.is_inverted or evidence.is_inverted)
        evidence = with_camera(evidence, stacks, found, self.turn, is_freed)
        found, change = self._with_course(found, planes.result().course, wider)
        return Match(found, hidden_z, change, evidence, search)

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
        planes = whole_planes(stacks, middle_at, self.light.shown_of_depth)
        evidence = seen.added_to(evidence, planes, shift_z, gradient_z=0.0, is_tall=False)
        along_z = replace(match, evidence=evidence, shift_z=shift_z)
        return match if along_z.has_failed else along_z

    def _placed(
        self, stacks: Stacks, wide: WideShifts, is_freed: bool
    ) -> tuple[Measurements, float, Future[WholePlanes]]:
        """Return what `_measured` does, and what whole planes say, once that is known.

        Where they show that the shift along z bends, or levels that deformation changes with the
        depth, it is measured at as many levels as it takes.
        """

        def measured(domain: Domain) -> tuple[Measurements, float, Future[WholePlanes]]:
            found, hidden_z = self._measured(stacks, wide, is_freed, domain, self.motion)
            shifts_at = in_the_middle_zyx(found.field)
            return (
                found,
                hidden_z,
                self.pool.submit(whole_planes, stacks, shifts_at, self.light.shown_of_depth),
            )

        counts, spread = (len(stacks[0]), len(stacks[1])), self.light.depth_spread
        domain_at = partial(domain_of, self.image_shape, *counts, light_spread=spread)
        found, hidden_z, planes = measured(domain_at())
        finer = domain_at(may_change=True)
        if self.motion.is_rigid or finer.levels == 1:
            return found, hidden_z, planes
        domain = found.field.domain
        if domain.levels > 1:
            used = found.sub_blocks.useful_ones
            if found.field.may_change or not self._changes(found.field, domain, used):
                return found, hidden_z, planes
            field = self._fitted(found, replace(domain, may_change=True))
            return replace(found, field=field), hidden_z, planes
        if self._hides_change(stacks, found, finer, is_freed):
            return measured(finer)
        return found, hidden_z, planes

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
            as_bright = light.alike(stacks[0], made_up_for, pool)
            alike = with_spots_alike(as_bright, difference_of_widths(*as_bright), pool)
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

    def _with_course(
        self, found: Measurements, course: DepthCourse | None, wider: float
    ) -> tuple[Measurements, Change | None]:
        """Return what the sub-blocks say along the course of whole planes, and what that leaves.

        Spots of the cycle are `wider` (squared bins) than those of the reference.

        Levels along z show a bend by themselves, but for the ends of the stack; one level shows its
        mean. Where light fades along z, planes seem to lie where they do not.
        """
        used, domain = found.sub_blocks.useful_ones, found.field.domain
        if self.motion.is_rigid or not len(used.spread_zyx):
            return found, None
        if course and self.light.fading(found.field.shift_at).is_clear:
            course = None
        if course and abs(wider) > OTHER_OPTICS:
            course = course.if_feigned(FEIGNED * abs(wider))
        if domain.levels > 1:
            if not course:
                return found, None
            return replace(found, field=self._fitted(found, course_z=_ends(course))), None
        if course and found.sub_blocks.is_layer(domain):
            course = None
        mean, spread = used.depth
        away, errors = likely_change(course, domain.planes)
        if not course:
            away[0] = errors[0] = 0.0
            half = max((domain.planes - 1) / 2, 1.0)
            return found, Change(half, half, away, errors, mean, spread)
        beside = gradient_z(found.field) * course.half - course.away[0]
        is_believed = abs(wider) < OTHER_OPTICS and abs(beside) < SURELY * course.sigma[0]
        if is_believed:
            away[0] = errors[0] = 0.0
        else:
            errors[0] = np.hypot(errors[0], CONTRADICTED * beside)
        change = Change(course.middle, course.half, away, errors, mean, spread)
        by_planes = _gradient(course) if is_believed else None
        field = self._fitted(found, gradient_z=is_believed, course_z=by_planes, change=change)
        return replace(found, field=field), change

    def _fitted(
        self,
        found: Measurements,
        domain: Domain | None = None,
        *,
        gradient_z: bool = True,
        course_z: Course | None = None,
        change: Change | None = None,
    ) -> SmoothField:
        """Return the field through the sub-blocks, without a `change` along z, fitted anew."""
        domain = domain or found.field.domain
        used = found.sub_blocks.to_fit(domain)
        used = used.without(change) if change else used
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


def _ends(course: DepthCourse) -> Course:
    """Return a course of whole planes as how far the shifts at its ends lie from the middle's."""
    gradient, bend = course.away
    depths = course.middle + course.half * np.array([-1.0, 1.0])
    away = np.array([bend - gradient, bend + gradient])
    return Course(course.middle, depths, away, np.full(2, float(np.linalg.norm(course.sigma))))


def _gradient(course: DepthCourse) -> Course:
    """Return its gradient alone, which is all that a field of one level has."""
    end = np.array([course.middle + course.half])
    return Course(course.middle, end, course.away[:1], course.sigma[:1])
