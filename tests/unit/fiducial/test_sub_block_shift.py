"""What maps with ridges, and maps of soft structure, say of the shift along each axis."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from crossreg.fiducial.local_shift.pooling import pooled
from crossreg.fiducial.local_shift.sub_block_map import SubBlockMaps
from crossreg.fiducial.local_shift.sub_block_shift import UNKNOWN, sub_block_shifts

NOISE = 0.1
ALONG, ACROSS = 8.0, 1.5


def ridge(angle: float, top_zyx: np.ndarray, *, height: float = 0.8, along: float = ALONG):
    """Return the map of structure that is long at an angle to the rows, its top at a shift."""
    z, y, x = np.meshgrid(*(np.arange(-reach, reach + 1.0) for reach in (3, 4, 4)), indexing="ij")
    z, y, x = (axis - top for axis, top in zip((z, y, x), top_zyx, strict=True))
    on, off = np.cos(angle) * y + np.sin(angle) * x, np.cos(angle) * x - np.sin(angle) * y
    squares = (z / ACROSS) ** 2 + (on / along) ** 2 + (off / ACROSS) ** 2
    values = (height * np.exp(-squares / 2)).astype(np.float32)[None]
    one, nowhere = np.ones(1), np.zeros((1, 3))
    return SubBlockMaps(
        nowhere, values, np.ones_like(values), NOISE * one, one, nowhere, nowhere, one
    )


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 4, 1.2, 2.5])
def test_a_ridge_is_measured_right_where_one_axis_is_known(angle: float) -> None:
    top = np.array([[0.2, 0.4, -0.3]])
    shift, sigma = sub_block_shifts(ridge(angle, top[0]), top, np.full((1, 3), 0.02))
    assert np.abs(shift - top).max() < 0.02
    # With y known, x is as sure as the ridge is narrow in the direction of x.
    narrow = np.hypot(np.cos(angle) / ACROSS, np.sin(angle) / ALONG)
    assert sigma[0, 2] == pytest.approx(0.6 / 8 / narrow, rel=0.3)


@pytest.mark.parametrize("angle", [0.5, np.pi / 4, 2.5])
def test_a_ridge_says_little_along_both_axes_where_nothing_is_known(angle: float) -> None:
    top = np.array([[0.2, 0.4, -0.3]])
    found = ridge(angle, top[0])
    (unsure, sure) = (
        sub_block_shifts(found, top, np.full((1, 3), sigma))[1][0] for sigma in (5.0, 0.02)
    )
    assert np.all(unsure[1:] > 1.8 * sure[1:])
    assert unsure[0] == pytest.approx(sure[0], rel=0.05)


def test_an_expectation_along_the_ridge_that_is_off_moves_the_other_axis_as_far() -> None:
    """The map cannot tell them apart: what is expected of y decides where on the ridge x lies."""
    top = np.zeros(3)
    found = ridge(np.pi / 4, top)
    expected = np.array([[0.0, 0.5, 0.5]])
    shift, _ = sub_block_shifts(found, expected, np.full((1, 3), 0.02))
    assert shift[0, 1:] == pytest.approx([0.5, 0.5], abs=0.1)


def test_round_structure_does_not_care_what_is_expected_along_other_axes() -> None:
    top = np.array([0.3, -0.4, 0.2])
    found = ridge(0.7, top, along=ACROSS)
    for sigma in (0.02, 5.0):
        expected = (top + np.array([0.0, 0.4, -0.4]))[None]
        shift, sigmas = sub_block_shifts(found, expected, np.full((1, 3), sigma))
        assert np.abs(shift - top).max() < 0.02
        assert np.all(sigmas < 0.2)


def test_a_map_without_a_peak_along_an_axis_says_nothing_of_it_alone() -> None:
    found = ridge(0.0, np.zeros(3), along=1e6)
    _, sigma = sub_block_shifts(found, np.zeros((1, 3)), np.full((1, 3), 0.3))
    assert sigma[0, 1] == UNKNOWN
    assert sigma[0, 2] < 0.2


def noise_with_a_peak(heights: np.ndarray, tops_yx: np.ndarray) -> SubBlockMaps:
    """Return maps of noise as smooth as spots, with peaks (m,) so many times as high at (m, 2)."""
    rng = np.random.default_rng(3)
    shape = (len(heights), 7, 9, 9)
    values = gaussian_filter(rng.standard_normal(shape), (0, ACROSS, ACROSS, ACROSS), mode="wrap")
    unmatched = np.sqrt(1 - (NOISE * heights) ** 2)
    values *= NOISE / values.std() * unmatched[:, None, None, None]
    for value, height, top in zip(values, heights, tops_yx, strict=True):
        peak = ridge(0.0, np.array([0.0, *top]), height=NOISE * height, along=ACROSS)
        value += peak.values[0]
    one, nowhere = np.ones(len(values)), np.zeros((len(values), 3))
    return SubBlockMaps(
        nowhere, values.astype(np.float32), np.ones_like(values), NOISE * one, one, nowhere,
        nowhere, one,
    )  # fmt: skip


def test_a_peak_of_noise_near_what_is_expected_says_nothing() -> None:
    """An expectation that is off has a peak of noise near it too: what it is, is not known."""
    truth = np.array([0.0, 1.5, -1.5])
    found = noise_with_a_peak(np.zeros(300), np.zeros((300, 2)))
    is_open = np.ones(300, dtype=bool)
    expected = np.zeros((300, 3))
    shift, sigma = sub_block_shifts(found, expected, np.full((300, 3), 0.5), is_open=is_open)
    away = np.abs(shift - truth)[:, 1:]
    assert np.mean(away > 3 * sigma[:, 1:]) < 0.02
    assert np.median(sigma[:, 1:]) > 1.5


def test_a_peak_that_stands_out_of_the_noise_is_as_sure_as_it_is_sharp() -> None:
    tops = np.random.default_rng(4).uniform(-0.7, 0.7, (300, 2))
    found = noise_with_a_peak(np.full(300, 8.0), tops)
    is_open = np.ones(300, dtype=bool)
    expected = np.zeros((300, 3))
    shift, sigma = sub_block_shifts(found, expected, np.full((300, 3), 0.5), is_open=is_open)
    ratio = (shift[:, 1:] - tops) / sigma[:, 1:]
    assert np.percentile(sigma[:, 1:], 95) < 0.4
    assert 0.6 < np.sqrt(np.mean(ratio**2)) < 1.1


@pytest.mark.parametrize(("height", "groups"), [(0.95, 2), (0.3, 1)])
def test_what_matches_nearly_whole_stands_alone_however_soft_it_is(
    height: float, groups: int
) -> None:
    """Soft structure has a large noise of unrelated places, but little of its own is unmatched."""
    found = ridge(0.0, np.zeros(3), height=height, along=ACROSS)
    two = SubBlockMaps.joined([found, found])
    soft = SubBlockMaps(**(vars(two) | {"noise": np.full(2, 0.25)}))
    label = np.zeros(2, dtype=int)
    maps, _ = pooled(soft, np.zeros((2, 3)), label, label)
    assert len(maps.noise) == groups
