"""The 3D shift of every block that remains after the global shift in XY."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy.fft

from crossreg.fiducial.band_pass import band_pass, taper
from crossreg.fiducial.blocks import Block, block_grid, centres_yx, grid_shape
from crossreg.fiducial.correlation import centred, correlation_map, sub_pixel_peak
from crossreg.fiducial.quality import block_quality, prepared_for_quality
from crossreg.fiducial.reference import Reference
from crossreg.fiducial.smooth_field import affine_at, robust_affine

STATUSES = ("measured", "borrowed", "failed")
TOLERANCE = (4.0, 4.0, 4.0)
"""How far (planes, px, px) a block may lie from the affine field and still support it."""
LEAST_AGREEING = 0.5
"""Part of the blocks that have to agree on one affine field; chance does not reach it."""
WINDOW = (4, 5, 5)
"""How far (planes, px, px) around the prediction the second pass searches."""


@dataclass(frozen=True)
class LocalShifts:
    """Grids (n_i, n_j) of the residual shifts after the global shift in XY.

    `shift_zyx` is to be applied at the block's centre (planes, px, px); `measured_zyx` is what
    the block itself says, `sigma_zyx` the uncertainty of `shift_zyx`. `quality` is the NRMSE in
    the projections xy, zy, zx. `status` is one of STATUSES.
    """

    shift_zyx: np.ndarray
    measured_zyx: np.ndarray
    sigma_zyx: np.ndarray
    confidence: np.ndarray
    status: np.ndarray
    quality: np.ndarray
    confidence_threshold: float
    null_pairs: int


def local_shifts(
    reference: Reference,
    cycle: np.ndarray,
    global_shift_yx: tuple[float, float],
    *,
    lower_threshold: float = 0.9,
    higher_threshold: float = 0.9999,
    background_sigma: float = 3.0,
    borrow: bool = True,
    threads: int = 1,
) -> LocalShifts:
    """Return the shifts of all blocks of a cycle's kept planes (Z, Y, X)."""
    base = np.rint(global_shift_yx).astype(int)
    fraction = np.array([0.0, *(base - np.asarray(global_shift_yx))])
    blocks = block_grid(reference.stack.shape[1:], reference.block_size_xy)
    planes = scipy.fft.next_fast_len(max(len(reference.stack), len(cycle)), real=True)
    with ThreadPoolExecutor(threads) as pool:
        first = list(
            pool.map(
                lambda block: _wide(reference.stack, cycle, block, base, planes),
                blocks,
            )
        )
        shifts, confidence = (np.array(part) for part in zip(*first, strict=True))
        threshold, null_pairs = _null(reference.stack, cycle, blocks, base, planes)
        matched = confidence > threshold
        grid = grid_shape(reference.stack.shape[1:], reference.block_size_xy)
        if matched.sum() < max(1, 0.1 * len(blocks)):
            return _failed(grid, confidence, threshold, null_pairs)
        places = centres_yx(blocks)
        places -= places.mean(axis=0)
        weights = np.where(matched, confidence**2, 0.0)
        field, agreeing = robust_affine(places, shifts, weights, TOLERANCE)
        if agreeing.sum() < LEAST_AGREEING * len(blocks):
            return _failed(grid, confidence, threshold, null_pairs)
        second = pool.map(
            lambda pair: _near(reference.stack, cycle, pair[0], base, pair[1], planes),
            zip(blocks, affine_at(places, field), strict=True),
        )
        refined, kept = (np.array(part) for part in zip(*second, strict=True))
    measured = kept & matched
    weights = np.where(measured, weights, 0.0)
    predicted = affine_at(places, robust_affine(places, refined, weights, TOLERANCE)[0])
    applied = np.where(measured[:, None] | (not borrow), refined, predicted) + fraction
    prepared = [
        prepared_for_quality(stack, lower_threshold, higher_threshold, background_sigma)
        for stack in (reference.stack, cycle)
    ]
    total = applied + np.array([0.0, *global_shift_yx])
    quality = [
        block_quality(*prepared, block, shift) for block, shift in zip(blocks, total, strict=True)
    ]
    sigma = np.where(measured[:, None], 0.3, 1.0) * np.ones(3)
    if max(len(reference.stack), len(cycle)) == 1:
        applied[:, 0] = refined[:, 0] = sigma[:, 0] = 0.0
    return LocalShifts(
        shift_zyx=applied.reshape(*grid, 3).astype(np.float32),
        measured_zyx=(refined + fraction).reshape(*grid, 3).astype(np.float32),
        sigma_zyx=sigma.reshape(*grid, 3).astype(np.float32),
        confidence=confidence.reshape(grid).astype(np.float32),
        status=np.where(measured, "measured", "borrowed").reshape(grid),
        quality=np.array(quality, dtype=np.float32).reshape(*grid, 3),
        confidence_threshold=threshold,
        null_pairs=null_pairs,
    )


def _failed(
    grid: tuple[int, int], confidence: np.ndarray, threshold: float, null_pairs: int
) -> LocalShifts:
    """Return the result for a cycle that does not match the reference."""
    nothing = np.full((*grid, 3), np.nan, dtype=np.float32)
    return LocalShifts(
        shift_zyx=nothing,
        measured_zyx=nothing,
        sigma_zyx=nothing,
        confidence=confidence.reshape(grid).astype(np.float32),
        status=np.full(grid, "failed", dtype="<U8"),
        quality=nothing,
        confidence_threshold=threshold,
        null_pairs=null_pairs,
    )


def _spectrum(stack: np.ndarray, block: Block, offset_yx: np.ndarray, planes: int) -> np.ndarray:
    """Return the tapered, band-passed spectrum of what lies in the block after a whole shift."""
    part = _cut(stack, block, offset_yx)
    middle = np.median(part[:, ::4, ::4], axis=(1, 2), keepdims=True)
    part = np.where(np.isnan(part), 0.0, part - middle).astype(np.float32)
    part *= taper(part.shape)
    shape = (planes, *part.shape[1:])
    return scipy.fft.rfftn(part, s=shape) * band_pass(shape)


def _cut(stack: np.ndarray, block: Block, offset_yx: np.ndarray) -> np.ndarray:
    """Return the block (Z, y, x) of the stack moved by `offset_yx`, NaN outside, as float32."""
    out = np.full(
        (
            len(stack),
            block.rows.stop - block.rows.start,
            block.columns.stop - block.columns.start,
        ),
        np.nan,
        dtype=np.float32,
    )
    into, source = [slice(None)], [slice(None)]
    for where, size, offset in zip(
        (block.rows, block.columns), stack.shape[1:], offset_yx, strict=True
    ):
        start, stop = (min(max(int(at - offset), 0), size) for at in (where.start, where.stop))
        source.append(slice(start, stop))
        into.append(slice(int(start + offset - where.start), int(stop + offset - where.start)))
    if all(part.stop > part.start for part in source[1:]):
        out[tuple(into)] = stack[tuple(source)]
    return out


def _wide(
    reference: np.ndarray, cycle: np.ndarray, block: Block, base: np.ndarray, planes: int
) -> tuple[np.ndarray, float]:
    """Return (shift, confidence) of a block over the whole range of shifts."""
    spectra = (
        _spectrum(reference, block, np.zeros(2), planes),
        _spectrum(cycle, block, base, planes),
    )
    shape = (planes, block.rows.stop - block.rows.start, block.columns.stop - block.columns.start)
    correlation = centred(correlation_map(*spectra, shape))
    index = tuple(int(at) for at in np.unravel_index(np.argmax(correlation), shape))
    noise = float(np.sqrt(np.mean(correlation**2)))
    confidence = float(correlation[index]) / noise if noise > 0 else 0.0
    return np.array(index, dtype=float) - np.array(shape) // 2, confidence


def _null(
    reference: np.ndarray, cycle: np.ndarray, blocks: list[Block], base: np.ndarray, planes: int
) -> tuple[float, int]:
    """Return (threshold, pairs): the largest confidence of blocks that cannot match."""
    found = []
    for one, other in list(itertools.permutations(blocks, 2))[:: max(1, len(blocks) // 2)]:
        same = one.rows.stop - one.rows.start == other.rows.stop - other.rows.start
        if not same:
            continue
        if one.columns.stop - one.columns.start != other.columns.stop - other.columns.start:
            continue
        apart = base + np.subtract(
            (one.rows.start, one.columns.start), (other.rows.start, other.columns.start)
        )
        found.append(_wide(reference, cycle, one, apart, planes)[1])
    return (float(np.max(found)) if found else 6.0), len(found)


def _near(
    reference: np.ndarray,
    cycle: np.ndarray,
    block: Block,
    base: np.ndarray,
    predicted: np.ndarray,
    planes: int,
) -> tuple[np.ndarray, bool]:
    """Return (shift, whether a peak was found) of a block near its predicted shift."""
    whole = np.rint(predicted).astype(int)
    spectra = (
        _spectrum(reference, block, np.zeros(2), planes),
        _spectrum(cycle, block, base + whole[1:], planes),
    )
    shape = (planes, block.rows.stop - block.rows.start, block.columns.stop - block.columns.start)
    correlation = centred(correlation_map(*spectra, shape))
    zero = np.array(shape) // 2 + (whole[0], 0, 0)
    low = np.maximum(zero - WINDOW, 0)
    near = correlation[
        tuple(slice(a, z + w + 1) for a, z, w in zip(low, zero, WINDOW, strict=True))
    ]
    index = tuple(int(at) for at in np.unravel_index(np.argmax(near), near.shape))
    inside = all(0 < at < size - 1 or size == 1 for at, size in zip(index, near.shape, strict=True))
    return sub_pixel_peak(near, index) + low - zero + whole, inside
