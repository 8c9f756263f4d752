"""The small images of a stack, taken while it is in memory."""

import functools
from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from crossreg.fiducial.block_grid import Block, block_grid, grid_shape
from crossreg.fiducial.correlation.band_pass import band_pass, high_pass, low_pass
from crossreg.fiducial.correlation.transforms import filtered
from crossreg.fiducial.even_choice import evenly_chosen
from crossreg.fiducial.quantiles import median, medians, quantiles
from crossreg.pictures.of_cycles.previews import NOTHING, Preview, cut_details

LONGEST_SIDE = 1024
"""Pixels of a preview's longer side: about what a panel shows on a screen."""
DARKEST, BRIGHTEST = 0.3, 0.9995
"""Quantiles of a projection that become black and white."""
NOISE_SPREADS = 12.0
"""White is at least so many noise spreads above the median: with few spots, noise stays dark."""
BACKGROUND_BOX = 64
"""Edge in px of the boxes whose medians are the uneven background, which is subtracted."""
MEDIAN_STEPS = (2, 4)
"""Every so many rows and columns of a box are looked at for its median."""
ENOUGH = 2**18
"""Pixels of an image that are looked at for its contrast, at least, where it has as many."""
BORDER = 10
"""Pixels by which projections are mirrored at their borders: three scales of the background."""
DETAILS = 4
"""Blocks of a cycle that are shown in detail."""


def projection_preview(projection: np.ndarray) -> Preview:
    """Return a preview with nothing but the projection (Y, X) of a stack."""
    factor = _factor(projection.shape)
    small = flattened(max_pooled(projection, factor))
    names = [field.name for field in fields(Preview)]
    images = dict.fromkeys(names, NOTHING) | {
        "shape_zyx": np.array((0, *projection.shape)),
        "factor": np.array(factor),
        "xy": as_bytes(small, contrast(small)),
    }
    return Preview(**images)


def stack_preview(
    stack: np.ndarray,
    slab: np.ndarray,
    shift_yx: tuple[float, float] = (0.0, 0.0),
    blocks: Sequence[Block] = (),
    full: bool = False,
) -> Preview:
    """Return the preview of a stack (Z, Y, X) with side views of the `slab`.

    `shift_yx` is the global shift of the cycle, `blocks` are shown in detail; with `full` the
    projection is kept at full resolution, too.
    """
    factor = _factor(stack.shape[1:])
    brightest = stack.max(axis=0)
    brightest = flattened(brightest)
    small = max_pooled(brightest, factor)
    limits = contrast(small)
    moved = round(shift_yx[0]), round(shift_yx[1])
    parts = {name: _slabs(stack, slab, by) for name, by in (("", (0, 0)), ("moved_", moved))}
    sides = {
        f"{name}{axis}": as_bytes(flattened(max_pooled(part.max(axis=along), (1, factor))), limits)
        for name, both in parts.items()
        for axis, part, along in zip(("zx", "zy"), both, (1, 2), strict=True)
    }
    seen = {"seen_xy": _seen(stack.sum(axis=0, dtype=np.float32))} | {
        f"seen_{axis}": _seen_from_the_side(part.sum(axis=along, dtype=np.float32))
        for axis, part, along in zip(("zx", "zy"), parts["moved_"], (1, 2), strict=True)
    }
    pooled = {
        name: max_pooled(image, factor if name == "seen_xy" else (1, factor))
        for name, image in seen.items()
    }
    return Preview(
        shape_zyx=np.array(stack.shape),
        factor=np.array(factor),
        slab=np.asarray(slab),
        xy=as_bytes(small, limits),
        **sides,
        **{name: as_bytes(image, contrast(image)) for name, image in pooled.items()},
        detail_blocks=np.array([(block.i, block.j) for block in blocks]).reshape(-1, 2),
        details=as_bytes(cut_details(brightest, blocks), limits),
        moved_details=as_bytes(cut_details(brightest, blocks, moved), limits),
        full_xy=as_bytes(brightest, limits) if full else NOTHING,
    )


def slab_of(brightest: np.ndarray, block_size_xy: int) -> np.ndarray:
    """Return the row and the column of blocks that have most to show in side views.

    As first row, last row, first column, last column (exclusive), px: those where the projection
    (Y, X) spreads most, because a row without fiducials would be an empty picture.
    """
    blocks = block_grid(brightest.shape, block_size_xy)
    spreads = np.array([np.std(brightest[block.rows, block.columns]) for block in blocks])
    spreads = spreads.reshape(grid_shape(brightest.shape, block_size_xy))
    i, j = (int(medians(spreads, axis).argmax()) for axis in (1, 0))
    first, second = blocks[i * spreads.shape[1]], blocks[j]
    rows, columns = first.rows, second.columns
    return np.array((rows.start, rows.stop, columns.start, columns.stop))


def blocks_to_detail(blocks: list[Block], confidence: np.ndarray) -> list[Block]:
    """Return blocks from the least to the most confident, at most DETAILS, to show in detail."""
    order = np.argsort(np.nan_to_num(confidence.ravel(), nan=-np.inf), kind="stable")
    return [blocks[order[rank]] for rank in evenly_chosen(len(order), DETAILS)]


def max_pooled(image: np.ndarray, factor: int | tuple[int, int]) -> np.ndarray:
    """Return an image (Y, X) down-sampled by the largest of `factor` px an axis: spots survive."""
    factors = (factor, factor) if isinstance(factor, int) else factor
    return _reduced(image, factors, np.maximum)


def _reduced(image: np.ndarray, factors: tuple[int, int], together: np.ufunc) -> np.ndarray:
    """Return an image whose pixels put those of rectangles of `factors` px together."""
    padding = [(0, -size % step) for size, step in zip(image.shape, factors, strict=True)]
    image = np.pad(image, padding, mode="edge") if any(map(sum, padding)) else image
    for axis, step in enumerate(factors):
        parts = [image[(slice(None),) * axis + (slice(i, None, step),)] for i in range(step)]
        image = functools.reduce(together, parts)
    return image


def contrast(image: np.ndarray) -> tuple[float, float]:
    """Return the values of an image that become black and white."""
    step = max(1, int(np.sqrt(image.size / ENOUGH)))
    low, middle, high = quantiles(image[::step, ::step], (DARKEST, 0.5, BRIGHTEST))
    # The median difference of neighbours is 0.954 noise spreads (0.6745 times the root of 2).
    noise = median(np.abs(np.diff(image[:: step**2].astype(np.float32), axis=-1))) / 0.954
    return low, max(high, middle + NOISE_SPREADS * noise, low + 1e-6)


def flattened(image: np.ndarray) -> np.ndarray:
    """Return an image (Y, X) as float32 without its uneven background.

    The background is interpolated between the medians of boxes of about BACKGROUND_BOX px.
    """
    boxes = [
        np.array_split(np.arange(size), max(1, round(size / BACKGROUND_BOX)))
        for size in image.shape
    ]
    down, across = MEDIAN_STEPS
    medians = [
        [
            median(image[rows[0] : rows[-1] + 1 : down, columns[0] : columns[-1] + 1 : across])
            for columns in boxes[1]
        ]
        for rows in boxes[0]
    ]
    by_row, by_column = (_between(axis) for axis in boxes)
    result: np.ndarray = image - by_row @ np.array(medians, dtype=np.float32) @ by_column.T
    return result


def as_bytes(image: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Return an image as uint8, with black and white at the `limits`."""
    low, high = limits
    scaled = (image.astype(np.float32) - low) * (255 / (high - low))
    result: np.ndarray = np.clip(scaled, 0, 255).astype(np.uint8)
    return result


def _factor(shape_yx: tuple[int, int]) -> int:
    return -(-max(shape_yx) // LONGEST_SIDE)


def _between(boxes: list[np.ndarray]) -> np.ndarray:
    """Return the weights (px, boxes) that interpolate between the middles of boxes of px."""
    positions = np.arange(boxes[-1][-1] + 1)
    middles = [box.mean() for box in boxes]
    weights = [np.interp(positions, middles, unit) for unit in np.eye(len(boxes))]
    return np.array(weights, dtype=np.float32).T


def _slabs(
    stack: np.ndarray, slab: np.ndarray, moved_yx: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the stack's part of the row and of the column of blocks, as views (Z, y, x)."""
    ranges = []
    for (start, stop), size, moved in zip(
        slab.reshape(2, 2), stack.shape[1:], moved_yx, strict=True
    ):
        first = min(max(int(start - moved), 0), size - 1)
        ranges.append(slice(first, max(min(int(stop - moved), size), first + 1)))
    return stack[:, ranges[0]], stack[:, :, ranges[1]]


def _seen(projection: np.ndarray) -> np.ndarray:
    """Return a sum (Y, X) along z as the correlation sees it: band-passed, before the taper.

    Sums commute with the band-pass, so this is the sum of the band-passed planes.
    """
    return filtered(projection, band_pass, BORDER)


def _seen_from_the_side(projection: np.ndarray) -> np.ndarray:
    """Return a sum (Z, X) along the other axis of the plane as the correlation sees it.

    The wider Gaussian of the band-pass acts in the plane only.
    """
    return filtered(projection, lambda shape: low_pass(shape) * high_pass((1, shape[1])), BORDER)
