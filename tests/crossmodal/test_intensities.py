"""Tiles are shown with grey values in which something can be seen."""

import numpy as np
import pytest

from crossreg.crossmodal.freeze.intensity import percentile_range, sample_tiles, stack_intensity


def no_samples():
    raise AssertionError("no image has to be read for this")


def ramp():
    return [np.arange(0, 501, dtype=np.uint16), np.arange(501, 1001, dtype=np.uint16)]


@pytest.mark.parametrize(
    ("own", "pixel_type"),
    [((10, 200), 0), ((0, 255), 1), ((0.0, 65534.0), 1), ((0, 1), 2), ((0, 65535), 2)],
)
def test_a_tiles_own_range_is_kept(own, pixel_type):
    assert stack_intensity(None, own, pixel_type, no_samples) is None


@pytest.mark.parametrize(
    ("own", "pixel_type"),
    [((0, 255), 0), ((0, 65535.0), 1), ((0, 255), 4), ((None, 200), 0), ((None, None), 2)],
)
def test_the_full_range_or_none_becomes_percentiles(own, pixel_type):
    assert stack_intensity(None, own, pixel_type, ramp) == [5.0, 995.0]


def test_what_was_asked_for_comes_first():
    assert stack_intensity([3, 9], (0, 65535), 1, no_samples) == [3.0, 9.0]
    assert stack_intensity("auto", (10, 200), 0, ramp) == [5.0, 995.0]


def test_percentiles_of_odd_images():
    assert percentile_range([np.full((4, 4), 7)]) == [7.0, 8.0]
    assert percentile_range([np.array([np.nan, np.inf, 2.0, 2.0])]) == [2.0, 3.0]
    with pytest.raises(ValueError, match="no finite pixel"):
        percentile_range([np.array([np.nan])])


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1227])
def test_up_to_8_samples_are_spread_evenly(count):
    ids = [str(i) for i in range(count)]
    samples = [int(name) for name in sample_tiles(ids)]
    assert len(set(samples)) == len(samples) == min(8, count)
    gaps = np.diff([-1, *samples, count])
    assert samples == sorted(samples)
    assert gaps.max(initial=0) <= count / 8 + 1
