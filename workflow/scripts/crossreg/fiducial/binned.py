"""Stacks binned 2 x 2 and band-passed, for the wide search and for where structure lies."""

from concurrent.futures import Executor

import numpy as np
import scipy.fft

from crossreg.fiducial.band_pass import band_pass

BIN = 2
"""Edge (px) of a binned pixel: a spot of the usual size is still sampled well."""
PLANES_FOR_PATTERN = 8
"""Planes from which on what is equal in all of them is taken for the camera's pattern."""
STEPS = 10
"""Steps of the stored values in one standard deviation of the noise."""
CLIP = 12.0
"""Standard deviations of the noise above which structure counts no more: bright dirt, which only
one stack shows, must not outweigh many spots."""
NORMAL_MEDIAN = 0.6745
"""Median of the absolute value of a normal variable of standard deviation 1."""


def binned_band_passed(stack: np.ndarray, pool: Executor) -> np.ndarray:
    """Return a stack (Z, Y, X) binned, freed of background and of what all planes share.

    int8, (Z, ceil(Y / BIN), ceil(X / BIN)), in 1 / STEPS of the standard deviation of the noise
    (by the median of the absolute values, so that bright structure does not count).
    """
    shape = tuple(-(-size // BIN) for size in stack.shape[1:])
    values = np.empty((len(stack), *shape), dtype=np.float32)
    for z, plane in enumerate(pool.map(_binned, stack)):
        values[z] = plane
    pattern = values.mean(axis=0) if len(stack) >= PLANES_FOR_PATTERN else np.float32(0)
    for z, plane in enumerate(pool.map(lambda plane: _band_passed(plane - pattern), values)):
        values[z] = plane
    _smooth_along_z(values)
    sample = np.abs(values[::2, ::3, ::3])
    noise = float(np.median(sample)) / NORMAL_MEDIAN or float(sample.max()) or 1.0
    result = np.empty(values.shape, dtype=np.int8)
    for plane, target in zip(values, result, strict=True):
        target[...] = np.rint(np.clip(plane / noise, -CLIP, CLIP) * STEPS)
    return result


def _binned(plane: np.ndarray) -> np.ndarray:
    """Return a plane (Y, X) binned, the last row and column repeated where the size is odd."""
    plane = np.nan_to_num(np.asarray(plane, dtype=np.float32))
    if any(size % BIN for size in plane.shape):
        plane = np.pad(plane, [(0, -size % BIN) for size in plane.shape], mode="edge")
    rows = plane[::2] + plane[1::2]
    return (rows[:, ::2] + rows[:, 1::2]) / BIN**2


def _band_passed(plane: np.ndarray) -> np.ndarray:
    shape = tuple(scipy.fft.next_fast_len(size, real=True) for size in plane.shape)
    spectrum = scipy.fft.rfft2(plane - np.median(plane[::4, ::4]), s=shape)
    spectrum *= band_pass(shape, BIN)
    return scipy.fft.irfft2(spectrum, s=shape)[: plane.shape[0], : plane.shape[1]]


def _smooth_along_z(stack: np.ndarray) -> None:
    """Smooth a stack in place with weights 1/4, 1/2, 1/4 along z; the ends are repeated."""
    before = stack[0].copy()
    for z in range(len(stack)):
        current = stack[z].copy()
        after = stack[min(z + 1, len(stack) - 1)]
        stack[z] = 0.25 * (before + after) + 0.5 * current
        before = current


def moved_part(
    stack: np.ndarray, rows: slice, columns: slice, shift_yx: tuple[int, int]
) -> np.ndarray:
    """Return what lies at rows x columns (Z, y, x) once the stack is moved, 0 outside it."""
    part = np.zeros(
        (len(stack), rows.stop - rows.start, columns.stop - columns.start), dtype=np.float32
    )
    into, source = [], []
    for where, limit, shift in zip((rows, columns), stack.shape[1:], shift_yx, strict=True):
        start, stop = (min(max(edge - shift, 0), limit) for edge in (where.start, where.stop))
        source.append(slice(start, stop))
        into.append(slice(start + shift - where.start, stop + shift - where.start))
    if all(found.stop > found.start for found in source):
        part[:, into[0], into[1]] = stack[:, source[0], source[1]]
    return part


def in_bins(where: slice) -> slice:
    """Return the range of binned pixels that covers a range of pixels."""
    return slice(where.start // BIN, -(-where.stop // BIN))
