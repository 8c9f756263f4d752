"""The grid of blocks that cover an image, and the sub-blocks in a block."""

import itertools
from dataclasses import dataclass

import numpy as np

SUB_BLOCK_SIZE = 40
"""Edge (px) that sub-blocks come nearest to: small enough that 3 degrees of rotation turn the edge
of a sub-block by 1 px only, large enough for several spots."""

MOST_SUB_BLOCKS = 4
"""Sub-blocks along a block's edge at most: a large block needs no more to show the gradients."""


@dataclass(frozen=True)
class Block:
    """One block: its place in the grid and the pixels it covers, of full height."""

    i: int
    j: int
    rows: slice
    columns: slice

    def sample_points_yx(self, points: int) -> np.ndarray:
        """Return points**2 evenly spread positions (px) in the block, (n, 2)."""
        axes = [
            where.start - 0.5 + (where.stop - where.start) * (np.arange(points) + 0.5) / points
            for where in (self.rows, self.columns)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)

    def sub_blocks(self) -> list[tuple[slice, slice]]:
        """Return the rows and columns of the sub-blocks that the block is cut into."""
        rows, columns = (
            _cut(
                where,
                min(MOST_SUB_BLOCKS, max(1, round((where.stop - where.start) / SUB_BLOCK_SIZE))),
            )
            for where in (self.rows, self.columns)
        )
        return list(itertools.product(rows, columns))


def grid_shape(image_shape: tuple[int, int], block_size: int) -> tuple[int, int]:
    """Return how many blocks of `block_size` px cover an image (Y, X) along each axis."""
    return -(-image_shape[0] // block_size), -(-image_shape[1] // block_size)


def block_grid(image_shape: tuple[int, int], block_size: int) -> list[Block]:
    """Return the blocks that cover an image (Y, X), row by row.

    The last row and column are smaller where the image is not a multiple of the block.
    """
    rows, columns = (
        [slice(start, min(start + block_size, size)) for start in range(0, size, block_size)]
        for size in image_shape
    )
    return [Block(i, j, y, x) for i, y in enumerate(rows) for j, x in enumerate(columns)]


def centre_yx(rows: slice, columns: slice) -> tuple[float, float]:
    """Return the centre of a rectangle in px (the centre of the first pixel is 0)."""
    return (rows.start + rows.stop - 1) / 2, (columns.start + columns.stop - 1) / 2


def middle_of(size: int, most: int) -> slice:
    """Return the middle of an axis of some size, `most` long at most."""
    length = min(size, most)
    return slice((size - length) // 2, (size + length) // 2)


def evenly_cut(where: slice, count: int) -> list[slice]:
    """Return a range of an axis cut into `count` parts that differ by one pixel at most."""
    edges = np.linspace(where.start, where.stop, count + 1).astype(int)
    return [slice(int(low), int(high)) for low, high in itertools.pairwise(edges)]


def seen_by_both(
    where: slice, reference_size: int, cycle_size: int, shift: int
) -> tuple[slice, slice]:
    """Return what both stacks show of a range of an axis, once the cycle is moved by `shift`.

    The first slice is for the reference, the second for the cycle; both are empty where there
    is nothing.
    """
    start, stop = common_range(where.start, where.stop, reference_size, cycle_size, shift)
    return slice(int(start), int(stop)), slice(int(start) - shift, int(stop) - shift)


def common_range(
    start: np.ndarray | int,
    stop: np.ndarray | int,
    reference_size: np.ndarray | int,
    cycle_size: np.ndarray | int,
    shift: np.ndarray | int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (start, stop) of what both stacks show of ranges of an axis, by the reference.

    `shift` moves the cycle; all may be arrays. Where there is nothing, start and stop are equal.
    """
    first = np.maximum(start, np.maximum(shift, 0))
    last = np.minimum(stop, np.minimum(cycle_size + shift, reference_size))
    return first, np.maximum(first, last)


def widened(where: slice, margin: int, size: int) -> slice:
    """Return a range that is longer by a margin at both ends, moved into an axis of a size."""
    length = min(where.stop - where.start + 2 * margin, size)
    start = min(max(where.start - margin, 0), size - length)
    return slice(start, start + length)


def _cut(where: slice, parts: int) -> list[slice]:
    edges = np.linspace(where.start, where.stop, parts + 1).round().astype(int)
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]
