"""The threshold on the confidence keeps its false-accept rate; cycles match by many blocks."""

import numpy as np
import pytest

from crossreg.fiducial.confidence import (
    FALSE_ACCEPT_RATE,
    THEORETICAL_THRESHOLD,
    block_confidence,
    confidence_threshold,
    cycle_matches,
    null_confidence,
)
from crossreg.fiducial.tile_map import TileMap


@pytest.mark.parametrize("pairs", [5, 12, 60])
def test_unrelated_pairs_pass_at_the_stated_rate(pairs: int) -> None:
    random = np.random.default_rng(pairs)
    draws = random.normal(6, 1.5, (4000, pairs + 1))
    passed = [draw[-1] > confidence_threshold(draw[:-1]) for draw in draws]
    assert np.mean(passed) == pytest.approx(FALSE_ACCEPT_RATE, abs=0.006)


def test_threshold_without_pairs_is_that_of_theory() -> None:
    assert confidence_threshold(np.array([])) == THEORETICAL_THRESHOLD


def test_a_cycle_matches_by_a_third_of_its_blocks_or_by_sure_ones() -> None:
    assert cycle_matches(np.array([8.0, 1, 1]), 5)
    assert cycle_matches(np.array([20.0, 1, 1, 1, 1, 1, 1, 1]), 5)
    assert not cycle_matches(np.array([8.0, 1, 1, 1]), 5)
    assert not cycle_matches(np.zeros(4), 5)
    assert cycle_matches(np.array([8.0, 0, 0, 0]), 5)


def test_chance_is_looked_for_at_all_shifts_but_a_match_where_it_is_expected() -> None:
    values = np.zeros((7, 9, 9))
    values[1, 1, 1] = 0.5
    maps = [TileMap(np.zeros(3), values, 0.1)] * 4
    expected = np.zeros((4, 3))
    assert null_confidence(maps) == pytest.approx(4 * 5 / 2)
    assert block_confidence(maps, expected) == 0
    assert block_confidence(maps, expected + np.array([-2, -3, -3])) == pytest.approx(4 * 5 / 2)
    assert null_confidence([None]) == block_confidence([None], expected[:1]) == 0
