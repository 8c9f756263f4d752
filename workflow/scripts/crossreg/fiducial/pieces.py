"""Long arrays computed piece by piece, by several threads at a time."""

from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def in_pieces(
    function: Callable[[Floats], tuple[Floats, ...]],
    values: Floats,
    rows: int,
    pool: Executor | None = None,
) -> tuple[Floats, ...]:
    """Return what a function returns for an array, computed for so many `rows` of it at a time.

    Each array that the function returns has one row for each row that it is given. The pieces do
    not depend on the threads of `pool`, so that the last bits of the result do not either.
    """
    pieces = [values[start : start + rows] for start in range(0, max(len(values), 1), rows)]
    found = pool.map(function, pieces) if pool else map(function, pieces)
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))
