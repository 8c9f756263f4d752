"""The smooth field follows gradients, ignores outliers and knows how sure it is."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from crossreg.fiducial.field.domain import Domain
from crossreg.fiducial.field.motion import RIGID
from crossreg.fiducial.field.smooth_field import fit

BLOCK = 64
DOMAIN = Domain((384, 384), 21)


def places(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.column_stack([random.uniform(0, 20, count), random.uniform(0, 384, (count, 2))])


def plane(positions: np.ndarray) -> np.ndarray:
    z, y, x = (positions - (10, 191.5, 191.5)).T
    return np.column_stack([2 + 0.02 * z + 0.01 * y, -5 + 0.03 * x, 40 - 0.03 * y])


def test_gradients_are_followed_where_nothing_is_measured() -> None:
    positions = places(80, seed=1)
    positions = positions[(positions[:, 1] < 256) | (positions[:, 2] < 256)]
    field = fit(DOMAIN, positions, plane(positions), np.full(positions.shape, 0.05))
    corner = np.array([[10.0, 350.0, 350.0]])
    shift, sigma = field.at(corner)
    assert np.abs(shift - plane(corner)).max() < 0.1
    assert np.all(sigma > field.at(np.array([[10.0, 100.0, 100.0]]))[1])


def test_outliers_do_not_move_the_field() -> None:
    positions = places(60, seed=2)
    shifts = plane(positions) + np.random.default_rng(3).normal(0, 0.05, (60, 3))
    shifts[::10] += (3, -4, 4)
    field = fit(DOMAIN, positions, shifts, np.full((60, 3), 0.05))
    error = field.at(positions)[0] - plane(positions)
    assert np.sqrt(np.mean(error**2)) < 0.1
    assert np.abs(error).max() < 0.25


def test_uncertainty_is_that_of_the_errors_inside_and_in_gaps() -> None:
    errors = []
    for seed in range(12):
        random = np.random.default_rng(seed)
        nodes = gaussian_filter(random.standard_normal((64, 64)), 6, mode="wrap")
        nodes /= nodes.std()
        positions = places(140, seed + 100)
        gap = np.all(np.abs(positions[:, 1:] - 224) < BLOCK / 2, axis=1)
        positions = positions[~gap]
        asked = np.concatenate([places(20, seed + 200), [[10.0, 224.0, 224.0]]])

        def truth(at: np.ndarray, nodes: np.ndarray = nodes) -> np.ndarray:
            where = at[:, 1:].T / (BLOCK / 4) + 16
            return np.repeat(map_coordinates(nodes, where, order=3)[:, None], 3, axis=1)

        sigmas = np.full(positions.shape, 0.1)
        noise = random.normal(0, 0.15, positions.shape)
        shift, sigma = fit(DOMAIN, positions, truth(positions) + noise, sigmas).at(asked)
        errors.append(np.abs(shift - truth(asked)) / sigma)
    errors = np.concatenate(errors)
    assert 0.58 < np.mean(errors < 1) < 0.8
    assert np.mean(errors < 2) > 0.9


def test_mean_over_a_block_is_the_mean_of_the_field() -> None:
    positions = places(60, seed=4)
    field = fit(DOMAIN, positions, plane(positions), np.full((60, 3), 0.05))
    points = places(9, seed=5)
    assert np.allclose(field.mean_over(points[None])[0][0], field.at(points)[0].mean(axis=0))


def test_no_position_has_no_shift() -> None:
    positions = places(10, seed=4)
    field = fit(DOMAIN, positions, plane(positions), np.full((10, 3), 0.05))
    shift, sigma = field.at(np.empty((0, 3)))
    assert shift.shape == sigma.shape == (0, 3)


def noisy(shifts: np.ndarray, sigma: float | np.ndarray, seed: int) -> np.ndarray:
    return shifts + np.random.default_rng(seed).normal(0, sigma, shifts.shape)


def turned(positions: np.ndarray, radians: float) -> np.ndarray:
    """Return the shifts of a rotation about the middle of the domain."""
    _, y, x = (positions - (10, 191.5, 191.5)).T
    return np.column_stack([0 * y, -np.sin(radians) * x, np.sin(radians) * y])


def test_a_rigid_stage_seen_on_one_side_is_rigid_on_the_other() -> None:
    errors = []
    for seed in range(8):
        positions = places(30, seed)
        positions[:, 1] *= 0.4
        shifts = noisy(np.tile([1.0, -3.0, 2.5], (30, 1)), 0.1, seed + 50)
        field = fit(DOMAIN, positions, shifts, np.full((30, 3), 0.1))
        corner = np.array([[10.0, 370.0, 370.0]])
        shift, sigma = field.at(corner)
        errors.append((shift - (1.0, -3.0, 2.5))[0])
        assert np.all(np.abs(errors[-1]) < 3 * sigma[0])
    assert np.sqrt(np.mean(np.square(errors))) < 0.15


def test_a_small_part_that_looks_at_rest_says_little_of_the_rest() -> None:
    far, errors = np.array([[10.0, 300.0, 300.0], [10.0, 340.0, 60.0]]), []
    for seed in range(12):
        positions = places(45, seed) * (1, 0.4, 0.4)
        truth = 0.4 * waves(np.vstack([positions, far]), seed, 800.0)
        shifts = noisy(truth[:45], 0.05, seed + 50)
        shift, sigma = fit(DOMAIN, positions, shifts, np.full(shifts.shape, 0.05)).at(far)
        errors.append(np.abs(shift - truth[45:]) / sigma)
    assert np.mean(np.array(errors) > 3) < 0.02
    assert np.mean(np.array(errors) < 1) > 0.58


def test_a_rotation_seen_on_one_side_is_known_on_the_other() -> None:
    for seed in range(4):
        positions = places(40, seed)
        positions[:, 1] *= 0.3
        shifts = noisy(turned(positions, 0.03), 0.1, seed + 50)
        field = fit(DOMAIN, positions, shifts, np.full((40, 3), 0.1))
        far = np.array([[10.0, 370.0, 200.0]])
        shift, sigma = field.at(far)
        error = np.abs(shift - turned(far, 0.03))[0]
        assert np.all(error < 0.6)
        assert np.all(error < 3 * sigma[0])


def test_sigma_grows_with_the_distance_from_evidence() -> None:
    positions = places(60, seed=7)
    positions[:, 1] *= 0.4
    drift = 0.6 * np.sin(positions[:, 1:2] / 25) * np.ones(3)
    field = fit(DOMAIN, positions, noisy(drift, 0.05, 8), np.full((60, 3), 0.05))
    along = np.column_stack([np.full(4, 10.0), [80, 170, 220, 320], np.full(4, 190.0)])
    sigma = field.at(along)[1]
    assert np.all(np.diff(sigma, axis=0) > 0)
    assert np.all(sigma[-1] > 3 * sigma[0])


def test_a_bend_and_a_walk_with_depth_are_followed() -> None:
    deep = Domain((256, 256), 40, levels=4)
    random = np.random.default_rng(3)
    depths = np.repeat([4.5, 14.5, 24.5, 34.5], 36) + random.uniform(-2, 2, 144)
    spots = np.column_stack([depths, random.uniform(0, 256, (144, 2))])

    def bent(at: np.ndarray) -> np.ndarray:
        depth = (at[:, 0] - 19.5) / 19.5
        return np.column_stack([2 * depth**2 - 1, 0.4 * depth, -0.4 * depth])

    field = fit(deep, spots, noisy(bent(spots), 0.05, 4), np.full((144, 3), 0.05))
    asked = np.column_stack([random.uniform(0, 39, 200), random.uniform(0, 255, (200, 2))])
    assert np.sqrt(np.mean((field.at(asked)[0] - bent(asked)) ** 2, axis=0)).max() < 0.06


def test_a_rigid_motion_is_one_shift() -> None:
    positions = places(60, seed=9)
    shifts = noisy(np.tile([0.5, 4.0, -1.0], (60, 1)), 0.1, 10)
    field = fit(DOMAIN, positions, shifts, np.full((60, 3), 0.1), motion=RIGID)
    shift, sigma = field.at(places(20, seed=11))
    assert np.ptp(shift, axis=0).max() < 1e-9
    assert np.abs(shift[0] - (0.5, 4.0, -1.0)).max() < 3 * sigma[0].max()
    assert np.ptp(sigma, axis=0).max() < 1e-9


def test_a_shift_alone_is_that_with_its_uncertainty() -> None:
    positions = places(60, seed=4)
    shifts = plane(positions) + np.random.default_rng(5).normal(0, 0.2, (60, 3))
    field = fit(DOMAIN, positions, shifts, np.full((60, 3), 0.05))
    asked = places(200, seed=6)
    np.testing.assert_allclose(field.shift_at(asked), field.at(asked)[0], atol=1e-9)


def waves(positions: np.ndarray, seed: int, length: float, spread: float = 0.0) -> np.ndarray:
    """Return plane waves of 0.5 px rms whose length is about `length` px, (n, 3).

    They are means over normal distributions whose standard deviation is `spread` (px).
    """
    random = np.random.default_rng(seed)
    angle, phase = random.uniform(0, 2 * np.pi, (2, 24, 3))
    wave = 2 * np.pi / (length * random.uniform(0.8, 1.3, (24, 3)))
    y, x = positions[:, 1, None, None], positions[:, 2, None, None]
    argument = wave * (np.cos(angle) * y + np.sin(angle) * x) + phase
    seen = np.exp(-0.5 * (wave * spread) ** 2) * np.cos(argument)
    return np.asarray(0.5 * np.sqrt(2 / 24) * seen.sum(axis=1))


def test_sigma_knows_of_waves_of_two_sub_blocks() -> None:
    errors = []
    for seed in range(6):
        positions = places(120, seed)
        shifts = noisy(waves(positions, seed, 90.0), 0.03, seed + 100)
        asked = places(200, seed + 200)
        shift, sigma = fit(DOMAIN, positions, shifts, np.full(shifts.shape, 0.03)).at(asked)
        errors.append((np.abs(shift - waves(asked, seed, 90.0)) / sigma)[:, 1:])
    assert 0.58 < np.mean(np.array(errors) < 1) < 0.78
    assert np.mean(np.array(errors) > 3) < 0.02


@pytest.mark.parametrize("length", [50.0, 70.0, 90.0])
def test_sigma_knows_of_waves_that_sub_blocks_hardly_show(length: float) -> None:
    errors = []
    for seed in range(6):
        rows = np.arange(16.0, 384, 32)
        grid = np.stack(np.meshgrid([10.0], rows, rows), axis=-1).reshape(-1, 3)
        shifts = noisy(waves(grid, seed, length, spread=8.0), 0.03, seed + 100)
        sigmas, spread = np.full((2, *shifts.shape), [[[0.03]], [[8.0]]])
        asked = places(200, seed + 200)
        shift, sigma = fit(DOMAIN, grid, shifts, sigmas, spread_zyx=spread).at(asked)
        errors.append((np.abs(shift - waves(asked, seed, length)) / sigma)[:, 1:])
    assert np.mean(np.array(errors) < 1) > 0.58
    assert np.mean(np.array(errors) > 3) < 0.02


def test_what_deforms_along_y_may_deform_along_x_where_that_is_hardly_seen() -> None:
    away = np.array([[10.0, 330.0, 190.0]])
    sigma = np.tile([0.2, 0.1, 0.4], (24, 1))
    ratios = []
    for seed in range(6, 12):
        positions = places(24, seed) * (1, 0.5, 1)
        still = np.zeros(len(positions))
        sigmas = []
        for along_y in (waves(positions, 7, 200.0)[:, 1], still):
            shifts = noisy(np.column_stack([still, along_y, still]), sigma, 8)
            sigmas.append(fit(DOMAIN, positions, shifts, sigma).at(away)[1][0, 2])
        ratios.append(sigmas[0] / sigmas[1])
    assert np.mean(ratios) > 1.4


def deep_waves(positions: np.ndarray, seed: int, planes: int) -> np.ndarray:
    """Return a shift (n, 3) that deforms otherwise at the ends of the stack than in the middle."""
    depth = positions[:, :1] / (planes - 1) * 2 - 1
    parts = [waves(positions, seed + step, 200.0) for step in (0, 50, 100)]
    return np.asarray(parts[0] + depth * parts[1] + (1.5 * depth**2 - 0.5) * parts[2])


@pytest.mark.parametrize("levels", [1, 3])
def test_a_deformation_that_changes_with_the_depth_is_followed(levels: int) -> None:
    planes, sigma = DOMAIN.planes, 0.1
    domain = Domain(DOMAIN.image_shape, planes, levels)
    errors, sizes = [], []
    for seed in range(5):
        positions, asked = places(120, seed), places(200, seed + 200)
        shifts = noisy(deep_waves(positions, seed, planes), sigma, seed + 100)
        shift, found = fit(domain, positions, shifts, np.full(shifts.shape, sigma)).at(asked)
        error = (shift - deep_waves(asked, seed, planes))[:, 1:]
        sizes.append(error)
        errors.append(np.abs(error) / found[:, 1:])
    assert 0.58 < np.mean(np.array(errors) < 1) < 0.78
    assert np.mean(np.array(errors) > 3) < 0.02
    assert np.sqrt(np.mean(np.square(sizes))) < 0.3
