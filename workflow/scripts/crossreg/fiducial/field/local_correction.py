"""What is added to a field where images contradict it, and how sure that is."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.block_grid import Block

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LocalCorrection:
    """Corrections along y and x at cells of the reference, the same at all depths.

    Attributes
    ----------
    cell : edge of a cell (px); the first one begins at the first pixel.
    by_yx : (ny, nx, 2) what is added to the shift in the middle of each cell (px).
    sigma_yx : (ny, nx, 2) the standard error that comes with it, beside the field's (px).

    """

    cell: int
    by_yx: Floats
    sigma_yx: Floats

    def transformed(self, matrix: Floats) -> "LocalCorrection":
        """Return the corrections multiplied by a matrix (2, 2) of rows and columns."""
        sigma = np.sqrt(np.square(self.sigma_yx) @ np.square(matrix.T))
        return LocalCorrection(self.cell, self.by_yx @ matrix.T, sigma)

    def at(self, positions_zyx: Floats) -> tuple[Floats, Floats]:
        """Return (what is added, its standard error), both (n, 3), at positions (n, 3)."""
        y, x = positions_zyx[:, 1:].T
        (rows, down), (columns, across) = self._cells(0, y), self._cells(1, x)
        all_values, total = self._values, np.zeros((len(y), 4))
        for one, two in itertools.product((0, 1), repeat=2):
            part = np.abs(1 - one - down) * np.abs(1 - two - across)
            total += all_values[rows + one, columns + two] * part[:, None]
        return _by_and_sigma(total)

    def on_grid(self, y: Floats, x: Floats) -> tuple[Floats, Floats]:
        """Return the same (len y, len x, 3) at all combinations of rows and columns."""
        places = np.stack(np.meshgrid([0.0], y, x, indexing="ij"), axis=-1).reshape(-1, 3)
        by, sigma = self.at(places)
        return by.reshape(len(y), len(x), 3), sigma.reshape(len(y), len(x), 3)

    def mean_over_blocks(self, blocks: list[Block]) -> tuple[Floats, Floats]:
        """Return the means (n, 3) over n blocks, and their standard errors."""
        values, means = self._values, []
        for block in blocks:
            rows, columns = (
                slice(part.start // self.cell, -(-part.stop // self.cell))
                for part in (block.rows, block.columns)
            )
            means.append(values[rows, columns].mean(axis=(0, 1)))
        return _by_and_sigma(np.array(means))

    @property
    def _values(self) -> Floats:
        """Return corrections and variances (ny, nx, 4)."""
        return np.concatenate([self.by_yx, np.square(self.sigma_yx)], axis=-1)

    def _cells(self, axis: int, places: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Return the cell before each place (n,) (px), and which part of the way to the next."""
        count = self.by_yx.shape[axis]
        along = np.clip((places + 0.5) / self.cell - 0.5, 0, count - 1)
        before = np.minimum(along.astype(int), max(count - 2, 0))
        return before, along - before


def _by_and_sigma(values: Floats) -> tuple[Floats, Floats]:
    """Return corrections and standard errors (n, 3) from corrections and variances (n, 4)."""
    nothing = np.zeros(len(values))
    return (
        np.column_stack([nothing, values[:, :2]]),
        np.column_stack([nothing, np.sqrt(values[:, 2:])]),
    )
