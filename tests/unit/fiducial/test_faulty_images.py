"""Copies and inverted images are implausible, and never registered."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import crossreg
from fiducial_images import drawn, spot_positions

SIZE, NOISE = 128, 6.0


def specimen(content: str, planes: int, seed: int = 0) -> np.ndarray:
    """Return light (Z, Y, X) of beads, or of a texture that is dark as often as it is bright."""
    random = np.random.default_rng(seed)
    shape = (planes, SIZE + 8, SIZE + 8)
    scale = (1.0 if planes > 1 else 0.0, 1.5, 1.5)
    if content == "beads":
        light = np.zeros(shape)
        light[tuple(random.integers(0, size, 25 * planes) for size in shape)] = 1.0
        light = gaussian_filter(light, scale)
        return 400 + 600 * light / light.max()
    light = gaussian_filter(random.normal(size=shape), np.multiply(2, scale))
    return 600 + 60 * light / light.std()


def exposed(light: np.ndarray, seed: int, moved: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Return what a camera makes of the middle of the light, moved by whole pixels."""
    rows, columns = (slice(4 + step, 4 + step + SIZE) for step in moved)
    random = np.random.default_rng(seed)
    return np.rint(light[:, rows, columns] + random.normal(0, NOISE, (len(light), SIZE, SIZE)))


def to_8_bits(stack: np.ndarray) -> np.ndarray:
    return (255 * (stack - stack.min()) / np.ptp(stack)).astype(np.uint8)


def with_little_noise(stack: np.ndarray) -> np.ndarray:
    return stack + np.random.default_rng(9).normal(0, 0.1 * NOISE, stack.shape)


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": np.copy,
    "gain and offset": lambda stack: 1.7 * stack + 100,
    "8 bits": to_8_bits,
    "compressed again": with_little_noise,
}


def register(reference: np.ndarray, cycle: np.ndarray) -> crossreg.Registration:
    return crossreg.register(reference, cycle, block_size=32)


@pytest.mark.parametrize("planes", [1, 6, 12])
@pytest.mark.parametrize("content", ["beads", "texture"])
@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_of_the_reference_is_doubtful(kind: str, content: str, planes: int) -> None:
    stack = exposed(specimen(content, planes), 1)
    found = register(stack, COPIES[kind](stack))
    assert found.verdict == "doubtful"
    assert "copied" in found.reason


@pytest.mark.parametrize("content", ["beads", "texture"])
def test_one_copied_plane_is_found_in_a_cycle_that_has_moved(content: str) -> None:
    light = specimen(content, 12)
    reference, cycle = exposed(light, 1), exposed(light, 2, (2, -3))
    assert register(reference, cycle).verdict == "registered"
    cycle[7] = reference[7]
    found = register(reference, cycle)
    assert found.verdict == "doubtful"
    assert "8% of the planes" in found.reason


@pytest.mark.parametrize("planes", [1, 6, 12])
@pytest.mark.parametrize("content", ["beads", "texture"])
def test_two_exposures_of_a_stage_at_rest_are_no_copies(content: str, planes: int) -> None:
    light = specimen(content, planes)
    found = register(exposed(light, 1), exposed(light, 2))
    assert found.verdict == "registered", found.reason


@pytest.mark.parametrize("planes", [1, 4, 6, 12])
@pytest.mark.parametrize("content", ["beads", "texture"])
@pytest.mark.parametrize("moved", [(0, 0), (3, -2)])
def test_inverted_grey_values_have_failed(
    moved: tuple[int, int], content: str, planes: int
) -> None:
    light = specimen(content, planes)
    found = register(exposed(light, 1), 2000 - exposed(light, 2, moved))
    assert found.verdict == "failed"


@pytest.mark.parametrize("seed", [10, 19, 27, 28])
def test_few_beads_out_of_the_focus_of_some_planes_are_not_inverted(seed: int) -> None:
    shape, moved = (8, SIZE, SIZE), (1.2, 2, -3)
    positions = spot_positions(shape, 15, seed=seed)
    pair = drawn(shape, positions, 8, seed), drawn(shape, positions - moved, 8, seed + 9)
    assert "inverted" not in crossreg.register(*pair, block_size=64).reason
