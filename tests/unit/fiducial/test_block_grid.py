"""Blocks and sub-blocks cover an image without gap or overlap."""

import numpy as np
import pytest

from crossreg.fiducial.block_grid import block_grid, grid_shape, seen_by_both, widened


@pytest.mark.parametrize("shape", [(128, 128), (130, 200), (64, 300)])
def test_blocks_and_sub_blocks_cover_every_pixel_once(shape: tuple[int, int]) -> None:
    blocks, sub_blocks = np.zeros(shape, int), np.zeros(shape, int)
    for block in block_grid(shape, 64):
        blocks[block.rows, block.columns] += 1
        for rows, columns in block.sub_blocks():
            sub_blocks[rows, columns] += 1
    assert np.all(blocks == 1)
    assert np.all(sub_blocks == 1)


def test_grid_counts_the_smaller_last_blocks() -> None:
    assert grid_shape((130, 200), 64) == (3, 4)
    last = block_grid((130, 200), 64)[-1]
    assert (last.i, last.j, last.rows, last.columns) == (2, 3, slice(128, 130), slice(192, 200))


def test_sample_points_are_centred_on_the_block() -> None:
    block = block_grid((128, 128), 64)[3]
    assert np.allclose(block.sample_points_yx(3).mean(axis=0), 95.5)


@pytest.mark.parametrize("shift", [-85, -5, 0, 5, 85])
def test_both_see_the_same_structure(shift: int) -> None:
    reference = np.arange(100) * 1.0
    cycle = np.arange(90) + 1.0 * shift
    one, two = seen_by_both(slice(40, 80), 100, 90, shift)
    assert np.array_equal(reference[one], cycle[two])
    assert (one.stop > one.start) == (abs(shift) < 80)


def test_a_widened_range_keeps_its_length_inside_the_axis() -> None:
    assert widened(slice(20, 40), 6, 100) == slice(14, 46)
    assert widened(slice(0, 20), 6, 100) == slice(0, 32)
    assert widened(slice(80, 100), 6, 100) == slice(68, 100)
    assert widened(slice(0, 20), 6, 20) == slice(0, 20)
    assert widened(slice(20, 40), 0, 100) == slice(20, 40)
