"""The grid of blocks that cover an image."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Block:
    """One block: its place in the grid and the pixels it covers, of full height."""

    i: int
    j: int
    rows: slice
    columns: slice

    @property
    def centre_yx(self) -> tuple[float, float]:
        """Return the block's centre in px (the centre of the first pixel is 0)."""
        return (
            (self.rows.start + self.rows.stop - 1) / 2,
            (self.columns.start + self.columns.stop - 1) / 2,
        )


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


def centres_yx(blocks: list[Block]) -> np.ndarray:
    """Return the centres of blocks in px, (n, 2): rows, columns."""
    return np.array([block.centre_yx for block in blocks], dtype=float)
