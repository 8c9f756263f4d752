"""The shifts of all tiles of a cycle, and the smooth field through them."""

from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from crossreg.fiducial import smooth_field
from crossreg.fiducial.binned import in_bins
from crossreg.fiducial.blocks import Block, centre_yx, widened
from crossreg.fiducial.confidence import block_confidence, null_confidence
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
BORDER = 6.0
"""Distance (px) from the border of what both stacks show below which structure may be cut:
twice the scale of the background."""
CUT_SIGMA = 0.5
"""Uncertainty (px) added to the shift of structure that may be cut: the part that is seen differs
between the stacks."""
FEW_PLANES = 3
"""Planes below which a tile shows so few objects that those at its edges matter."""
FEW_PLANES_MARGIN = 6
"""Margin (px) by which tiles of so few planes overlap: what one of them cuts, another one holds."""
BLOCKS_IN_A_ROW = 4
"""Blocks that one thread does one after another; they are compared with each other too, for the
null distribution."""
NULL_PAIRS = 48
"""Pairs of blocks that cannot match that are aimed at: from there on, their number hardly moves
the threshold."""


@dataclass(frozen=True)
class TileShifts:
    """Shifts of m tiles: `shift_zyx`, `sigma_zyx` and `position_zyx` where they hold (m, 3).

    A tile without structure has the position NaN.
    """

    shift_zyx: np.ndarray
    sigma_zyx: np.ndarray
    position_zyx: np.ndarray

    @property
    def useful(self) -> np.ndarray:
        """Return which tiles (m,) say something about the field."""
        placed = np.isfinite(self.position_zyx).all(axis=1)
        return placed & (self.sigma_zyx.max(axis=1) < USEFUL_SIGMA)


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
        useful = self.tiles.useful
        weights, deviation = np.zeros((2, *self.tiles.shift_zyx.shape))
        weights[useful] = self.tiles.sigma_zyx[useful] ** -2
        deviation[useful] = (
            self.tiles.shift_zyx[useful] - self.field.at(self.tiles.position_zyx[useful])[0]
        )
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
        margin = FEW_PLANES_MARGIN if min(map(len, stacks)) < FEW_PLANES else 0
        self.tiles = [
            tuple(
                widened(where, margin, size)
                for where, size in zip(tile, domain.image_shape, strict=True)
            )
            for block in blocks
            for tile in block.tiles()
        ]
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
        """Return (maps of the tiles of some blocks, confidences of these blocks interchanged)."""
        spectra = [
            [self._spectra(tile, expected[tile]) for tile in self.tiles_of_block[block]]
            for block in row
        ]
        maps = [None if tile is None else tile_map(tile) for own in spectra for tile in own]
        partners = min(-(-NULL_PAIRS // len(self.tiles_of_block)), len(row) - 1)
        null = [
            null_confidence(unrelated)
            for step in range(1, partners + 1)
            for own, other in zip(spectra, spectra[step:] + spectra[:step], strict=True)
            if 2 * len(unrelated := _interchanged(own, other)) > len(own)
        ]
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
        sigmas[:, 1:] += np.where(self._may_be_cut(positions, shifts), CUT_SIGMA, 0)
        return TileShifts(shifts, sigmas, positions)

    def _may_be_cut(self, positions: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        """Return (m, 2) whether positions lie near the border of what both show in y and x."""
        last = np.array(self.domain.image_shape) - 1
        moved, place = shifts[:, 1:], positions[:, 1:]
        near = np.minimum(place - np.maximum(moved, 0), np.minimum(last, last + moved) - place)
        return near < BORDER

    def _position(self, number: int, shift_zyx: np.ndarray) -> np.ndarray:
        """Return where the structure of a tile lies in the reference (z, y, x)."""
        return structure_position(*self.stacks, self.tiles[number], shift_zyx)


def _interchanged(
    own: list[TileSpectra | None], other: list[TileSpectra | None]
) -> list[TileMap | None]:
    """Return the maps of the reference's tiles of a block with the cycle's of another one."""
    return [
        tile_map(replace(tile, cycle=partner.cycle))
        for tile, partner in zip(own, other, strict=False)
        if tile is not None and partner is not None and tile.shape == partner.shape
    ]
