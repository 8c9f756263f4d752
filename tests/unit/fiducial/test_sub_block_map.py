"""A sub-block's correlation shows planted shifts to a small part of a pixel, without a pull."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from crossreg.fiducial.correlation.binned_stacks import STEPS, binned_stack
from crossreg.fiducial.local_shift.sub_block_map import sub_block_maps, sub_block_spectra
from crossreg.fiducial.local_shift.sub_block_parts import (
    SubBlockParts,
    shared_structure,
    sub_block_parts,
)
from crossreg.fiducial.local_shift.sub_block_shift import UNKNOWN, sub_block_shifts
from fiducial_images import drawn, spot_positions

SHAPE = (20, 96, 96)
SUB_BLOCK = (slice(8, 40), slice(8, 40))


def parts_of(stacks: list[np.ndarray], sub_block: tuple[slice, slice], shift_zyx) -> SubBlockParts:
    """Return the parts of one sub-block, given in bins, of two binned stacks."""
    first = np.array([[0, sub_block[0].start, sub_block[1].start]])
    last = np.array([[len(stacks[0]), sub_block[0].stop, sub_block[1].stop]])
    reference, cycle = stacks
    return sub_block_parts(reference, cycle, first, last, np.array([shift_zyx]))


def found_shift(shift_zyx: np.ndarray, expected_zyx: np.ndarray, seed: int) -> np.ndarray:
    positions = spot_positions(SHAPE, 120, seed)
    with ThreadPoolExecutor(1) as pool:
        stacks = [
            binned_stack(drawn(SHAPE, at, 4, noise_seed), pool)[0]
            for at, noise_seed in ((positions, seed + 50), (positions - shift_zyx, seed + 90))
        ]
    found = sub_block_maps(sub_block_spectra(parts_of(stacks, SUB_BLOCK, expected_zyx)))
    return sub_block_shifts(found, expected_zyx[None], np.ones((1, 3)))[0][0]


@pytest.mark.parametrize("fraction", np.arange(8) / 8)
def test_error_is_small_at_every_fraction_of_a_pixel(fraction: float) -> None:
    shift = np.array([0.5, 2.0, -5.0]) + fraction
    assert np.abs(found_shift(shift, shift, seed=1) - shift).max() < 0.05


def test_an_expectation_that_is_off_hardly_pulls() -> None:
    shift = np.array([1.3, -2.6, 4.4])
    for off in (np.array([0.4, 0.7, -0.7]), np.array([-0.4, -0.7, 0.7])):
        assert np.abs(found_shift(shift, shift + off, seed=2) - shift).max() < 0.1


def test_structure_lies_where_both_stacks_show_it() -> None:
    positions = np.array([[6.0, 30.0, 61.0], [9.0, 33.0, 64.0]])
    shift = np.array([2.0, 4.0, -6.0])
    with ThreadPoolExecutor(1) as pool:
        stacks = [
            binned_stack(drawn(SHAPE, at, 4, seed), pool)[0]
            for seed, at in enumerate((positions, positions - shift))
        ]
    found = shared_structure(parts_of(stacks, SUB_BLOCK, shift)).position_zyx[0]
    assert np.abs(found - positions.mean(axis=0)).max() < 0.6
    nothing = [stacks[0], np.zeros_like(stacks[0])]
    assert np.isnan(shared_structure(parts_of(nothing, SUB_BLOCK, shift)).position_zyx).all()


def test_a_sub_block_out_of_sight_has_no_shift_of_its_own() -> None:
    stacks = [np.ones((20, 48, 48), dtype=np.int16)] * 2
    expected = np.array([[0.0, 90.0, 0.0]])
    found = sub_block_maps(sub_block_spectra(parts_of(stacks, SUB_BLOCK, expected[0])))
    assert not found.known.any()
    shifts, sigmas = sub_block_shifts(found, expected, np.ones((1, 3)))
    assert np.array_equal(shifts, expected)
    assert np.all(sigmas == UNKNOWN)


def test_borders_of_unlike_brightness_show_no_structure() -> None:
    rise = 100 / (1 + np.exp(-(np.arange(96.0) - 47.5) / 6))
    noise = np.random.default_rng(0).normal(size=(1, 96, 96))
    with ThreadPoolExecutor(1) as pool:
        binned = np.abs(binned_stack(rise + noise, pool)[0][0])
    assert max(binned[:, 0].max(), binned[:, -1].max()) < 5 * STEPS
