"""The shifts of all tiles of a cycle, and the smooth field through them."""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import scipy.fft

from crossreg.fiducial import smooth_field
from crossreg.fiducial.blocks import Block, centre_yx
from crossreg.fiducial.confidence import block_confidence
from crossreg.fiducial.reference import Reference
from crossreg.fiducial.smooth_field import Domain, SmoothField
from crossreg.fiducial.tile_map import TileMap, clip_level, common_part, tile_map, tile_spectrum
from crossreg.fiducial.tile_shift import UNKNOWN, structure_position, tile_shift

ROUNDS = 3
"""Rounds of measuring tiles around the field and fitting the field to them."""
OFF_CENTRE = 0.8
"""Distance (px, planes) of a map's middle from its prediction from which on it is done again."""
PREDICTION_FLOOR = 0.3
"""Uncertainty (px, planes) that a prediction has at least: what the field cannot follow."""
USEFUL_SIGMA = 2.0
"""Uncertainty (px) above which a tile says nothing about the field."""
BLOCKS_IN_A_ROW = 4
"""Blocks that one thread does one after another; each is compared with its predecessor too, for
the null distribution."""


@dataclass(frozen=True)
class Measurements:
    """What the tiles say.

    Tiles (m,): `block` is the number of their block, `shift_zyx`, `sigma_zyx`, `position_zyx`
    (m, 3) where it holds, `useful` whether they count. Blocks (n,): `confidence`. `null` (k,)
    are confidences of blocks that cannot match. `field` is the smooth field.
    """

    block: np.ndarray
    shift_zyx: np.ndarray
    sigma_zyx: np.ndarray
    position_zyx: np.ndarray
    useful: np.ndarray
    confidence: np.ndarray
    null: np.ndarray
    field: SmoothField

    def own_shifts(self, field_zyx: np.ndarray, wide_zyx: np.ndarray) -> np.ndarray:
        """Return the shift (n, 3) of each block from its own tiles only.

        The tiles' mean deviation from the field, weighted by their certainty, is added to the
        field's value in the block (n, 3); a block without a useful tile has that of the wide
        search (n, 3).
        """
        expected, _ = self.field.at(self.position_zyx)
        weights = np.where(self.useful[:, None], self.sigma_zyx**-2, 0.0)
        own = wide_zyx.copy()
        for number in range(len(own)):
            mine = self.block == number
            total = weights[mine].sum(axis=0)
            if np.all(total > 0):
                deviation = (weights * (self.shift_zyx - expected))[mine].sum(axis=0) / total
                own[number] = field_zyx[number] + deviation
        return own


class TileMatcher:
    """Matches the tiles of two stacks around a predicted field."""

    def __init__(
        self,
        reference: Reference,
        cycle: np.ndarray,
        binned: np.ndarray,
        blocks: list[Block],
        pool: Executor,
    ) -> None:
        self.stacks = (reference.stack, cycle)
        self.binned = (reference.binned, binned)
        self.clips = tuple(clip_level(stack) for stack in self.stacks)
        self.blocks = blocks
        self.pool = pool
        self.tiles = [tile for block in blocks for tile in block.tiles()]
        self.block = np.repeat(np.arange(len(blocks)), [len(b.tiles()) for b in blocks])
        self.domain = Domain(
            reference.stack.shape[1:], reference.block_size_xy, (len(reference.stack) - 1) / 2
        )
        self.planes = scipy.fft.next_fast_len(max(len(s) for s in self.stacks), real=True)
        self.has_depth = min(len(stack) for stack in self.stacks) > 2
        centres = np.array([centre_yx(*tile) for tile in self.tiles])
        self.centres = np.column_stack([np.full(len(centres), self.domain.middle_plane), centres])

    def measure(self, field: SmoothField) -> Measurements:
        """Return the tiles' shifts, starting from a first field."""
        maps, null, used = self._first_maps(field)
        for _ in range(ROUNDS):
            expected, sigma = field.at(self.centres)
            again = np.flatnonzero(np.abs(expected - used)[:, self._axes].max(axis=1) > OFF_CENTRE)
            used[again] = self._whole(expected[again])
            for number, found in zip(
                again, self.pool.map(self._map, again, used[again]), strict=True
            ):
                maps[number] = found
            shift, sigma, position = self._shifts(maps, used, expected, sigma)
            useful = sigma[:, self._axes].max(axis=1) < USEFUL_SIGMA
            if not useful.any():
                break
            if not self.has_depth:
                sigma[:, 0] = 1.0
            field = smooth_field.fit(self.domain, position[useful], shift[useful], sigma[useful])
        expected, _ = field.at(self.centres)
        confidence = np.array(
            [
                block_confidence([maps[t] for t in mine], (expected - used)[mine])
                for mine in (np.flatnonzero(self.block == n) for n in range(len(self.blocks)))
            ]
        )
        return Measurements(
            self.block, shift, sigma, position, useful, confidence, np.array(null), field
        )

    @property
    def _axes(self) -> slice:
        return slice(0 if self.has_depth else 1, 3)

    def _whole(self, shift_zyx: np.ndarray) -> np.ndarray:
        whole = np.rint(shift_zyx)
        if not self.has_depth:
            whole[:, 0] = 0
        return whole

    def _map(self, number: int, shift_zyx: np.ndarray) -> TileMap | None:
        spectra = self._spectra(number, shift_zyx)
        return None if spectra is None else tile_map(*spectra)

    def _spectra(self, number: int, shift_zyx: np.ndarray) -> tuple | None:
        parts = common_part(*self.stacks, self.tiles[number], shift_zyx)
        if parts is None:
            return None
        shape = (self.planes, *(where.stop - where.start for where in self.tiles[number]))
        one, two = (
            tile_spectrum(part, clip, shape) for part, clip in zip(parts, self.clips, strict=True)
        )
        return one, two, shape, parts[0].shape

    def _first_maps(self, field: SmoothField) -> tuple[list, list, np.ndarray]:
        used = self._whole(field.at(self.centres)[0])
        numbers = [np.flatnonzero(self.block == n) for n in range(len(self.blocks))]
        rows = [numbers[n : n + BLOCKS_IN_A_ROW] for n in range(0, len(numbers), BLOCKS_IN_A_ROW)]
        maps, null = [], []
        for own, others in self.pool.map(lambda row: self._row(row, used), rows):
            maps += own
            null += others
        return maps, null, used

    def _row(self, row: list[np.ndarray], used: np.ndarray) -> tuple[list, list]:
        """Return (maps of the tiles of some blocks, confidences of each with its predecessor)."""
        maps, null, before = [], [], []
        for numbers in row:
            spectra = [self._spectra(n, used[n]) for n in numbers]
            maps += [None if s is None else tile_map(*s) for s in spectra]
            if before:
                unrelated = [
                    tile_map(s[0], b[1], *s[2:])
                    for s, b in zip(spectra, before, strict=False)
                    if s is not None and b is not None and s[2] == b[2]
                ]
                if 2 * len(unrelated) > len(numbers):
                    null.append(block_confidence(unrelated, np.zeros((len(unrelated), 3))))
            before = spectra
        return maps, null

    def _shifts(self, maps, used, expected, sigma):
        """Return (shifts, sigmas, positions), each (m, 3), of all tiles."""

        def one(number: int) -> tuple:
            found = maps[number]
            if found is None:
                return expected[number], np.full(3, UNKNOWN), self.centres[number]
            spread = np.hypot(sigma[number], PREDICTION_FLOOR)
            top = tile_shift(found, expected[number] - used[number], spread)
            shift = used[number] + top.shift_zyx
            return shift, top.sigma_zyx, structure_position(*self.binned, self.tiles[number], shift)

        return (np.array(part) for part in zip(*self.pool.map(one, range(len(maps))), strict=True))
