"""Pixels that stand out alone are no specimen; spots as narrow as optics make them are."""

import numpy as np
import pytest

from crossreg.fiducial.correlation.hot_pixels import without_hot_pixels
from crossreg.fiducial.local_shift.local_shifts import local_shifts
from crossreg.fiducial.reference import prepare_reference
from crossreg.fiducial.verdict import REGISTERED

EDGE = 160
MOVED = (5.3, -7.6)


def spots(places_yx: np.ndarray, heights: np.ndarray, sigma: float) -> np.ndarray:
    """Return an image (EDGE, EDGE) of spots as pixels see them in their centres."""
    y, x = np.indices((EDGE, EDGE))
    image = np.zeros((EDGE, EDGE))
    for (row, column), height in zip(places_yx, heights, strict=True):
        image += height * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma**2))
    return image


def exposed(image: np.ndarray, seed: int) -> np.ndarray:
    """Return an image as a camera takes it, above a level of 100."""
    random = np.random.default_rng(seed)
    return random.poisson(np.maximum(image, 0) + 100).astype(np.float32)


def hot_pixels(seed: int, part: float = 0.006) -> np.ndarray:
    """Return what single pixels of a camera add (EDGE, EDGE)."""
    random = np.random.default_rng(seed)
    is_hot = random.random((EDGE, EDGE)) < part
    return np.where(is_hot, random.uniform(100, 900, is_hot.shape), 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_single_pixels_get_the_level_around_them(sign: int) -> None:
    image = exposed(np.full((EDGE, EDGE), 400.0), 1)
    marked = image.copy()
    marked[7::13, 5::17] += sign * 450
    found = without_hot_pixels(marked)
    changed = found != marked
    assert changed[7::13, 5::17].all()
    assert changed.sum() <= 1.02 * changed[7::13, 5::17].sum()
    assert np.abs(found - 500).max() < 6 * np.sqrt(500)


def test_two_such_pixels_may_lie_side_by_side() -> None:
    image = exposed(np.full((EDGE, EDGE), 400.0), 1)
    marked = image.copy()
    marked[20, 30:32] += 450
    marked[90:92, 40] += (450, 600)
    changed = without_hot_pixels(marked) != marked
    assert changed[20, 30:32].all()
    assert changed[90:92, 40].all()


@pytest.mark.parametrize("sigma", [0.8, 1.0, 1.6])
def test_narrow_spots_stay_as_they_are(sigma: float) -> None:
    random = np.random.default_rng(3)
    places = random.uniform(4, EDGE - 4, (150, 2))
    image = exposed(spots(places, random.uniform(100, 2000, 150), sigma), 4)
    assert np.array_equal(without_hot_pixels(image), image)


def test_an_image_without_noise_stays_as_it_is() -> None:
    assert not without_hot_pixels(np.zeros((EDGE, EDGE), np.float32)).any()
    assert without_hot_pixels(np.ones((2, 90), np.float32)).shape == (2, 90)


@pytest.mark.parametrize("planes", [1, 4])
@pytest.mark.parametrize("seed", range(1, 4))
def test_hot_pixels_that_lie_still_draw_no_block(planes: int, seed: int) -> None:
    random = np.random.default_rng([seed, 77])
    places = random.uniform(-10, EDGE + 10, (60, 2))
    heights = random.uniform(50, 120, 60)
    hot = hot_pixels(seed)
    stacks = [
        np.stack([exposed(spots(at, heights, 1.4) + hot, seed + n) for n in numbers])
        for at, numbers in (
            (places, range(100, 100 + planes)),
            (places - MOVED, range(200, 200 + planes)),
        )
    ]
    reference = prepare_reference(stacks[0], block_size_xy=40)
    found = local_shifts(reference, stacks[1], (5.0, -8.0))
    assert found.verdict.name == REGISTERED
    off = found.shift_zyx[..., 1:] + (5.0, -8.0) - MOVED
    # Drawn blocks are off by several px.
    assert np.abs(off).max() < 0.5
