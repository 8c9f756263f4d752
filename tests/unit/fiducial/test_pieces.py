"""Long arrays in pieces: the same result as at once, whatever the pieces and the threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from crossreg.fiducial.pieces import in_pieces


def both(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return values**2, values.sum(axis=1)


@pytest.mark.parametrize("rows", [1, 3, 7, 100])
@pytest.mark.parametrize("threads", [0, 3])
def test_pieces_give_what_the_whole_gives(rows: int, threads: int) -> None:
    values = np.random.default_rng(0).normal(size=(7, 3))
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        squares, sums = in_pieces(both, values, rows, pool if threads else None)
    assert np.array_equal(squares, values**2)
    assert np.array_equal(sums, values.sum(axis=1))


def test_nothing_gives_nothing() -> None:
    squares, sums = in_pieces(both, np.zeros((0, 3)), 4)
    assert squares.shape == (0, 3)
    assert sums.shape == (0,)
