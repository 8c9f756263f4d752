"""A few clear spots: where exactly they lie tells whether two images show the same specimen."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import crossreg
from crossreg.fiducial.evidence.clear_spots import clear_spots
from crossreg.fiducial.evidence.odds_of_spots import log10_odds_of_spots
from crossreg.fiducial.verdict import CERTAIN, POSSIBLE
from few_beads import pair

SHAPE = (80, 96)
SHIFT = np.array([3.2, -5.7])
PLACES = np.array([[12.0, 60.0], [31.0, 22.0], [52.0, 71.0], [66.0, 34.0], [40.0, 45.0]])
OTHERS = np.array([[20.0, 80.0], [60.0, 12.0], [25.0, 37.0]])


def drawn(places: NDArray[np.float64], ring: float = 0.0, seed: int = 0) -> NDArray[np.float32]:
    """Return a binned image (y, x) of spots, or rings of a radius, in noise."""
    rows, columns = np.indices(SHAPE)
    image = np.random.default_rng(seed).normal(size=SHAPE)
    for row, column in places:
        distance = np.hypot(rows - row, columns - column)
        image += 15 * np.exp(-0.5 * ((distance - ring) / 1.2) ** 2)
    return image.astype(np.float32)


def odds(
    reference: NDArray[np.float64],
    cycle: NDArray[np.float64],
    moves: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
) -> float:
    """Return the odds of places under a field: by default one shift."""
    at = moves or (lambda places: np.broadcast_to(SHIFT, places.shape))
    return log10_odds_of_spots(reference, cycle, SHAPE, at)


@pytest.mark.parametrize("ring", [0.0, 3.0])
def test_spots_and_rings_are_found_where_they_lie(ring: float) -> None:
    found = clear_spots(drawn(PLACES + 0.3, ring))
    assert found is not None
    assert found.shape == PLACES.shape
    away = np.linalg.norm(found[:, None] - PLACES - 0.3, axis=-1).min(axis=1)
    assert away.max() < 0.25


def test_many_spots_and_texture_are_not_few_spots() -> None:
    random = np.random.default_rng(1)
    assert clear_spots(drawn(random.uniform(3, 77, (60, 2)))) is None
    assert clear_spots(random.normal(size=SHAPE).astype(np.float32)) is None


def test_three_spots_that_keep_their_distances_are_no_coincidence() -> None:
    noise = np.random.default_rng(0).normal(0, 0.15, (3, 2))
    assert odds(PLACES[:3], PLACES[:3] - SHIFT + noise) < CERTAIN


def test_spots_that_meet_by_a_strain_that_no_stage_makes_prove_nothing() -> None:
    middle = PLACES.mean(axis=0)

    def strained(places: NDArray[np.float64]) -> NDArray[np.float64]:
        return SHIFT + (places - middle) @ np.array([[0.05, -0.05], [0.04, -0.05]])

    cycle = np.concatenate([PLACES[:3] - strained(PLACES[:3]), OTHERS[:2]])
    assert odds(PLACES, cycle, strained) > POSSIBLE
    assert odds(PLACES, PLACES - strained(PLACES), strained) < odds(PLACES, cycle, strained)


def test_two_spots_that_meet_while_others_do_not_are_unsure() -> None:
    cycle = np.concatenate([PLACES[:2] - SHIFT, OTHERS])
    assert odds(PLACES, cycle) > CERTAIN
    assert odds(PLACES, np.concatenate([PLACES[:4] - SHIFT, OTHERS[:1]])) < CERTAIN


def test_two_spots_meet_again_where_the_specimen_is_turned_by_180_degrees() -> None:
    turned = np.array(SHAPE) - 1 - PLACES[1:3]
    shift = (PLACES[1:3] - turned[::-1]).mean(axis=0)
    assert odds(PLACES[1:3], turned, lambda at: np.broadcast_to(shift, at.shape)) > CERTAIN
    turned = np.array(SHAPE) - 1 - PLACES
    assert odds(PLACES, turned, lambda at: np.broadcast_to(shift, at.shape)) > POSSIBLE


def test_a_grid_of_spots_does_not_say_by_how_many_pitches_it_moved() -> None:
    grid = np.stack(np.meshgrid([20.0, 35, 50], [20.0, 35, 50, 65], indexing="ij"), -1)
    grid = grid.reshape(-1, 2)[1:]  # without a corner, so that it is not its own mirror image
    pitch = np.array([0.0, 15.0])
    cycle = grid - SHIFT
    moved = cycle[(cycle + pitch)[:, 1] < SHAPE[1]]
    assert odds(grid, moved, lambda at: np.broadcast_to(SHIFT + pitch, at.shape)) > CERTAIN
    assert odds(grid, moved) < CERTAIN


@pytest.mark.parametrize("seed", [20011, 20012, 20033, 20044, 20056])
def test_three_and_four_beads_register(seed: int) -> None:
    reference, cycle, shift = pair(seed, beads=2 + seed % 11)
    found = crossreg.register(reference[None], cycle[None], block_size=32)
    assert found.verdict == "registered"
    at = np.array([[0.0, row, column] for row in (24, 64, 104) for column in (24, 64, 104)])
    away = np.abs(found.shift_at(at)[:, 1:] - shift)
    assert (away < np.maximum(4 * found.sigma_at(at)[:, 1:], 0.3)).all()


@pytest.mark.parametrize("wrong", ["mirrored", "turned by 180 degrees", "other field"])
@pytest.mark.parametrize("seed", [20011, 20033])
def test_wrong_pairs_of_as_many_beads_have_failed(seed: int, wrong: str) -> None:
    reference, cycle, _ = pair(seed, beads=2 + seed % 11, wrong=wrong)
    found = crossreg.register(reference[None], cycle[None], block_size=32)
    assert found.verdict == "failed"
