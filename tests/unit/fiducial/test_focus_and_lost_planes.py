"""Light out of focus leaves the shift along z open; planes that were lost do not move it."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import ndimage

import crossreg
from crossreg.fiducial.correlation.binned_stacks import binned_stack, shown_in_both
from crossreg.fiducial.local_shift.local_shifts import LocalShifts, local_shifts
from crossreg.fiducial.reference import prepare_reference
from fiducial_images import drawn, spot_positions

PLANES, SIZE = 14, 128
SHAPE = (PLANES, SIZE, SIZE)
SHIFT_YX = np.array([2.5, -3.0])
MARGIN, SPOT, CONE = 12, 1.2, 0.6
"""Pixels around the image, width of a spot in focus (px) and how it grows (px per plane)."""


def lit(depths: np.ndarray, moved_yx: np.ndarray, seed: int, wider: float = 1.0) -> np.ndarray:
    """Return a stack of 60 spots in focus at some depths, which spread into cones of light."""
    random = np.random.default_rng(5)
    places = random.uniform(-MARGIN, SIZE + MARGIN, (60, 2)) - moved_yx
    grid = np.arange(SIZE)
    stack = np.full(SHAPE, 200.0)
    for depth, (y, x) in zip(depths, places, strict=True):
        for z in range(PLANES):
            width = wider * np.hypot(SPOT, CONE * (z - depth))
            profiles = [np.exp(-0.5 * ((grid - at) / width) ** 2) for at in (y, x)]
            stack[z] += 1000 * (SPOT / width) ** 2 * np.outer(*profiles)
    return np.asarray(np.random.default_rng(seed).poisson(stack), dtype=np.uint16)


def layer(middle: float, spread: float = 1.5) -> np.ndarray:
    """Return the depths of spots in a layer."""
    return middle + np.random.default_rng(6).uniform(-spread, spread, 60)


def found(reference: np.ndarray, cycle: np.ndarray) -> LocalShifts:
    prepared = prepare_reference(reference, block_size_xy=64)
    return local_shifts(prepared, cycle, (2.0, -3.0))


@pytest.mark.parametrize("beside", [-5.0, 18.0])
def test_a_cycle_focused_beside_the_layer_has_no_known_shift_along_z(beside: float) -> None:
    reference, cycle = lit(layer(6.5), 0 * SHIFT_YX, 1), lit(layer(beside), SHIFT_YX, 2)
    for one, two, shift in ((reference, cycle, SHIFT_YX), (cycle, reference, -SHIFT_YX)):
        prepared = prepare_reference(one, block_size_xy=64)
        result = local_shifts(prepared, two, tuple(shift))
        assert result.verdict.name != "registered"
        assert "focus" in result.verdict.reason
        if result.verdict.name == "doubtful":
            assert np.isnan(result.sigma_zyx[..., 0]).all()
            assert np.isfinite(result.sigma_zyx[..., 1:]).all()


@pytest.mark.parametrize(("here", "there"), [(6.5, 3.0), (3.0, 9.0), (10.0, 7.0)])
@pytest.mark.parametrize("spread", [0.2, 2.5])
def test_layers_that_both_stacks_focus_on_are_registered(
    here: float, there: float, spread: float
) -> None:
    reference, cycle = (
        lit(layer(here, spread), 0 * SHIFT_YX, 1),
        lit(layer(there, spread), SHIFT_YX, 2),
    )
    result = found(reference, cycle)
    assert result.verdict.name == "registered", result.verdict.reason
    assert np.abs(result.shift_zyx[..., 0] - (here - there)).max() < 0.2


@pytest.mark.parametrize("shift_z", [-0.7, 1.4])
def test_optics_with_a_wider_cone_of_light_feign_no_change_along_z(shift_z: float) -> None:
    depths = layer(6.5, 7.0)
    cycle = lit(depths - shift_z, SHIFT_YX, 2, wider=1.5)
    result = found(lit(depths, 0 * SHIFT_YX, 1), cycle)
    assert result.verdict.name == "registered", result.verdict.reason
    shifts, _ = result.field.at(np.array([[z, 64.0, 64.0] for z in (1, 6, 12)]))
    assert np.abs(shifts[:, 0] - shift_z).max() < 0.3
    assert np.ptp(shifts[:, 0]) < 0.1


def test_a_change_along_z_that_the_planes_show_too_is_kept() -> None:
    depths = layer(6.5, 7.0)
    result = found(lit(depths, 0 * SHIFT_YX, 1), lit(6.5 + 1.04 * (depths - 6.5), SHIFT_YX, 2))
    shifts, _ = result.field.at(np.array([[z, 64.0, 64.0] for z in (1, 12)]))
    assert shifts[1, 0] - shifts[0, 0] == pytest.approx(-0.44, abs=0.15)


@pytest.mark.parametrize("lost", [slice(0, 3), slice(7, 9), slice(13, 16)])
@pytest.mark.parametrize("filled", [0, 777])
def test_planes_that_were_lost_do_not_move_the_others(lost: slice, filled: int) -> None:
    shape, shift = (16, 128, 128), np.array([-0.8, 2.5, -3.0])
    positions = spot_positions(shape, 400, seed=3)
    reference, cycle = drawn(shape, positions, 20, 1), drawn(shape, positions - shift, 20, 2)
    cycle[lost] = filled
    result = found(reference, cycle)
    assert result.verdict.name == "registered", result.verdict.reason
    assert np.abs(result.shift_zyx[..., 0] - shift[0]).max() < 0.15


def test_a_plane_without_image_does_not_change_what_others_become() -> None:
    stack = drawn((13, 64, 64), spot_positions((13, 64, 64), 60, 1), 20, 1)
    lost = np.insert(stack, 5, 3, axis=0)
    with ThreadPoolExecutor(1) as pool:
        whole, gap = (binned_stack(one, pool)[0] for one in (stack, lost))
    assert not gap[5].any()
    assert np.abs(np.delete(gap, 5, axis=0) - whole).max() <= 1


@pytest.mark.parametrize(
    ("shift_z", "left"), [(-1.25, {2: 75, 3: 25}), (0.0, {4: 0}), (2.5, {6: 50, 7: 50})]
)
def test_what_one_stack_lacks_is_taken_from_the_other(shift_z: float, left: dict[int, int]) -> None:
    stacks = np.full((10, 8, 8), 100, np.int16), np.full((12, 8, 8), 100, np.int16)
    stacks[1][4] = 0
    reference, cycle = shown_in_both(stacks, shift_z)
    assert reference[:, 0, 0].tolist() == [left.get(plane, 100) for plane in range(10)]
    assert np.array_equal(cycle, stacks[1])


@pytest.mark.parametrize(("there", "low", "high"), [(1.6, 0.1, 0.6), (6.5, 0.0, 0.1)])
def test_a_layer_that_an_end_cuts_is_less_certain_along_z(
    there: float, low: float, high: float
) -> None:
    result = found(lit(layer(6.5, 0.2), 0 * SHIFT_YX, 1), lit(layer(there, 0.2), SHIFT_YX, 2))
    sigma = result.sigma_zyx[..., 0]
    assert np.isnan(sigma).all() or np.all((sigma > low) & (sigma < high))


@pytest.mark.parametrize("value", [None, 0], ids=("noise", "zero"))
@pytest.mark.parametrize(
    ("planes", "blank"), [(36, slice(26, 36)), (36, slice(0, 9)), (20, slice(15, 20))]
)
def test_blank_planes_at_an_end_of_a_stack_feign_no_change_along_z(
    planes: int, blank: slice, value: int | None
) -> None:
    random = np.random.default_rng(0)
    tissue = ndimage.gaussian_filter(random.normal(size=(planes + 8, 148, 148)), (2, 1.5, 1.5))
    tissue *= 40 / tissue.std()
    shift_zyx = np.array([-1.3, 2.2, -3.4])
    inside = slice(4, -4), slice(10, -10), slice(10, -10)
    light = [tissue[inside], ndimage.shift(tissue, -shift_zyx, order=3)[inside]]
    light[1][blank] = 0
    stacks = [one + random.normal(100, 10, one.shape) for one in light]
    if value is not None:
        stacks[1][blank] = value
    found = crossreg.register(*stacks, block_size=64)
    assert found.verdict == "registered", found.reason
    depths = np.column_stack([np.linspace(0, planes - 1, 10), np.full((10, 2), 63.5)])
    assert np.abs(found.shift_at(depths) - shift_zyx).max() < 0.15
