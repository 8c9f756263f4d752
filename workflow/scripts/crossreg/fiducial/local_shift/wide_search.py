"""The first look: a wide search for each block's shift, on binned stacks."""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import scipy.fft

from crossreg.fiducial.blocks import Block
from crossreg.fiducial.correlation.band_pass import low_pass, window
from crossreg.fiducial.correlation.binned import BIN, in_bins, moved_part
from crossreg.fiducial.correlation.peak import sub_pixel_peak


@dataclass(frozen=True)
class WideShifts:
    """Shifts (n, 3) of n blocks (planes, px, px), and the heights (n,) of their peaks.

    A height is in standard deviations of the correlation over all shifts.
    """

    shift_zyx: np.ndarray
    height: np.ndarray


def wide_shifts(
    reference: np.ndarray,
    cycle: np.ndarray,
    blocks: list[Block],
    global_shift_yx: tuple[float, float],
    pool: Executor,
) -> WideShifts:
    """Return the total shifts of blocks of two binned stacks (Z, y, x).

    Shifts up to half a block around the global shift, and up to half a stack in z, are found.
    """
    planes = scipy.fft.next_fast_len(max(len(reference), len(cycle)), real=True)
    offset = (round(global_shift_yx[0] / BIN), round(global_shift_yx[1] / BIN))

    def one(block: Block) -> tuple[np.ndarray, float]:
        return _peak(_part(reference, block, (0, 0)), _part(cycle, block, offset), planes)

    shifts, heights = zip(*pool.map(one, blocks), strict=True)
    total = np.array(shifts) * (1, BIN, BIN) + (0, BIN * offset[0], BIN * offset[1])
    return WideShifts(total, np.array(heights))


def _part(stack: np.ndarray, block: Block, offset_yx: tuple[int, int]) -> np.ndarray:
    """Return the tapered part (Z, y, x) of a binned stack that lies in a block once moved."""
    part = moved_part(stack, in_bins(block.rows), in_bins(block.columns), offset_yx)
    part *= window((part.shape[1], part.shape[2]))
    return part


def _peak(reference: np.ndarray, cycle: np.ndarray, planes: int) -> tuple[np.ndarray, float]:
    """Return (shift in planes and bins, height) of the highest peak of the correlation."""
    shape = (planes, *reference.shape[1:])
    spectrum = scipy.fft.rfftn(reference, s=shape)
    spectrum *= np.conj(scipy.fft.rfftn(cycle, s=shape))
    spectrum *= np.square(low_pass(shape, BIN))
    correlation = scipy.fft.irfftn(spectrum, s=shape)
    noise = float(np.sqrt(np.mean(np.square(correlation))))
    if noise == 0:
        return np.zeros(3), 0.0
    index = tuple(int(at) for at in np.unravel_index(np.argmax(correlation), shape))
    shift = sub_pixel_peak(correlation, index)
    shift = np.where(shift >= np.array(shape) / 2, shift - shape, shift)
    return shift, float(correlation[index]) / noise
