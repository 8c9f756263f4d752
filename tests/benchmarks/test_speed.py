"""The speed run times what it says, and its verdicts follow the limits."""

import numpy as np
import pytest
import speed
import speed_job
import tifffile


def test_binning_by_two_leaves_the_planted_planes():
    stack = np.arange(30)[:, None, None] * np.ones((30, 2, 2))
    np.testing.assert_array_equal(speed_job._taller(stack, 60)[::2], stack)
    tall = speed_job._taller(stack, 120)[::2]
    np.testing.assert_array_equal(tall, np.concatenate([stack, stack[::-1]]))


def test_every_measurement_runs_on_files_and_reports_seconds_and_memory(tmp_path):
    speed.job("make", tmp_path, 60, 128, 64)
    assert tifffile.imread(tmp_path / speed_job.CYCLE).shape == (60, 128, 128)
    found = speed.measure(speed.Case(60, 128, 64), tmp_path, rounds=1)
    assert set(found) == {(name, n) for name in ("ours", "limit") for n in speed.THREADS}
    ours, limit = found["ours", 1], found["limit", 1]
    assert ours["table"].count("RT1") >= 4  # a row per block
    assert 0 < ours["reading"] < ours["seconds"] < 60
    assert 0 < limit["seconds"] < ours["seconds"]
    assert 50e6 < ours["peak"] < 2e9


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, "pass"),
        ({"seconds": 0.36}, "FAIL"),  # more than 3.5 times the limit
        ({"peak": 300e6}, "FAIL"),  # 3 x 16 MB + 250 MB are allowed
    ],
)
def test_a_cycle_passes_within_the_limits_of_time_and_memory(changed, verdict):
    ours = {"seconds": 0.3, "reading": 0.01, "peak": 200e6, **changed}
    peer = {"seconds": 10.0, "peak": 1e9, "edge": 512}
    line = speed.line(speed.SMALL, 1, ours, {"seconds": 0.1}, peer)
    assert line[-1] == verdict
    assert len(line) == len(speed.HEADING)


def test_a_cycle_has_to_be_twenty_times_as_fast_as_the_peer():
    ours = {"seconds": 0.3, "reading": 0.01, "peak": 200e6}
    for seconds, verdict in ((6.1, "pass"), (5.9, "FAIL")):
        peer = {"seconds": seconds, "peak": 1e9, "edge": 512}
        assert speed.line(speed.SMALL, 1, ours, {"seconds": 0.1}, peer)[-1] == verdict


def test_the_tall_stack_has_to_stay_below_two_gigabytes():
    assert speed.allowed_bytes(speed.TALL) <= 2e9
    assert speed.allowed_bytes(speed.SMALL) == 3 * 30 * 512 * 512 * 2 + 250e6


def test_threads_are_compared_without_reading_and_on_the_same_table():
    one = {"seconds": 10.0, "reading": 2.0, "table": "a"}
    found = {
        (speed.LARGE, 1): one,
        (speed.LARGE, 2): {"seconds": 7.0, "reading": 1.0, "table": "b"},
    }
    speed_up, same, _ = speed.comparison_lines(found)
    assert speed_up[1:] == ["1.33", ">= 1.5", "FAIL"]
    assert same[1:] == ["no", "yes", "FAIL"]
