"""Tall stacks of many blocks are first measured in some blocks, which say where to look in all."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from crossreg.fiducial.block_grid import block_grid
from crossreg.fiducial.correlation.binned_stacks import binned_stack
from crossreg.fiducial.field import smooth_field
from crossreg.fiducial.field.motion import RIGID
from crossreg.fiducial.local_shift.levels import domain_of
from crossreg.fiducial.local_shift.sub_block_matcher import FEW_AGAIN, SubBlockMatcher
from fiducial_images import drawn, spot_positions

SHAPE, BLOCK = (30, 288, 288), 40
TRUE = np.array([0.6, -2.0, 1.0])


def shift_at(places: np.ndarray) -> np.ndarray:
    """Return the planted shifts (n, 3): a tilt, and a stretch along rows."""
    slopes = np.array([[0.004, 0.003, 0.0], [-0.002, 0.0, 0.004]])
    return TRUE + (places[:, 1:] - 144) @ slopes


@pytest.fixture(scope="module")
def matcher():
    places = spot_positions(SHAPE, 1400, seed=4)
    pair = drawn(SHAPE, places, 15, 5), drawn(SHAPE, places - shift_at(places), 15, 6)
    with ThreadPoolExecutor(1) as pool:
        stacks = [binned_stack(stack, pool)[0] for stack in pair]
        yield SubBlockMatcher(
            (stacks[0], stacks[1]),
            block_grid(SHAPE[1:], BLOCK),
            domain_of(SHAPE[1:], SHAPE[0], SHAPE[0]),
            pool,
        )


def first_guess(matcher: SubBlockMatcher) -> smooth_field.SmoothField:
    """Return the field that is one shift, as one measurement in the middle gives it."""
    middle = matcher.domain.middle_zyx[None]
    return smooth_field.fit(
        matcher.domain, middle, TRUE[None], np.full((1, 3), 0.3), rough=True, motion=RIGID
    )


def test_pilots_lie_in_all_rows_and_columns_of_blocks(matcher):
    blocks = block_grid(SHAPE[1:], BLOCK)
    assert len(matcher.layout.pilots) <= len(blocks) / 4
    for line in range(8):
        assert any(blocks[number].i == line for number in matcher.layout.pilots)
        assert any(blocks[number].j == line for number in matcher.layout.pilots)


def test_the_field_through_pilots_is_near_enough_for_all(matcher):
    guess = first_guess(matcher)
    off = np.abs(guess.shift_at(matcher.layout.centres) - shift_at(matcher.layout.centres))
    assert np.quantile(off, 0.9) > 0.3
    field, _ = matcher._piloted(guess)
    off = np.abs(field.shift_at(matcher.layout.centres) - shift_at(matcher.layout.centres))
    assert np.quantile(off, 0.9) < 0.1


def test_few_sub_blocks_are_measured_twice(matcher, monkeypatch):
    again = []
    plain = SubBlockMatcher._aimed_again

    def counted(self, maps, numbers, expected):
        again.append(len(numbers))
        return plain(self, maps, numbers, expected)

    monkeypatch.setattr(SubBlockMatcher, "_aimed_again", counted)
    found = matcher.measure(first_guess(matcher))
    assert sum(again) <= 2 * FEW_AGAIN * len(matcher.layout.centres)
    off = np.abs(found.field.shift_at(matcher.layout.centres) - shift_at(matcher.layout.centres))
    assert np.quantile(off, 0.9) < 0.1


def test_sub_blocks_of_several_blocks_have_the_maps_that_each_has_alone(matcher):
    expected = shift_at(matcher.layout.centres)
    some = np.arange(3, len(expected), 13)
    assert len(set(matcher.layout.block[some])) > 10
    together = matcher.maps(some, expected)
    for number in range(len(some)):
        alone = matcher.maps(some[[number]], expected)
        np.testing.assert_allclose(together.values[number], alone.values[0], atol=2e-3)
        np.testing.assert_allclose(together.position_zyx[number], alone.position_zyx[0], atol=1e-3)


def test_of_few_blocks_none_is_a_pilot():
    nothing = np.zeros((30, 64, 64), np.int16)
    with ThreadPoolExecutor(1) as pool:
        few = SubBlockMatcher(
            (nothing, nothing), block_grid((128, 128), 64), domain_of((128, 128), 30, 30), pool
        )
    assert few.layout.pilots == []
