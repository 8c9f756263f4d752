"""The wide search looks at some of many blocks where these show enough, and at all where not."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from crossreg.fiducial.block_grid import block_grid
from crossreg.fiducial.local_shift.wide_search import MOST_SEARCHED, WideSearch, WideShifts

BLOCKS = block_grid((768, 768), 64)
MOVED = (2, -3)
"""Bins by which the cycle is moved back."""


def found(clear: float) -> WideShifts:
    """Return what is found of two noisy stacks that share structure of some strength."""
    random = np.random.default_rng(1)
    shared, *noise = random.normal(0, 10, (3, 2, 384, 384))
    stacks = [np.rint(clear * shared + part) for part in noise]
    stacks[1] = np.roll(stacks[1], [-step for step in MOVED], axis=(1, 2))
    with ThreadPoolExecutor(1) as pool:
        search = WideSearch((stacks[0], stacks[1]), (0.0, 0.0), pool)
        return search.some_shifts(BLOCKS)


def test_some_of_many_blocks_are_searched_where_these_show_enough() -> None:
    some = found(clear=4.0)
    assert len(some.blocks) == MOST_SEARCHED < len(BLOCKS)
    assert {block.i for block in some.blocks} == {block.i for block in BLOCKS}
    assert {block.j for block in some.blocks} == {block.j for block in BLOCKS}
    assert np.median(some.shift_zyx, axis=0) == pytest.approx(
        (0, 2 * MOVED[0], 2 * MOVED[1]), abs=0.3
    )


def test_all_blocks_are_searched_where_some_show_little() -> None:
    assert len(found(clear=0.0).blocks) == len(BLOCKS)
