"""The shifts of all sub-blocks of a cycle, and the smooth field through them."""

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

import numpy as np

from crossreg.fiducial.block_grid import Block
from crossreg.fiducial.correlation.binned_stacks import PLANES_FOR_PATTERN, shown_range
from crossreg.fiducial.field import smooth_field
from crossreg.fiducial.field.domain import Domain
from crossreg.fiducial.field.motion import SMOOTH, Motion
from crossreg.fiducial.field.own_motion import OwnMotion
from crossreg.fiducial.field.smooth_field import SmoothField
from crossreg.fiducial.local_shift.confidence import block_confidences
from crossreg.fiducial.local_shift.cut_structure import cut_sigma
from crossreg.fiducial.local_shift.drawn_depth import drawn_part, undrawn
from crossreg.fiducial.local_shift.levels import SHALLOW
from crossreg.fiducial.local_shift.measurements import Measurements, SubBlockShifts
from crossreg.fiducial.local_shift.moved_by_itself import Moved, moved_by_themselves
from crossreg.fiducial.local_shift.pooling import pooled
from crossreg.fiducial.local_shift.sub_block_layout import SubBlockLayout, filled_depths
from crossreg.fiducial.local_shift.sub_block_map import (
    SubBlockMaps,
    SubBlockSpectra,
    far_shifts,
    noise_energy,
    sub_block_maps,
    sub_block_spectra,
    unrelated_height,
)
from crossreg.fiducial.local_shift.sub_block_parts import SAMPLE, sub_block_parts
from crossreg.fiducial.local_shift.sub_block_shift import NO_DEPTH, sub_block_shifts
from crossreg.fiducial.turn import Turn

Found = TypeVar("Found")

ROUNDS, DRAWN_ROUNDS = 1, 4
"""Rounds of measuring sub-blocks anew around the field that was fitted to them, at most; of tall
stacks, and where shifts are drawn to where they are looked for, as many as it takes."""
LITTLE_DRAWN = 0.1
"""Part of the distance along z that shifts are drawn, up to which no more rounds are needed."""
OFF_TARGET = 0.35
"""Distance (px, planes) of the prediction from where a sub-block was measured from which on it is
measured again."""
OFF_LEVEL = 0.1
"""The same along z (planes) in tall and in flat stacks: structure as high as a level, or as the
stack, is drawn to where it is looked for, as what lies beyond its ends is not seen."""
FEW_OFF_LEVEL = 0.01
"""Part of all sub-blocks below which those that miss their level by no more are left alone."""
FEW_AGAIN = 0.05
"""Part of all sub-blocks up to which those that were measured again leave the field as it is."""
SURE = 4.0
"""Confidence of a block from which on it is no question which of its peaks is the right one."""
FEWEST_USEFUL = 30
"""Useful sub-blocks of pilots below which the field that was given is kept."""
BLOCKS_AT_ONCE = 16
"""Blocks whose correlations one thread reads at a time."""
BLOCKS_IN_A_ROW = 4
"""Blocks that one thread does one after another; they are compared with each other too, for the
null distribution."""
MOST_TOGETHER = 16
"""Sub-blocks of several blocks at most that are looked at together."""
NULL_PAIRS = 48
"""Pairs of blocks that cannot match that are aimed at: from there on, their number hardly moves
the threshold."""


class SubBlockMatcher:
    """Matches the sub-blocks of two binned stacks (Z, y, x) around a predicted field."""

    def __init__(
        self,
        stacks: tuple[np.ndarray, np.ndarray],
        blocks: list[Block],
        domain: Domain,
        pool: Executor,
        motion: Motion = SMOOTH,
        is_freed: bool = True,
        turn: Turn | None = None,
    ) -> None:
        """Take the binned (reference, cycle), the blocks and domain of the image, its motion.

        `is_freed`: the stacks have been freed of what all their planes share. The cycle has been
        turned back by `turn` beforehand.
        """
        self.stacks, self.domain, self.pool, self.motion = stacks, domain, pool, motion
        self.is_freed, self.turn = is_freed, turn or Turn(0.0, domain.image_shape)
        self.shown = shown_range(stacks[0]), shown_range(stacks[1])
        self.layout = SubBlockLayout.of(blocks, domain, (len(stacks[0]), len(stacks[1])))

    def measure(self, field: SmoothField) -> Measurements:
        """Return the sub-blocks' shifts, starting from a first field."""
        drawn = 0.0
        if self.layout.pilots:
            field, drawn = self._piloted(field)
        expected = field.shift_at(self.layout.centres)
        aimed = expected.copy()
        maps, null = self._first_maps(aimed)
        if not self.layout.pilots and min(map(len, self.stacks)) >= SHALLOW:
            drawn = drawn_part(maps, aimed, self.maps)
        found, block = self._shifts(maps, field, aimed, drawn)
        is_drawn = self.domain.levels > 1 or drawn > LITTLE_DRAWN
        for _ in range(DRAWN_ROUNDS if is_drawn else ROUNDS):
            if found.useful.any():
                field = self._field(found, rough=True)
                expected = field.shift_at(self.layout.centres)
            again = self._off_target(aimed, expected, is_drawn)
            maps = self._aimed_again(maps, again, expected)
            aimed[again] = expected[again]
            found, block = self._shifts(maps, field, aimed, drawn)
            if len(again) <= FEW_AGAIN * len(aimed):
                break
        if found.useful.any():
            field = self._field(found, rough=False)
            expected = field.shift_at(self.layout.centres)
        confidence = block_confidences(maps, expected, self.layout.of_block)
        depths = filled_depths(self.domain, maps.structure)
        if found.is_layer(self.domain):
            depths = np.array([found.useful_ones.depth[0]])
        of_block = [np.flatnonzero(block == number) for number in range(len(confidence))]
        sizes = self.layout.last - self.layout.first
        moved = moved_by_themselves(
            maps, expected, self.maps, self._far_shifts, noise_energy(sizes)
        )
        return Measurements(
            found, depths, of_block, field, confidence, null,
            moved, self._moved_share(moved), self._own_motion(moved),
        )  # fmt: skip

    def glance(self, field: SmoothField) -> SubBlockShifts:
        """Return the useful sub-blocks' shifts as they are found near a field, at one go."""
        every = np.arange(len(self.layout.centres))
        expected = field.shift_at(self.layout.centres)
        maps = self.maps(every, expected)
        return self._shifts_of(every, maps, field, expected, 0.0)[0].useful_ones

    def _piloted(self, field: SmoothField) -> tuple[SmoothField, float]:
        """Return the field through some blocks, and by which part shifts along z are drawn."""
        expected = field.shift_at(self.layout.centres)
        some = np.concatenate([self.layout.of_block[block] for block in self.layout.pilots])

        def maps_at(chosen: np.ndarray, aims: np.ndarray) -> SubBlockMaps:
            aimed = expected.copy()
            aimed[some] = aims
            return self.maps(some[chosen], aimed)

        maps = self.maps(some, expected)
        drawn = drawn_part(maps, expected[some], maps_at)
        found, _ = self._shifts_of(some, maps, field, expected[some], drawn)
        is_enough = found.useful.sum() >= FEWEST_USEFUL
        return (self._field(found, rough=True) if is_enough else field), drawn

    def _field(self, sub_blocks: SubBlockShifts, rough: bool) -> SmoothField:
        """Return the smooth field through the useful sub-blocks."""
        used = sub_blocks.to_fit(self.domain)
        return smooth_field.fit(
            self.domain, used.position_zyx, used.shift_zyx, used.sigma_zyx, self.pool,
            spread_zyx=used.spread_zyx, rough=rough, motion=self.motion,
        )  # fmt: skip

    def _off_target(self, aimed: np.ndarray, expected: np.ndarray, is_drawn: bool) -> np.ndarray:
        """Return the numbers of sub-blocks aimed at a shift (m, 3) that is not expected now.

        Along z the aim counts more where shifts are drawn to it.
        """
        away = np.abs(expected - aimed)
        off_target = (away > OFF_TARGET).any(axis=1)
        off_level = is_drawn & (away[:, 0] > OFF_LEVEL)
        if off_level.mean() < FEW_OFF_LEVEL:
            return np.flatnonzero(off_target)
        return np.flatnonzero(off_target | off_level)

    def _aimed_again(
        self, maps: SubBlockMaps, again: np.ndarray, expected: np.ndarray
    ) -> SubBlockMaps:
        """Return the maps, those of some sub-blocks (k,) anew at the shifts (m, 3) expected now."""
        return maps.replaced(again, self.maps(again, expected)) if len(again) else maps

    def maps(self, sub_blocks: np.ndarray, expected: np.ndarray) -> SubBlockMaps:
        """Return the maps of some sub-blocks (k,), in order, given what all (m, 3) show."""
        found, order = self._together(sub_block_maps, sub_blocks, expected)
        return SubBlockMaps.joined(found)[order]

    def _far_shifts(self, sub_blocks: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """Return the shifts (k, 3) where some sub-blocks match best, far around what all show."""
        found, order = self._together(far_shifts, sub_blocks, expected)
        shifts: np.ndarray = np.concatenate(found)[order]
        return shifts

    def _together(
        self,
        seen: Callable[[SubBlockSpectra], Found],
        sub_blocks: np.ndarray,
        expected: np.ndarray,
    ) -> tuple[list[Found], np.ndarray]:
        """Return what is seen in the spectra of some sub-blocks (k,), and their places (k,) in it.

        Those of a block are looked at together, and few of blocks that are as large.
        """
        ends = np.flatnonzero(np.diff(self.layout.block[sub_blocks])) + 1
        parts: dict[tuple[int, ...], list[np.ndarray]] = defaultdict(list)
        for part in np.split(np.arange(len(sub_blocks)), ends):
            sizes = (self.layout.last - self.layout.first)[sub_blocks[part]]
            alike = parts[(*sizes.max(axis=0).tolist(), int(sizes[:, 0].min()))]
            if alike and len(alike[-1]) + len(part) <= MOST_TOGETHER:
                alike[-1] = np.concatenate([alike[-1], part])
            else:
                alike.append(part)
        places = [part for alike in parts.values() for part in alike]
        found = self.pool.map(lambda part: seen(self._spectra(sub_blocks[part], expected)), places)
        return list(found), np.argsort(np.concatenate(places))

    def _own_motion(self, moved: Moved) -> OwnMotion:
        """Return where structure moved by itself: a sub-block around each place."""
        sizes = (self.layout.last - self.layout.first).max(axis=0) * SAMPLE
        reach = np.where([self.domain.levels == 1, False, False], np.inf, sizes)
        return OwnMotion(moved.position_zyx, moved.by_zyx, reach)

    def _moved_share(self, moved: Moved) -> np.ndarray:
        """Return the part (n,) of what each block shows that moved by itself."""
        block, count = self.layout.block, len(self.layout.of_block)
        whole = np.bincount(block, moved.amount, count)
        part = np.bincount(block[moved.sub_blocks], moved.amount[moved.sub_blocks], count)
        return np.asarray(part / np.where(whole > 0, whole, 1))

    def _spectra(self, sub_blocks: np.ndarray, expected: np.ndarray) -> SubBlockSpectra:
        """Return the spectra of some sub-blocks (k,), given what all (m, 3) show."""
        return sub_block_spectra(
            sub_block_parts(
                *self.stacks,
                self.layout.first[sub_blocks],
                self.layout.last[sub_blocks],
                expected[sub_blocks],
                self.shown,
            ),
            self.is_freed,
        )

    def _first_maps(self, expected: np.ndarray) -> tuple[SubBlockMaps, np.ndarray]:
        """Return (maps of all sub-blocks, confidences of blocks that cannot match)."""
        count = len(self.layout.of_block)
        rows = [range(n, min(n + BLOCKS_IN_A_ROW, count)) for n in range(0, count, BLOCKS_IN_A_ROW)]
        maps, null = zip(*self.pool.map(lambda row: self._row(row, expected), rows), strict=True)
        return SubBlockMaps.joined([found for row in maps for found in row]), np.concatenate(null)

    def _row(self, row: range, expected: np.ndarray) -> tuple[list[SubBlockMaps], list[float]]:
        """Return (maps of some blocks, what these blocks reach by chance when interchanged)."""
        spectra = [self._spectra(self.layout.of_block[block], expected) for block in row]
        partners = min(-(-NULL_PAIRS // len(self.layout.of_block)), len(row) - 1)
        heights = [
            unrelated_height(own, other)
            for step in range(1, partners + 1)
            for own, other in zip(spectra, spectra[step:] + spectra[:step], strict=True)
        ]
        return list(map(sub_block_maps, spectra)), [
            height for height in heights if height is not None
        ]

    def _shifts(
        self, maps: SubBlockMaps, field: SmoothField, aimed: np.ndarray, drawn: float
    ) -> tuple[SubBlockShifts, np.ndarray]:
        """Return the most probable shifts of groups of sub-blocks, and the block of each.

        The maps were aimed at shifts (m, 3), to which those along z are `drawn` by a part of the
        distance: that is undone.
        """
        ends = [mine[0] for mine in self.layout.of_block[::BLOCKS_AT_ONCE]]
        parts = map(slice, ends, [*ends[1:], len(self.layout.centres)])
        found, block = zip(
            *self.pool.map(
                lambda part: self._shifts_of(part, maps[part], field, aimed[part], drawn), parts
            ),
            strict=True,
        )
        return SubBlockShifts.joined(list(found)), np.concatenate(block)

    def _shifts_of(
        self,
        part: slice | np.ndarray,
        maps: SubBlockMaps,
        field: SmoothField,
        aimed: np.ndarray,
        drawn: float,
    ) -> tuple[SubBlockShifts, np.ndarray]:
        """Return the same of the sub-blocks of some blocks."""
        placed = np.isfinite(maps.position_zyx).all(axis=1)
        places = np.where(placed[:, None], maps.position_zyx, self.layout.centres[part])
        expected, sigma = field.at(places)
        column, block_of = self.layout.column[part], self.layout.block[part]
        is_open = self._is_open(maps, expected, block_of)
        maps, groups = pooled(maps, expected, column, block_of)
        expected, sigma = groups.mean(expected), groups.mean(sigma)
        is_open = np.bincount(groups.group, is_open) > 0
        shifts, sigmas = sub_block_shifts(maps, expected, sigma, is_open=is_open)
        shifts[:, 0], sigmas[:, 0] = undrawn(
            shifts[:, 0], sigmas[:, 0], groups.mean(aimed)[:, 0], drawn
        )
        if min(map(len, self.stacks)) < PLANES_FOR_PATTERN:
            # Where so few planes show no shift along z, they may show one along y and x.
            unseen = sigmas[:, 0] > NO_DEPTH
            shifts[unseen, 0], sigmas[unseen, 0] = expected[unseen, 0], NO_DEPTH
        sigmas[:, 1:] += cut_sigma(maps.position_zyx, shifts, self.domain.image_shape, self.turn)
        block = np.zeros(len(shifts), dtype=int)
        block[groups.group] = block_of
        return SubBlockShifts(shifts, sigmas, maps.position_zyx, maps.spread_zyx), block

    def _is_open(self, maps: SubBlockMaps, expected: np.ndarray, block: np.ndarray) -> np.ndarray:
        """Return of which sub-blocks (m,) it is open whether their block (m,) matches at all.

        Of none where there is but one shift: all blocks together say which.
        """
        if self.motion.is_rigid:
            return np.zeros(len(block), dtype=bool)
        numbers, of_block = np.unique(block, return_inverse=True)
        members = [np.flatnonzero(of_block == number) for number in range(len(numbers))]
        return np.asarray(block_confidences(maps, expected, members)[of_block] < SURE)
