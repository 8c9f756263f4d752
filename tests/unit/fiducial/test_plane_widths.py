"""How a layer widens out of focus tells another z step; what is no layer tells nothing."""

import numpy as np
import pytest

from crossreg.fiducial.correlation.light_samples import SharedSamples
from crossreg.fiducial.evidence.plane_widths import ratio_by_widths
from crossreg.fiducial.local_shift.local_shifts import local_shifts
from crossreg.fiducial.reference import prepare_reference

PLANES, SIZE = 16, 128
FOCUS, SPOT, CONE = 8.2, 1.2, 0.5
"""Plane of the layer, width of a spot in focus (px), and how it grows (px per plane)."""
SHIFT_YX = np.array([2.5, -3.0])


def stack(
    step: float = 1.0,
    seed: int = 1,
    spot: float = SPOT,
    fading: float = 0.0,
    thickness: float = 0.0,
    moved_yx: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Return a stack of 100 spots whose light spreads out of focus, planes `step` apart."""
    random = np.random.default_rng(5)
    places = random.uniform(-12, SIZE + 12, (100, 2)) - moved_yx
    depths = random.uniform(-thickness, thickness, 100)
    grid = np.arange(SIZE)
    light = np.zeros((PLANES, SIZE, SIZE))
    for depth, (y, x) in zip(depths, places, strict=True):
        for z in range(PLANES):
            width = np.hypot(spot, CONE * (step * (z - FOCUS) - depth))
            profiles = [np.exp(-0.5 * ((grid - at) / width) ** 2) for at in (y, x)]
            light[z] += 1500 * (SPOT / width) ** 2 * np.outer(*profiles)
    light *= np.exp(-fading * np.arange(PLANES))[:, None, None]
    return np.asarray(np.random.default_rng(seed).poisson(light + 200), dtype=np.uint16)


def samples(stack: np.ndarray) -> np.ndarray:
    """Return 16 parts of a binned stack, as `LightSamples` has them."""
    binned = stack.reshape(PLANES, SIZE // 2, 2, SIZE // 2, 2).mean(axis=(2, 4))
    parts = binned.reshape(PLANES, 4, 16, 4, 16).transpose(1, 3, 0, 2, 4)
    flat = parts.reshape(16, PLANES, 16, 16)
    return np.asarray(flat[..., 3:] - flat[..., :-3], dtype=np.float32)


def ratio(reference: np.ndarray, cycle: np.ndarray) -> float:
    nothing = np.zeros((16, 3))
    return ratio_by_widths(SharedSamples(nothing, nothing, samples(reference), samples(cycle)))


@pytest.mark.parametrize("step", [0.5, 1.25, 2.0])
def test_another_z_step_of_a_layer_is_told(step: float) -> None:
    assert ratio(stack(), stack(step, seed=2)) == pytest.approx(1 / step, rel=0.1)


@pytest.mark.parametrize(
    "kind",
    [{}, {"step": 1.08}, {"fading": 0.05}, {"spot": 1.7}, {"spot": 1.0}],
    ids=("alike", "a little", "fading", "wider spots", "narrower spots"),
)
def test_a_layer_that_is_as_far_apart_tells_no_z_step(kind: dict[str, float]) -> None:
    assert ratio(stack(), stack(seed=2, **kind)) == 1


@pytest.mark.parametrize("spot", [1.0, 1.2, 1.7])
def test_structure_at_all_depths_tells_no_z_step_by_its_width(spot: float) -> None:
    deep = stack(thickness=7.0), stack(seed=2, spot=spot, thickness=7.0)
    assert ratio(*deep) == 1


def test_what_shows_nothing_tells_no_z_step() -> None:
    noise = np.random.default_rng(0).poisson(200, (2, PLANES, SIZE, SIZE))
    assert ratio(*noise) == 1
    assert ratio(stack(), np.zeros((PLANES, SIZE, SIZE))) == 1


@pytest.mark.parametrize(
    ("step", "verdict"),
    [(0.5, "doubtful"), (1.0, "registered"), (1.25, "doubtful"), (2.0, "doubtful")],
)
def test_another_z_step_of_a_layer_makes_a_cycle_doubtful(step: float, verdict: str) -> None:
    reference, cycle = stack(), stack(step, seed=2, moved_yx=SHIFT_YX)
    prepared = prepare_reference(reference, block_size_xy=64)
    found = local_shifts(prepared, cycle, (2.0, -3.0)).verdict
    assert found.name == verdict, found.reason
    if step != 1:
        said, rest = found.reason.split(maxsplit=1)
        assert float(said) == pytest.approx(1 / step, rel=0.15)
        assert rest.startswith("planes of the cycle correspond to one of the reference")
