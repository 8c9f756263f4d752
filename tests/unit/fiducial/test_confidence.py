"""The threshold keeps its false-accept rate; a match is looked for where it is expected."""

import itertools

import numpy as np
import pytest

from crossreg.fiducial.local_shift.confidence import (
    FALSE_ACCEPT_RATE,
    THEORETICAL_THRESHOLD,
    block_confidences,
    confidence_threshold,
)
from crossreg.fiducial.local_shift.sub_block_map import (
    SubBlockMaps,
    SubBlockSpectra,
    sub_block_spectra,
    unrelated_height,
)
from crossreg.fiducial.local_shift.sub_block_parts import sub_block_parts


@pytest.mark.parametrize("pairs", [5, 12, 60])
def test_unrelated_pairs_pass_at_the_stated_rate(pairs: int) -> None:
    random = np.random.default_rng(pairs)
    draws = random.normal(6, 1.5, (4000, pairs + 1))
    passed = [draw[-1] > confidence_threshold(draw[:-1]) for draw in draws]
    assert np.mean(passed) == pytest.approx(FALSE_ACCEPT_RATE, abs=0.006)


def test_threshold_without_pairs_is_that_of_theory() -> None:
    assert confidence_threshold(np.array([])) == THEORETICAL_THRESHOLD


def unplaced(count: int) -> tuple[np.ndarray, ...]:
    """Return energy, position, spread and amount of structure of sub-blocks: of no matter here."""
    return np.ones(count), np.zeros((count, 3)), np.zeros(count), np.ones(count)


def test_a_match_is_looked_for_where_it_is_expected() -> None:
    values = np.zeros((4, 7, 9, 9))
    values[:, 1, 1, 1] = 0.5
    maps = SubBlockMaps(
        np.zeros((4, 3)), values, np.ones(values.shape), np.full(4, 0.1), *unplaced(4)
    )
    expected = np.zeros((4, 3))
    sub_blocks = [np.arange(4)]
    assert block_confidences(maps, expected, sub_blocks) == 0
    assert block_confidences(maps, expected - (2, 3, 3), sub_blocks) == pytest.approx(4 * 5 / 2)
    halves = block_confidences(maps, expected - (2, 3, 3), [np.arange(2), np.arange(2, 4)])
    assert halves == pytest.approx(2 * 5 / np.sqrt(2))


def test_sub_blocks_without_a_map_do_not_count() -> None:
    values = np.full((2, 1, 9, 9), 0.5)
    maps = SubBlockMaps(
        np.zeros((2, 3)), values, np.ones(values.shape), np.array([0.1, 0.0]), *unplaced(2)
    )
    sub_blocks = [np.array([0, 1]), np.array([1])]
    assert block_confidences(maps, np.zeros((2, 3)), sub_blocks) == pytest.approx([5, 0])


def spectra_of_noise(seed: int) -> SubBlockSpectra:
    random = np.random.default_rng(seed)
    one, two = (random.normal(0, 10, (12, 48, 48)).astype(np.int16) for _ in range(2))
    corners = np.array([[0, y, x] for y in (0, 24) for x in (0, 24)])
    ends = corners + np.array([12, 24, 24])
    parts = sub_block_parts(one, two, corners, ends, np.zeros((4, 3)))
    return sub_block_spectra(parts)


def test_chance_rises_as_high_as_independent_normal_values() -> None:
    spectra = [spectra_of_noise(seed) for seed in range(30)]
    heights = [unrelated_height(a, b) for a, b in itertools.pairwise(spectra)]
    # the low-pass leaves some 60 independent values among the 567 shifts that are looked at
    assert 2.0 < np.mean(heights) < 3.0
    assert max(heights) < 4.5


def test_blocks_of_unlike_shape_are_not_compared() -> None:
    spectra = spectra_of_noise(0)
    nothing, first, last = np.zeros((12, 48, 48)), np.array([[0, 0, 0]]), np.array([[12, 16, 16]])
    parts = sub_block_parts(nothing, nothing, first, last, np.zeros((1, 3)))
    assert unrelated_height(spectra, sub_block_spectra(parts)) is None
