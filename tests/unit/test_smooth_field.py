"""The smooth field follows gradients, ignores outliers and knows how sure it is."""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from crossreg.fiducial.field.smooth_field import Domain, fit

BLOCK = 64
DOMAIN = Domain((384, 384), BLOCK, 10.0)


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
