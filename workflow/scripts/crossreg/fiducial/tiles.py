"""The shifts of all tiles of a cycle, and the smooth field through them."""

from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from crossreg.fiducial import smooth_field
from crossreg.fiducial.binned import in_bins
from crossreg.fiducial.blocks import Block, centre_yx
from crossreg.fiducial.confidence import block_confidence
from crossreg.fiducial.smooth_field import Domain, SmoothField
from crossreg.fiducial.tile_map import TileMap, TileSpectra, tile_map, tile_spectra
from crossreg.fiducial.tile_shift import UNKNOWN, structure_position, tile_shift

ROUNDS = 2
"""Rounds of measuring tiles around the field and fitting the field to them."""
OFF_TARGET = 0.2
"""Distance (px, planes) of the prediction from where a tile was measured from which on it is
measured again."""
SAME_PLACE = 0.5
"""Change of a shift (px, planes) that does not change where its structure is."""
PREDICTION_FLOOR = 0.3
"""Uncertainty (px, planes) that a prediction has at least: what the field cannot follow."""
USEFUL_SIGMA = 2.0
"""Uncertainty (px) above which a tile says nothing about the field."""
BLOCKS_IN_A_ROW = 4
"""Blocks that one thread does one after another; each is compared with its predecessor too, for
the null distribution."""


@dataclass(frozen=True)
class TileShifts:
    """Shifts of m tiles: `shift_zyx`, `sigma_zyx` and `position_zyx` where they hold (m, 3)."""

    shift_zyx: np.ndarray
    sigma_zyx: np.ndarray
    position_zyx: np.ndarray

    @property
    def useful(self) -> np.ndarray:
        """Return which tiles (m,) say something about the field."""
        return self.sigma_zyx.max(axis=1) < USEFUL_SIGMA


@dataclass(frozen=True)
class Measurements:
    """What the tiles say: their shifts, and the smooth field through them.

    `tiles_of_block` are the numbers of the tiles of each of n blocks, `confidence` (n,) how
    sure it is that they match, and `null` (k,) the confidences of blocks that cannot match.
    """

    tiles: TileShifts
    tiles_of_block: list[np.ndarray]
    field: SmoothField
    confidence: np.ndarray
    null: np.ndarray

    def own_shifts(self, field_zyx: np.ndarray, wide_zyx: np.ndarray) -> np.ndarray:
        """Return the shift (n, 3) of each block from its own tiles only.

        The tiles' mean deviation from the field, weighted by their certainty, is added to the
        field's value in the block (n, 3); a block without a useful tile has that of the wide
        search (n, 3).
        """
        deviation = self.tiles.shift_zyx - self.field.at(self.tiles.position_zyx)[0]
        weights = np.where(self.tiles.useful[:, None], self.tiles.sigma_zyx**-2, 0.0)
        own = wide_zyx.copy()
        for number, mine in enumerate(self.tiles_of_block):
            total = weights[mine].sum(axis=0)
            if np.all(total > 0):
                mean = (weights * deviation)[mine].sum(axis=0) / total
                own[number] = field_zyx[number] + mean
        return own


class TileMatcher:
    """Matches the tiles of two binned stacks (Z, y, x) around a predicted field."""

    def __init__(
        self,
        stacks: tuple[np.ndarray, np.ndarray],
        blocks: list[Block],
        domain: Domain,
        pool: Executor,
    ) -> None:
        """Take the binned (reference, cycle), and the blocks and domain of the image."""
        self.stacks, self.domain, self.pool = stacks, domain, pool
        self.tiles = [tile for block in blocks for tile in block.tiles()]
        ends = np.cumsum([len(block.tiles()) for block in blocks])
        self.tiles_of_block = np.split(np.arange(len(self.tiles)), ends[:-1])
        centres = np.array([centre_yx(*tile) for tile in self.tiles])
        self.centres = np.column_stack([np.full(len(centres), domain.middle_plane), centres])

    def measure(self, field: SmoothField) -> Measurements:
        """Return the tiles' shifts, starting from a first field."""
        expected, sigma = field.at(self.centres)
        aimed = expected.copy()
        maps, null = self._first_maps(aimed)
        tiles = self._shifts(maps, expected, sigma, None)
        for round_ in range(ROUNDS):
            if tiles.useful.any():
                field = self._field(tiles)
                expected, sigma = field.at(self.centres)
            if round_ < ROUNDS - 1:
                self._aim_again(maps, aimed, expected)
                tiles = self._shifts(maps, expected, sigma, tiles)
        confidence = [
            block_confidence([maps[tile] for tile in mine], expected[mine])
            for mine in self.tiles_of_block
        ]
        return Measurements(tiles, self.tiles_of_block, field, np.array(confidence), null)

    def _field(self, tiles: TileShifts) -> SmoothField:
        """Return the smooth field through the useful tiles."""
        values = tiles.position_zyx, tiles.shift_zyx, tiles.sigma_zyx
        return smooth_field.fit(self.domain, *(part[tiles.useful] for part in values), self.pool)

    def _aim_again(
        self, maps: list[TileMap | None], aimed: np.ndarray, expected: np.ndarray
    ) -> None:
        """Replace the maps of tiles that were aimed at a shift (m, 3) that is not expected now."""
        again = np.flatnonzero(np.abs(expected - aimed).max(axis=1) > OFF_TARGET)
        aimed[again] = expected[again]
        for number, found in zip(again, self.pool.map(self._map, again, aimed[again]), strict=True):
            maps[number] = found

    def _spectra(self, number: int, expected_zyx: np.ndarray) -> TileSpectra | None:
        rows, columns = self.tiles[number]
        return tile_spectra(*self.stacks, (in_bins(rows), in_bins(columns)), expected_zyx)

    def _map(self, number: int, expected_zyx: np.ndarray) -> TileMap | None:
        spectra = self._spectra(number, expected_zyx)
        return None if spectra is None else tile_map(spectra)

    def _first_maps(self, expected: np.ndarray) -> tuple[list[TileMap | None], np.ndarray]:
        """Return (maps of all tiles, confidences of blocks that cannot match)."""
        count = len(self.tiles_of_block)
        rows = [range(n, min(n + BLOCKS_IN_A_ROW, count)) for n in range(0, count, BLOCKS_IN_A_ROW)]
        maps: list[TileMap | None] = []
        null: list[float] = []
        for own, others in self.pool.map(lambda row: self._row(row, expected), rows):
            maps += own
            null += others
        return maps, np.array(null)

    def _row(self, row: range, expected: np.ndarray) -> tuple[list[TileMap | None], list[float]]:
        """Return (maps of the tiles of some blocks, confidence of each with its predecessor)."""
        maps: list[TileMap | None] = []
        null: list[float] = []
        before: list[TileSpectra | None] = []
        for block in row:
            spectra = [self._spectra(tile, expected[tile]) for tile in self.tiles_of_block[block]]
            maps += [None if tile is None else tile_map(tile) for tile in spectra]
            unrelated = [
                tile_map(replace(tile, cycle=other.cycle))
                for tile, other in zip(spectra, before, strict=False)
                if tile is not None and other is not None and tile.shape == other.shape
            ]
            if 2 * len(unrelated) > len(spectra):
                null.append(block_confidence(unrelated, None))
            before = spectra
        return maps, null

    def _shifts(
        self,
        maps: list[TileMap | None],
        expected: np.ndarray,
        sigma: np.ndarray,
        before: TileShifts | None,
    ) -> TileShifts:
        """Return the most probable shifts of all tiles, given what is expected (m, 3).

        A tile whose shift is near the one of the round before keeps its position.
        """
        sigma = np.hypot(sigma, PREDICTION_FLOOR)
        shifts, sigmas = expected.copy(), np.full(expected.shape, UNKNOWN)
        for number, found in enumerate(maps):
            if found is not None:
                shifts[number], sigmas[number] = tile_shift(found, expected[number], sigma[number])
        positions = self.centres.copy() if before is None else before.position_zyx.copy()
        moved = [
            number
            for number, found in enumerate(maps)
            if found is not None
            and (
                before is None
                or np.any(np.abs(shifts[number] - before.shift_zyx[number]) > SAME_PLACE)
            )
        ]
        for number, position in zip(
            moved, self.pool.map(self._position, moved, shifts[moved]), strict=True
        ):
            positions[number] = position
        return TileShifts(shifts, sigmas, positions)

    def _position(self, number: int, shift_zyx: np.ndarray) -> np.ndarray:
        """Return where the structure of a tile lies in the reference (z, y, x)."""
        return structure_position(*self.stacks, self.tiles[number], shift_zyx)
