"""The global shift finds planted shifts and ignores what does not move with the sample."""

import numpy as np
import pytest

from crossreg.fiducial.global_shift.shift_of_projections import global_shift
from fiducial_images import drawn, spot_positions
from two_views import two_views

SHAPE = (12, 256, 320)


def projections(shift_yx: tuple[float, float], noise: float = 20) -> tuple[np.ndarray, np.ndarray]:
    positions = spot_positions(SHAPE, 150, seed=1)
    moved = positions - (0, *shift_yx)
    return drawn(SHAPE, positions, noise, 2).max(0), drawn(SHAPE, moved, noise, 3).max(0)


@pytest.mark.parametrize("by_block", [True, False])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.4, -7.25), (-60.5, 80.3)])
def test_planted_shift_is_what_is_added_to_the_cycle(shift: tuple, by_block: bool) -> None:
    found = global_shift(*projections(shift), align_by_block=by_block, block_size=64)
    assert found.shift_yx == pytest.approx(shift, abs=0.1)


def test_equal_images_have_no_error_and_unrelated_ones_have_a_large_one() -> None:
    one, _ = projections((0, 0))
    other = drawn(SHAPE, spot_positions(SHAPE, 150, seed=9), 20, 10).max(0)
    assert global_shift(one, one).error < 0.01
    assert global_shift(one, other).error > 0.8


def test_uneven_background_and_fixed_pattern_do_not_count() -> None:
    one, two = projections((5.5, -9.5))
    pattern = np.random.default_rng(4).normal(0, 30, one.shape)
    ramp = np.linspace(0, 2000, one.shape[1])
    found = global_shift(one + pattern + ramp, two + pattern + 0.5 * ramp, block_size=128)
    assert found.shift_yx == pytest.approx((5.5, -9.5), abs=0.1)


def test_threads_do_not_change_the_result() -> None:
    one, two = projections((3.4, -7.25))
    assert global_shift(one, two, threads=1) == global_shift(one, two, threads=2)


def test_constant_images_have_no_shift() -> None:
    flat = np.full((64, 64), 7, dtype=np.uint16)
    assert global_shift(flat, flat).shift_yx == (0.0, 0.0)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("share", [0.5, 0.6])
def test_shifts_of_half_the_image_and_more_have_no_alias(share: float, seed: int) -> None:
    views = two_views(seed, share)
    found = global_shift(views.reference, views.cycle, block_size=128)
    assert found.shift_yx == pytest.approx(views.shift_yx, abs=0.5)
    assert found.log10_odds < -6
