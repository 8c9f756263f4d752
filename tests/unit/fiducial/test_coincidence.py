"""The odds of a coincidence: few objects prove little, whatever their brightness and overlap."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from crossreg.fiducial.evidence.odds_under_field import likeness, odds_of_images
from crossreg.fiducial.verdict import CERTAIN, POSSIBLE

SIZE = 64


def drawn(places: np.ndarray, seed: int, heights: np.ndarray | float = 60.0) -> np.ndarray:
    """Return a binned image (y, x) of noise of deviation 1, with beads at places (n, 2)."""
    image = np.zeros((SIZE, SIZE))
    inside = np.all((places >= 0) & (places < SIZE - 1), axis=1)
    image[tuple(np.rint(places[inside]).astype(int).T)] = np.broadcast_to(heights, len(places))[
        inside
    ]
    return gaussian_filter(image, 0.8) + np.random.default_rng(seed).normal(size=image.shape)


def odds(reference: np.ndarray, cycle: np.ndarray, shift_bins: tuple[float, float]) -> float:
    shift = 2 * np.array(shift_bins)
    return odds_of_images((reference, cycle), lambda at: np.broadcast_to(shift, at.shape), 1.0)


def places(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(4, SIZE - 4, (count, 2))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("bright", [60.0, 300.0])
def test_one_bright_bead_that_meets_another_proves_nothing(bright: float, seed: int) -> None:
    one, two = places(seed, 9), places(seed + 100, 9)
    # The last beads of both meet where hardly anything else overlaps.
    one[-1], two[-1] = (SIZE - 12.0, 12.0), (12.0, SIZE - 12.0)
    heights = np.append(np.full(8, 12.0), bright)
    images = drawn(one, seed, heights), drawn(two, seed + 1, heights)
    assert odds(*images, tuple(one[-1] - two[-1])) > POSSIBLE


@pytest.mark.parametrize("seed", range(5))
def test_ten_beads_that_meet_are_no_coincidence(seed: int) -> None:
    one = places(seed, 10)
    assert odds(drawn(one, seed), drawn(one - (3, -2), seed + 1), (3, -2)) < CERTAIN


def test_a_large_turn_and_shift_count_as_more_tries() -> None:
    one = places(3, 6)
    images = drawn(one, 1), drawn(one, 2)
    still = odds_of_images(images, lambda at: np.zeros_like(at), 1.0)
    turned = odds_of_images(images, lambda at: np.zeros_like(at), 1.0, turn=15.0)
    assert still < turned < still + 2


def test_faint_spots_of_tall_stacks_are_found_in_the_noise() -> None:
    random = np.random.default_rng(0)
    spots = np.zeros((24, SIZE, SIZE))
    spots[tuple(random.integers(4, size - 4, 60) for size in spots.shape)] = 1.0
    spots = gaussian_filter(spots, (1.5, 0.8, 0.8))
    stacks = [
        np.rint(10 * (2.5 * spots / spots.max() + random.normal(size=spots.shape))).astype(np.int16)
        for _ in range(2)
    ]
    found = likeness((stacks[0], stacks[1]), lambda at: np.zeros_like(at)).log10_odds
    brightest = stacks[0].max(axis=0), stacks[1].max(axis=0)
    assert found < min(CERTAIN, odds_of_images(brightest, lambda at: np.zeros_like(at), 10.0) - 1)
