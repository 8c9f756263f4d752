"""A stage, or a specimen, that moves sideways while a stack is imaged: the field follows it."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from crossreg.fiducial.lean import Lean
from crossreg.fiducial.local_shift.local_shifts import LocalShifts, local_shifts
from crossreg.fiducial.reference import prepare_reference
from fiducial_images import drawn, spot_positions

SIZE = 192
MOVED_YX = np.array([2.0, -3.0])


def spots(by_plane: np.ndarray, seed: int, moved: np.ndarray) -> np.ndarray:
    """Return spots moved by minus `moved`, and by minus what (Z, 2) px their depth says."""
    shape = (len(by_plane), SIZE, SIZE)
    positions = spot_positions(shape, 50 * len(by_plane), seed=8)
    depths = np.arange(len(by_plane))
    lean = [np.interp(positions[:, 0], depths, values) for values in by_plane.T]
    return drawn(shape, positions - np.column_stack([0 * lean[0], *lean]) - moved, 12, seed)


def tissue(by_plane: np.ndarray, seed: int, moved: np.ndarray) -> np.ndarray:
    """Return the same of dense structure, plane by plane."""
    random = np.random.default_rng(8)
    soft = gaussian_filter(random.normal(size=(len(by_plane), SIZE, SIZE)), (1.0, 1.5, 1.5))
    planes = [
        shift(plane, -by - moved[1:], order=3, mode="wrap")
        for plane, by in zip(soft, by_plane, strict=True)
    ]
    light = 200 + 1000 * np.array(planes)
    return np.random.default_rng(seed).poisson(np.maximum(light, 0)).astype(np.uint16)


def found(drawn_as, by_plane: np.ndarray) -> LocalShifts:
    reference = drawn_as(0 * by_plane, 1, np.zeros(3))
    cycle = drawn_as(by_plane, 2, np.array([0.0, *MOVED_YX]))
    start = float(MOVED_YX[0]), float(MOVED_YX[1])
    return local_shifts(prepare_reference(reference, block_size_xy=64), cycle, start)


def lean(planes: int, slope_yx: tuple[float, float], swing: float = 0.0) -> np.ndarray:
    """Return (Z, 2) px: from end to end so far, and to and fro."""
    along = np.linspace(-0.5, 0.5, planes)[:, None]
    return along * slope_yx + swing * np.cos(2 * np.pi * along)


@pytest.mark.parametrize(
    "planes, slope_yx, swing",
    [(24, (2.0, -1.0), 0.0), (20, (0.0, 0.4), 0.4), (12, (0.8, 0.8), 0.0), (6, (0.0, -0.8), 0.0)],
)
@pytest.mark.parametrize("drawn_as", [spots, tissue])
def test_the_field_follows_a_lean_at_every_depth(
    drawn_as, planes: int, slope_yx: tuple[float, float], swing: float
) -> None:
    by_plane = lean(planes, slope_yx, swing)
    result = found(drawn_as, by_plane)
    assert result.verdict.name == "registered"
    middle = (SIZE - 1) / 2
    places = np.column_stack([np.arange(planes), np.full((planes, 2), middle)]).astype(float)
    shifts, sigmas = result.field.at(places)
    errors = np.abs(shifts[:, 1:] - MOVED_YX - by_plane)
    assert errors.max() < 0.25
    assert (errors < 3 * sigmas[:, 1:]).all()


@pytest.mark.parametrize("drawn_as", [spots, tissue])
def test_blocks_have_the_mean_of_a_lean(drawn_as) -> None:
    result = found(drawn_as, lean(24, (2.0, -1.0)))
    assert np.abs(result.shift_zyx[..., 1:]).max() < 0.15
    assert np.abs(result.measured_zyx[..., 1:]).max() < 0.25


@pytest.mark.parametrize("drawn_as", [spots, tissue])
def test_without_a_lean_nothing_changes_with_the_depth(drawn_as) -> None:
    result = found(drawn_as, np.zeros((20, 2)))
    places = np.column_stack([np.arange(20), np.full((20, 2), SIZE / 2)]).astype(float)
    shifts, sigmas = result.field.at(places)
    assert np.ptp(shifts[:, 1:], axis=0).max() < 0.05
    assert sigmas[:, 1:].max() < 0.06


def test_planes_are_moved_back_and_the_rest_of_a_plane_is_its_median() -> None:
    plane = gaussian_filter(np.random.default_rng(1).normal(size=(40, 50)), 3) * 1000 + 500
    leaning = Lean(np.array([1.0, 3.0]), np.array([[0.0, 0.0], [2.0, -3.0]]), *np.zeros((2, 2, 2)))
    with ThreadPoolExecutor(2) as pool:
        upright = leaning.upright(np.array([plane] * 3), 1.0, pool)
    assert np.allclose(upright[0], plane)
    assert np.allclose(upright[2, 2:, :-3], plane[:-2, 3:])
    assert np.allclose(upright[2, :2], np.median(plane[::4, ::4]))


def test_beyond_the_planes_that_show_it_a_lean_goes_on_and_is_less_sure() -> None:
    by_yx = np.array([[0.0, 0.5], [1.0, 0.5]])
    leaning = Lean(np.array([2.0, 4.0]), by_yx, np.full((2, 2), 0.1), np.zeros((2, 2)))
    assert np.allclose(
        leaning.at(np.array([0.0, 3.0, 5.0])), [[0, -1, 0.5], [0, 0.5, 0.5], [0, 1.5, 0.5]]
    )
    sigmas = leaning.sigma_at(np.array([3.0, 4.0, 5.0, 6.0]))
    assert (np.diff(sigmas[1:, 1]) > 0).all()
    assert (sigmas[:, 0] == 0).all()


@pytest.mark.parametrize("size", [0.2, 0.6])
def test_planes_that_tremble_one_by_one_are_followed(size: float) -> None:
    """By 0.2 to 0.6 px each, as of vibration: the field went through the mean of all before."""
    by_plane = np.random.default_rng(3).normal(0, size, (20, 2))
    result = found(tissue, by_plane)
    assert result.verdict.name == "registered"
    middle = (SIZE - 1) / 2
    places = np.column_stack([np.arange(20), np.full((20, 2), middle)]).astype(float)
    shifts, sigmas = result.field.at(places)
    errors = np.abs(shifts[:, 1:] - MOVED_YX - by_plane)
    assert np.sqrt(np.mean(errors**2)) < 0.5 * size
    assert np.mean(errors > 3 * sigmas[:, 1:]) <= 0.05


def test_between_planes_that_tremble_either_may_be_what_shows() -> None:
    beside = np.array([[0.4, 0.0], [-0.4, 0.0], [0.4, 0.0]])
    trembling = Lean(np.arange(3.0), beside, np.zeros((3, 2)), beside)
    depths = np.array([1.0, 1.5, 5.0])
    at_plane, between, beyond = trembling.sigma_at(depths)[:, 1]
    assert at_plane < between
    assert between == pytest.approx(0.4, rel=0.1)
    assert beyond == pytest.approx(0.4, rel=0.1)
    assert trembling.at(depths)[2, 1] == pytest.approx(0.4)
