"""Light that falls along z in one stack only is measured, and does not move the shift in z."""

import numpy as np
import pytest

import crossreg
from crossreg.fiducial.correlation.binned_stacks import BIN, LIGHT_PART
from crossreg.fiducial.local_shift import local_shifts
from crossreg.fiducial.local_shift.fading import fading
from fiducial_images import drawn, spot_positions

SHAPE, SHIFT = (16, 160, 160), (0.6, -3.4, 2.75)
BACKGROUND = 500.0
DEPTH = np.arange(24.0)


def profile(depth: np.ndarray) -> np.ndarray:
    """Return the light at depths of a specimen that is brightest a little above its middle."""
    return 50 + 1000 * np.exp(-0.5 * ((depth - 11) / 6.0) ** 2)


def everywhere(light: np.ndarray) -> np.ndarray:
    """Return the light (Z, 6, 6) of a specimen whose parts differ in brightness only."""
    return light[:, None, None] * np.random.default_rng(1).uniform(0.5, 2, (6, 6))


def lies(shift_z: float) -> np.ndarray:
    return np.array([shift_z, 0.0, 0.0])


@pytest.mark.parametrize("slope", [-0.15, -0.03, 0.03, 0.1])
@pytest.mark.parametrize("shift_z", [-3.5, 0.0, 1.2])
def test_planted_change_is_found_at_any_shift(slope: float, shift_z: float) -> None:
    cycle = everywhere(profile(DEPTH + shift_z) * np.exp(2 * slope * DEPTH))
    found = fading(everywhere(profile(DEPTH)), cycle, lies(shift_z))
    assert abs(found - slope) < 0.1 * abs(slope) + 0.002


@pytest.mark.parametrize("shift_z", [-3.5, 0.0, 1.2])
def test_light_that_falls_alike_is_no_change(shift_z: float) -> None:
    cycle = everywhere(3 * profile(DEPTH + shift_z))
    assert fading(everywhere(profile(DEPTH)), cycle, lies(shift_z)) == 0


def test_planes_whose_light_flickers_show_no_change() -> None:
    reference = everywhere(profile(DEPTH))
    flicker = np.exp(np.random.default_rng(0).normal(0, 0.4, (20, len(DEPTH), 1, 1)))
    assert not any(fading(reference, one * reference, lies(0.0)) for one in flicker)


def test_parts_that_one_stack_alone_shows_do_not_count() -> None:
    reference, cycle = everywhere(profile(DEPTH)), everywhere(profile(DEPTH))
    cycle[:, :2] = 0.01 * np.exp(0.2 * DEPTH)[:, None, None]
    assert fading(reference, cycle, lies(0.0)) == 0
    faded = cycle * np.exp(-0.1 * DEPTH)[:, None, None]
    assert abs(fading(reference, faded, lies(0.0)) + 0.05) < 0.005


def test_a_change_in_one_corner_only_is_not_that_of_the_light() -> None:
    reference, cycle = everywhere(profile(DEPTH)), everywhere(profile(DEPTH))
    cycle[:, :3, :3] *= np.exp(-0.3 * (DEPTH - 11))[:, None, None]
    assert fading(reference, cycle, lies(0.0)) == 0


def test_parts_are_compared_where_they_lie() -> None:
    reference = everywhere(profile(DEPTH))
    faded = np.roll(reference, 2, axis=1) * np.exp(-0.1 * DEPTH)[:, None, None]
    faded[:, :2] = 1e5
    shift = np.array([0.0, -2.0 * BIN * LIGHT_PART, 0.0])
    assert abs(fading(reference, faded, shift) + 0.05) < 0.002


@pytest.mark.parametrize("planes", [0, 5, 24])
def test_no_structure_or_few_planes_show_no_change(planes: int) -> None:
    for light in (np.zeros((planes, 3, 3)), -np.ones((planes, 3, 3))):
        assert fading(light, light, lies(0.0)) == 0
    light = np.exp(-0.2 * np.arange(5.0))[:, None, None] * np.ones((5, 3, 3))
    assert fading(np.ones((5, 3, 3)), light, lies(0.0)) == 0


@pytest.mark.parametrize("slope", [-1 / 7, -1 / 20, 1 / 20])
@pytest.mark.parametrize("fades", ["cycle", "both"])
def test_a_cycle_that_fades_along_z_lies_where_it_lies(slope: float, fades: str) -> None:
    positions = spot_positions(SHAPE, 300, seed=4)
    reference, cycle = drawn(SHAPE, positions, 5, 2), drawn(SHAPE, positions - SHIFT, 5, 3)
    light = np.exp(slope * np.arange(SHAPE[0]))[:, None, None]
    dark = [
        (BACKGROUND + (stack - BACKGROUND) * light / light.max()) for stack in (reference, cycle)
    ]
    pair = (dark[0] if fades == "both" else reference, dark[1])
    found = crossreg.register(*(part.astype(np.uint16) for part in pair), block_size=64)
    assert found.verdict == "registered"
    places = np.random.default_rng(0).uniform(2, np.array(SHAPE) - 3, (100, 3))
    error = found.shift_at(places) - SHIFT
    assert abs(error[:, 0].mean()) < 0.06
    assert np.abs(error).max() < 0.2


def test_beads_that_came_off_are_no_fading() -> None:
    """Where half of some beads are gone, those of one depth may be dimmer as a whole by chance."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        depths = rng.uniform(3, 12, (4, 1, 6, 6))
        beads = 1000 * np.exp(-(((DEPTH[:16, None, None] - depths) / 2.0) ** 2))
        stays = rng.random(depths.shape) < 0.5
        assert fading(beads.sum(axis=0), (beads * stays).sum(axis=0), lies(0.0)) == 0


def test_two_parts_that_are_nothing_alike_show_no_fading() -> None:
    reference = everywhere(profile(DEPTH))[:, :2, :1]
    cycle = reference * np.array([1.0, 5.0])[:, None] * np.exp(-0.1 * DEPTH)[:, None, None]
    assert fading(reference, cycle, lies(0.0)) == 0


def test_a_fading_that_grows_once_it_is_made_up_for_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each correction moves z a little more, and the moved z feigns more fading."""
    positions = spot_positions(SHAPE, 200, seed=4)
    reference, cycle = drawn(SHAPE, positions, 5, 2), drawn(SHAPE, positions - SHIFT, 5, 3)

    places = np.random.default_rng(0).uniform(2, np.array(SHAPE) - 3, (20, 3))

    def shifts_z(*slopes: float) -> np.ndarray:
        seen = iter(slopes)
        monkeypatch.setattr(local_shifts, "fading", lambda *_: next(seen))
        found = crossreg.register(reference, cycle, block_size=64)
        return np.asarray(found.shift_at(places)[:, 0])

    as_it_is = shifts_z(0.0)
    assert np.array_equal(shifts_z(-0.066, -0.102, -0.113), as_it_is)
    assert np.abs(shifts_z(-0.066, -0.070, -0.070) - as_it_is).max() > 0.1
