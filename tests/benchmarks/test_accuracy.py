"""The criteria tell good results from bad ones: results with errors of a known kind."""

from dataclasses import replace

import accuracy_criteria as criteria
import numpy as np
import pytest
from accuracy_criteria import Result
from pair_specification import PairSpecification
from planted_pairs import Truth
from tables import text_table

from real_data import exchange_difference

GRID = (12, 12)


def result(error, sigma=1.0, status="measured", kind="rigid", matches=True, **planted):
    """Return a result with errors (12, 12, 3) or one for all blocks."""
    rng = np.random.default_rng(0)
    truth = Truth(
        rng.uniform(-5, 5, (*GRID, 3)), np.zeros(2), np.ones(GRID), np.zeros(GRID, bool), matches
    )
    return Result(
        specification=PairSpecification(kind, **planted),
        seed=0,
        truth=truth,
        shift_zyx=truth.shift_zyx + error,
        sigma_zyx=np.full((*GRID, 3), sigma),
        status=np.full(GRID, status),
        confidence=np.full(GRID, 5.0),
        confidence_threshold=6.0,
        null_pairs=40,
        global_yx=np.array([0.1, -0.15]),
    )


@pytest.mark.parametrize("bad", [1.01, -1.01, np.nan])
def test_one_block_beyond_a_pixel_or_without_a_shift_is_wild(bad):
    error = np.full((*GRID, 3), 0.99)
    assert criteria.wild_row([result(error)]).passed
    error[3, 4, 1] = bad
    row = criteria.wild_row([result(error)])
    assert (row.ours, row.passed) == ("1 of 144", False)


def test_blocks_mostly_outside_the_overlap_do_not_count_as_wild():
    error = np.zeros((*GRID, 3))
    error[0] = 9
    found = result(error)
    found.truth.overlap[0] = 0.49
    assert criteria.wild_row([found]).ours == "0 of 132"
    found.truth.overlap[0, 0] = 0.5
    assert criteria.wild_row([found]).ours == "1 of 133"


def test_blocks_outside_the_overlap_have_to_be_borrowed():
    found = result(0.0)
    found.truth.overlap[0] = 0
    assert not criteria.outside_row([found]).passed
    found.status[0] = "borrowed"
    assert criteria.outside_row([found]).passed


def test_cycles_that_cannot_match_have_to_fail_and_the_others_must_not():
    failed = result(np.nan, status="failed", matches=False)
    assert [r.passed for r in criteria.failed_rows([result(0.0)], [failed])] == [True, True]
    partly = result(np.nan, status="failed", matches=False)
    partly.status[0, 0] = "borrowed"
    lost = result(np.nan, status="failed")
    assert [r.passed for r in criteria.failed_rows([lost], [partly])] == [False, False]


def test_rms_is_per_axis_and_a_missing_shift_fails_it():
    error = np.tile([0.05, 0.1, -0.2], (*GRID, 1))
    row = criteria.rms_row("rms", [result(error)], 0.1)
    assert (row.ours, row.passed) == ("0.050 0.100 0.200", False)
    assert criteria.rms_row("rms", [result(error)], 0.21).passed
    error[0, 0] = np.nan
    assert not criteria.rms_row("rms", [result(error)], 0.21).passed


def test_a_pull_towards_whole_pixels_is_seen_and_a_constant_error_is_not():
    shift = np.random.default_rng(1).uniform(-5, 5, (500, 3))
    noise = 0.05 * np.random.default_rng(2).standard_normal((500, 3))
    assert np.all(criteria.fraction_bias(noise + 0.3, shift) < 0.02)
    pulled = noise - 0.1 * np.sin(2 * np.pi * shift)
    np.testing.assert_allclose(criteria.fraction_bias(pulled, shift), 0.1, atol=0.01)
    assert np.all(criteria.fraction_bias(0.9 * (np.rint(shift) - shift), shift) > 0.2)


@pytest.mark.parametrize(("sigma", "passed"), [(0.1, True), (0.05, False), (0.25, False)])
def test_sigma_has_to_be_neither_too_small_nor_too_large(sigma, passed):
    error = 0.1 * np.random.default_rng(3).standard_normal((3, *GRID, 3))
    results = [result(e, sigma, status="borrowed") for e in error]
    row = next(
        r
        for r in criteria.calibration_rows(results)
        if r.criterion == "within 1 sigma, borrowed (432)"
    )
    assert row.passed is passed
    few = [r for r in criteria.calibration_rows(results[:2]) if "borrowed (288)" in r.criterion]
    assert [r.passed for r in few] == [False, False]


def test_false_accepts_are_counted_over_blocks_with_nothing_in_common():
    unrelated, related = result(0.0, matches=False), result(0.0)
    unrelated.confidence[0, :3] = 7
    related.confidence[:] = 7
    related.truth.empty[2, :4] = True
    related.confidence[2, 0] = 5
    rows = criteria.false_accept_rows([related], [unrelated])
    assert [row.ours for row in rows] == ["3 of 144", "3 of 4"]
    assert "40 to 40" in rows[0].criterion


def test_ours_is_compared_with_the_peer_where_the_peer_is_right():
    found = result(0.1)
    peer_error = np.full((*GRID, 3), 0.3)
    peer_error[0, 0] = 20
    found = replace(found, peer_shift_zyx=found.truth.shift_zyx + peer_error)
    row = criteria.peer_row([found])
    assert (row.ours, row.peer, row.passed) == ("0.100 0.100 0.100", "0.300 0.300 0.300", True)
    worse = replace(found, shift_zyx=found.truth.shift_zyx + 0.16)
    assert not criteria.peer_row([worse]).passed


def test_classes_of_pairs_follow_from_what_is_planted():
    assert result(0.0, rotation_degrees=0.2, z_scale=-0.005).is_benign
    assert not result(0.0, rotation_degrees=-0.3).is_benign
    assert not result(0.0, snr=5).is_benign
    assert result(0.0, rotation_degrees=-0.3).is_rotated
    assert result(0.0, z_scale=0.01).is_rotated
    assert result(0.0, z_scale=0.01).is_without_rotation


def test_the_global_shift_is_judged_by_its_largest_error():
    row = criteria.global_row("global", [result(0.0)], True, 0.2)
    assert (row.ours, row.passed) == ("0.15 (0 of 1 beyond)", True)
    assert not criteria.global_row("global", [result(0.0)], True, 0.1).passed


def test_exchanged_shifts_are_compared_at_the_same_physical_position():
    # the cycle is the reference turned and moved: shift = A r + b, exactly invertible
    matrix = np.array([[0, 0.01, -0.02], [0, 0.002, 0.04], [0, -0.04, 0.002]])
    offset = np.array([1.5, 7.0, -6.0])
    centres = (np.arange(4) + 0.5) * 64
    r = np.stack(np.meshgrid([0.0], centres, centres, indexing="ij"), axis=-1)[0]
    forward = r @ matrix.T + offset
    inverse = np.linalg.inv(np.eye(3) - matrix)
    backward = r - (r + offset) @ inverse.T
    backward[..., 0] = -((r - backward) @ matrix.T + offset)[..., 0]
    np.testing.assert_allclose(exchange_difference(forward, backward, 64), 0, atol=1e-9)
    assert np.abs(forward + backward).max() > 0.2


def test_a_break_down_names_the_hardest_pair_of_a_kind():
    hard = np.zeros((*GRID, 3))
    hard[1, 1, 2] = 0.7
    (line,) = criteria.breakdown([result(0.1), replace(result(hard), seed=7)])
    assert line[-1] == "0.70 (seed 7)"


def test_tables_align_their_columns():
    assert text_table(("a", "b"), [("long", "1")]) == "a     b\n----  -\nlong  1"
