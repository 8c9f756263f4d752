"""Light that falls along z in one stack only is measured, and does not move the shift in z."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

import crossreg
from crossreg.fiducial.correlation.binned_stacks import binned_planes
from crossreg.fiducial.correlation.light_samples import strongest_samples
from crossreg.fiducial.local_shift.fading import USUAL_DEPTH, Fading
from crossreg.fiducial.local_shift.light import Light
from fiducial_images import drawn, spot_positions

SHAPE, SHIFT = (16, 160, 160), np.array([0.6, -3.4, 2.75])
BACKGROUND = 500.0


def spots(seed: int, count: int = 300, moved: np.ndarray = 0 * SHIFT) -> np.ndarray:
    return drawn(SHAPE, spot_positions(SHAPE, count, seed=4) - moved, 5, seed)


def tissue(seed: int, moved: np.ndarray = 0 * SHIFT) -> np.ndarray:
    """Return soft, dense structure (Z, Y, X) that changes slowly along z, and noise."""
    margin = 8
    size = [length + 2 * margin for length in SHAPE]
    soft = gaussian_filter(np.random.default_rng(7).normal(size=size), (3, 3, 3))
    light = 300 * np.exp(soft / soft.std())
    light = shift(light, -moved, order=3, mode="nearest")[(slice(margin, -margin),) * 3]
    random = np.random.default_rng(seed)
    return np.asarray(BACKGROUND + light + random.normal(0, 15, SHAPE))


def faded(stack: np.ndarray, slope: float) -> np.ndarray:
    """Return a stack whose light falls by `slope` (logarithm per plane) above its background."""
    light = np.exp(-slope * np.arange(len(stack)))[:, None, None]
    return np.rint(BACKGROUND + (stack - BACKGROUND) * light / light.max()).astype(np.uint16)


def seen(reference: np.ndarray, cycle: np.ndarray, expected: np.ndarray = SHIFT) -> Fading:
    """Return the fading between two stacks where the cycle is expected at one shift."""
    with ThreadPoolExecutor(1) as pool:
        light = Light(strongest_samples(binned_planes(reference, pool), pool), cycle)
    return light.fading(lambda places: np.tile(expected, (len(places), 1)))


@pytest.mark.parametrize("slope", [-0.05, 0.0, 0.02, 0.1])
@pytest.mark.parametrize("specimen", [spots, tissue])
@pytest.mark.parametrize("missed", [0.0, 0.4])
def test_fading_and_place_are_told_apart(
    specimen: Callable[..., np.ndarray], slope: float, missed: float
) -> None:
    """Whether or not the field misses by what such a fading moves the cycle."""
    expected = SHIFT + np.array([missed, 0, 0])
    found = seen(specimen(2), faded(specimen(3, moved=SHIFT), slope), expected)
    assert abs(found.slope - slope) < max(4 * found.slope_sigma, 0.002)
    assert found.slope_sigma < 0.004
    assert abs(found.away + missed) < max(4 * found.away_sigma, 0.03)
    assert found.is_clear == bool(slope)


def test_what_fades_in_the_reference_too_is_no_fading() -> None:
    found = seen(faded(tissue(2), 0.05), faded(tissue(3, moved=SHIFT), 0.05))
    assert not found.is_clear


def test_beads_that_came_off_are_no_fading_but_may_hide_one() -> None:
    """Where half of some beads are gone, those of one depth may be dimmer as a whole by chance."""
    for seed in range(8):
        positions = spot_positions(SHAPE, 60, seed)
        stays = np.random.default_rng(seed).random(len(positions)) < 0.5
        cycle = drawn(SHAPE, positions[stays] - SHIFT, 5, 3)
        found = seen(drawn(SHAPE, positions, 5, 2), cycle)
        assert not found.is_clear
        assert found.hidden(0.0) > 0.02


def test_a_thin_layer_that_fades_is_not_told_from_one_that_moved() -> None:
    positions = spot_positions(SHAPE, 300, seed=4)
    positions[:, 0] = 8.0
    stacks = drawn(SHAPE, positions, 5, 2), drawn(SHAPE, positions - SHIFT, 5, 3)
    for slope in (0.0, 0.05):
        found = seen(stacks[0], faded(stacks[1], slope))
        assert not found.is_clear
        assert 0.03 < found.hidden(0.0) < 0.1


def test_what_is_left_hidden_grows_with_what_is_not_known() -> None:
    known, partly, unknown = (
        Fading(0.0, sigma, 0.0, 0.01).hidden(0.0) for sigma in (1e-4, 0.01, 9)
    )
    assert known < 0.001 < partly < unknown < 0.03 * USUAL_DEPTH
    assert Fading(0.05, 0.001, 0.0, 0.01).hidden(0.05) < 0.01
    assert Fading(0.0, 0.001, 0.3, 0.01).hidden(0.0) > 0.29


@pytest.mark.parametrize("along_z", [10, 20, 40])
def test_structure_that_all_planes_show_leaves_no_more_hidden_than_it_could(along_z: int) -> None:
    """In a deep focus hardly anything tells the depth: its gradient may be next to nothing."""
    for seed in range(4):
        random = np.random.default_rng(seed)
        soft = gaussian_filter(random.normal(size=SHAPE), (along_z, 2, 2))
        light = BACKGROUND + 100 * np.exp(soft / soft.std())
        reference, cycle = (light + random.normal(0, 30, SHAPE) for _ in range(2))
        assert seen(reference, cycle, 0 * SHIFT).depth <= SHAPE[0] ** 2 / 12


@pytest.mark.parametrize("shape", [(5, 160, 160), (16, 16, 16), (1, 64, 64), (16, 160, 3)])
def test_few_planes_and_small_images_show_no_fading(shape: tuple[int, int, int]) -> None:
    stack = drawn(shape, spot_positions(shape, 50, seed=1), 5, 2)
    assert not seen(stack, faded(stack, 0.1), 0 * SHIFT).is_clear


def test_no_structure_and_lost_planes_are_no_fading() -> None:
    empty = np.full(SHAPE, 500, np.uint16)
    assert not seen(empty, empty).is_clear
    lost = spots(3, moved=SHIFT)
    lost[9:11] = 0
    found = seen(spots(2), lost)
    assert not found.is_clear
    assert abs(found.away) < 0.05


@pytest.mark.parametrize(
    ("specimen", "slope", "nearest"),
    [(spots, 1 / 7, 0.06), (spots, -1 / 20, 0.06), (tissue, 1 / 8, 0.1), (tissue, -1 / 30, 0.1)],
)
@pytest.mark.parametrize("fades", ["cycle", "reference", "both"])
def test_a_cycle_that_fades_along_z_lies_where_it_lies(
    specimen: Callable[..., np.ndarray], slope: float, nearest: float, fades: str
) -> None:
    reference, cycle = (
        faded(stack, slope if fades in (name, "both") else 0.0)
        for name, stack in (("reference", specimen(2)), ("cycle", specimen(3, moved=SHIFT)))
    )
    found = crossreg.register(reference, cycle, block_size=64)
    assert found.verdict == "registered"
    places = np.random.default_rng(0).uniform(2, np.array(SHAPE) - 3, (100, 3))
    error = found.shift_at(places) - SHIFT
    assert abs(error[:, 0].mean()) < nearest
    assert np.abs(error).max() < 0.2
