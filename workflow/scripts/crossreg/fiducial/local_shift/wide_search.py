"""The first look: a wide search for each block's shift, on binned stacks."""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from crossreg.fiducial.block_grid import Block
from crossreg.fiducial.correlation.band_pass import low_pass, window
from crossreg.fiducial.correlation.binned_stacks import BIN, in_bins, moved_part
from crossreg.fiducial.correlation.peak import sub_pixel_peak
from crossreg.fiducial.correlation.transforms import fast_length, images_of, spectra_of

MOST_SEARCHED = 100
"""Blocks, spread over the image, that are searched where they show enough: with fewer, more of the
sub-blocks have to be measured again than is won."""
CLEAR = 8.0
"""Height of a peak that leaves no doubt."""


@dataclass(frozen=True)
class WideShifts:
    """What the wide search found of `blocks`: shifts (n, 3) (planes, px, px), and heights (n,).

    A height is in standard deviations of the correlation over all shifts.
    """

    blocks: list[Block]
    shift_zyx: np.ndarray
    height: np.ndarray


class WideSearch:
    """A wide search for the shifts of blocks of two binned stacks (Z, y, x).

    Shifts up to half a block around the global shift, and up to half a stack in z, are found.
    """

    def __init__(
        self,
        stacks: tuple[np.ndarray, np.ndarray],
        global_shift_yx: tuple[float, float],
        pool: Executor,
    ) -> None:
        """Take the binned (reference, cycle), and the shift (px) around which is searched."""
        self.stacks, self._pool = stacks, pool
        self._planes = fast_length(max(map(len, stacks)))
        self._offset = round(global_shift_yx[0] / BIN), round(global_shift_yx[1] / BIN)

    def some_shifts(self, blocks: list[Block]) -> WideShifts:
        """Return the total shifts of blocks, of some only where these show enough."""
        chosen = np.linspace(0, len(blocks) - 1, min(len(blocks), MOST_SEARCHED)).astype(int)
        some = self.shifts([blocks[number] for number in chosen])
        if len(chosen) == len(blocks) or 2 * np.sum(some.height > CLEAR) >= len(chosen):
            return some
        return self.shifts(blocks)

    def shifts(self, blocks: list[Block]) -> WideShifts:
        """Return the total shifts of blocks."""
        reference, cycle = self.stacks

        def one(block: Block) -> tuple[np.ndarray, float]:
            parts = _part(reference, block, (0, 0)), _part(cycle, block, self._offset)
            return _peak(*parts, self._planes)

        shifts, heights = zip(*self._pool.map(one, blocks), strict=True)
        row, column = self._offset
        total = np.array(shifts) * (1, BIN, BIN) + (0, BIN * row, BIN * column)
        return WideShifts(blocks, total, np.array(heights))


def _part(stack: np.ndarray, block: Block, offset_yx: tuple[int, int]) -> np.ndarray:
    """Return the tapered part (Z, y, x) of a binned stack that lies in a block once moved."""
    part = moved_part(stack, in_bins(block.rows), in_bins(block.columns), offset_yx)
    part *= window((part.shape[1], part.shape[2]))
    return part


def _peak(reference: np.ndarray, cycle: np.ndarray, planes: int) -> tuple[np.ndarray, float]:
    """Return (shift in planes and bins, height) of the highest peak of the correlation."""
    shape = (planes, *reference.shape[1:])
    spectrum = spectra_of(reference, shape)
    spectrum *= np.conj(spectra_of(cycle, shape))
    spectrum *= np.square(low_pass(shape, BIN))
    correlation = images_of(spectrum, shape)
    noise = float(np.sqrt(np.mean(np.square(correlation))))
    if noise == 0:
        return np.zeros(3), 0.0
    index = tuple(int(at) for at in np.unravel_index(np.argmax(correlation), shape))
    shift = sub_pixel_peak(correlation, index)
    shift = np.where(shift >= np.array(shape) / 2, shift - shape, shift)
    return shift, float(correlation[index]) / noise
