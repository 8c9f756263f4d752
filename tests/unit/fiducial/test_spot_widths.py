"""Spots that one stack shows wider than the other are made alike before they are matched."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from crossreg.fiducial.correlation.binned_stacks import BIN, binned_stack
from crossreg.fiducial.correlation.spot_widths import difference_of_widths, with_spots_alike
from crossreg.fiducial.local_shift.local_shifts import local_shifts
from crossreg.fiducial.reference import prepare_reference
from fiducial_images import drawn, spot_positions

SHAPE = (12, 160, 160)
MOVED = np.array([0.4, 2.3, -3.6])
SHARP, WIDE = 1.2, 2.2


def stack(width: float, seed: int, moved: np.ndarray = 0 * MOVED, count: int = 160) -> np.ndarray:
    positions = spot_positions(SHAPE, count, seed=4) - moved
    return drawn(SHAPE, positions, 12, seed, (1.4, width, width))


def binned(width: float, seed: int) -> np.ndarray:
    with ThreadPoolExecutor(1) as pool:
        return binned_stack(stack(width, seed), pool)[0]


@pytest.mark.parametrize(("here", "there"), [(SHARP, WIDE), (WIDE, SHARP)])
def test_the_difference_of_widths_is_measured_and_made_up_for(here: float, there: float) -> None:
    reference, cycle = binned(here, 1), binned(there, 2)
    planted = (there**2 - here**2) / BIN**2
    assert difference_of_widths(reference, cycle) == pytest.approx(planted, rel=0.4)
    with ThreadPoolExecutor(1) as pool:
        alike = with_spots_alike((reference, cycle), planted, pool)
    assert abs(difference_of_widths(*alike)) < 0.3 * abs(planted)
    wider = 0 if here > there else 1
    assert alike[wider] is (reference, cycle)[wider]


def test_stacks_with_equal_spots_are_left_as_they_are() -> None:
    stacks = binned(1.4, 1), binned(1.4, 2)
    with ThreadPoolExecutor(1) as pool:
        alike = with_spots_alike(stacks, difference_of_widths(*stacks), pool)
    assert alike[0] is stacks[0]
    assert alike[1] is stacks[1]


def test_one_plane_and_empty_stacks_say_nothing() -> None:
    empty = np.zeros((5, 40, 40), np.int16)
    assert difference_of_widths(empty, empty) == 0
    assert difference_of_widths(binned(SHARP, 1)[:1], binned(WIDE, 2)[:1]) == 0


@pytest.mark.parametrize(
    ("here", "there", "count", "nearest"), [(1.1, 2.6, 160, 0.12), (2.6, 1.1, 1500, 0.03)]
)
def test_shifts_are_right_where_one_stack_is_blurred(
    here: float, there: float, count: int, nearest: float
) -> None:
    """Without the blur they are 0.15 and 0.06 px off."""
    prepared = prepare_reference(stack(here, 1, count=count), block_size_xy=80)
    result = local_shifts(prepared, stack(there, 2, MOVED, count), (2.0, -4.0))
    assert result.verdict.name == "registered", result.verdict.reason
    error = result.shift_zyx + np.array([0, 2, -4]) - MOVED
    assert np.abs(error[..., 1:]).max() < nearest
    assert np.abs(error[..., 0]).max() < 0.1
