"""The quality of a block tells its projections apart and follows the shift."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from crossreg.fiducial.block_grid import block_grid
from crossreg.fiducial.quality import block_projections, block_qualities, preprocessing
from fiducial_images import drawn, spot_positions

SHAPE, BLOCK = (16, 192, 192), 64
MIDDLE = 4  # the block that has neighbours on all sides
STATISTICS = (0.9, 0.9999, 3.0)


def qualities(planted_zyx: tuple, asked_zyx: tuple, planes: int = SHAPE[0]) -> np.ndarray:
    """Return the quality (3,) in the middle block at a shift, of stacks without noise."""
    positions = spot_positions(SHAPE, 300, seed=1)
    reference = drawn(SHAPE, positions, 0, 2)
    cycle = drawn((planes, *SHAPE[1:]), positions - planted_zyx, 0, 2)
    blocks = block_grid(SHAPE[1:], BLOCK)
    shifts = np.tile(np.array(asked_zyx, dtype=float), (len(blocks), 1))
    with ThreadPoolExecutor(1) as pool:
        fixed = block_projections(preprocessing(reference, *STATISTICS), BLOCK, pool)
        found = block_qualities(fixed, preprocessing(cycle, *STATISTICS), blocks, shifts, pool)
    return found[MIDDLE]


@pytest.mark.parametrize("shift", [(0, 0, 0), (0, 5, -9), (0, -12, 3)])
def test_it_is_nearly_zero_at_the_planted_shift(shift: tuple) -> None:
    assert qualities(shift, shift).max() < 0.15


@pytest.mark.parametrize("shift", [(2, 5, -9), (-3, -12, 3)])
def test_planes_that_the_cycle_lacks_count_little(shift: tuple) -> None:
    assert qualities(shift, shift).max() < 0.7 * qualities(shift, (0, *shift[1:]))[1:].min()


@pytest.mark.parametrize(
    ("wrong", "unchanged"),
    [((3, 0, 0), 0), ((0, 4, 0), 1), ((0, 0, 4), 2)],
    ids=["planes", "rows", "columns"],
)
def test_a_wrong_shift_shows_but_in_the_projection_along_it(wrong: tuple, unchanged: int) -> None:
    found = qualities((0, 0, 0), wrong)
    others = np.delete(found, unchanged)
    assert others.min() > 0.5
    assert found[unchanged] < others.min() / 2


def test_it_falls_steadily_towards_a_shift_between_pixels() -> None:
    found = [qualities((0, 0.5, 0), (0, asked, 0))[0] for asked in (-1.5, -0.5, 0.5)]
    assert found[0] > found[1] > found[2]


def test_planes_that_the_reference_lacks_do_not_count() -> None:
    assert qualities((0, 0, 0), (0, 0, 0), planes=20)[1:].max() < 0.15
