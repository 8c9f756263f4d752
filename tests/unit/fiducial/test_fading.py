"""Light that falls along z in one stack only is measured, and does not move the shift in z."""

import numpy as np
import pytest

import crossreg
from crossreg.fiducial.local_shift.fading import fading
from fiducial_images import drawn, spot_positions

SHAPE, SHIFT = (16, 160, 160), (0.6, -3.4, 2.75)
BACKGROUND = 500.0


def profile(depth: np.ndarray) -> np.ndarray:
    """Return the light at depths of a specimen that is brightest a little above its middle."""
    return 50 + 1000 * np.exp(-0.5 * ((depth - 11) / 6.0) ** 2)


@pytest.mark.parametrize("slope", [-0.15, -0.03, 0.03, 0.1])
@pytest.mark.parametrize("shift_z", [-3.5, 0.0, 1.2])
def test_planted_change_is_found_at_any_shift(slope: float, shift_z: float) -> None:
    depth = np.arange(24.0)
    cycle = profile(depth + shift_z) * np.exp(2 * slope * depth)
    assert abs(fading(profile(depth), cycle, shift_z) - slope) < 0.1 * abs(slope) + 0.002


@pytest.mark.parametrize("shift_z", [-3.5, 0.0, 1.2])
def test_light_that_falls_alike_is_no_change(shift_z: float) -> None:
    depth = np.arange(24.0)
    assert fading(profile(depth), 3 * profile(depth + shift_z), shift_z) == 0


def test_planes_whose_light_flickers_show_no_change() -> None:
    random = np.random.default_rng(0)
    flicker = np.exp(random.normal(0, 0.4, (20, 24)))
    assert not any(fading(profile(np.arange(24.0)), one * profile(np.arange(24.0)), 0.0)
                   for one in flicker)  # fmt: skip


@pytest.mark.parametrize("light", [np.zeros(24), -np.ones(24), np.ones(5), np.zeros(0)])
def test_no_structure_or_few_planes_show_no_change(light: np.ndarray) -> None:
    assert fading(light, light * np.exp(0.2 * np.arange(len(light))), 0.0) == 0


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
