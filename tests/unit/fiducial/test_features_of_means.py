"""Features of means are the means of features, and describe a field of variance 1."""

import numpy as np
import pytest

from crossreg.fiducial.field.random_field import DeepFeatures, Features
from crossreg.fiducial.field.short_features import ShortFeatures
from crossreg.fiducial.field.wave_features import WaveFeatures

SHAPE = (200, 160)
PLACES = np.array([[3.0, -40.0, 20.0], [-2.0, 10.0, 55.0], [0.0, 30.0, -30.0]])
SPREAD = np.array([[9.0, 6.0], [4.0, 12.0], [7.0, 7.0]])
KINDS: dict[str, Features | DeepFeatures | ShortFeatures | WaveFeatures] = {
    "smooth": Features.over(SHAPE, 50.0),
    "deep": DeepFeatures(Features.over(SHAPE, 50.0), 20),
    "short": ShortFeatures.of(PLACES, SPREAD, 12.0),
    "waves": WaveFeatures.over(SHAPE, 45.0, 90.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_features_of_means_are_the_means_of_features(kind: str) -> None:
    steps, weights = np.polynomial.hermite_e.hermegauss(25)
    away = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    weight = np.outer(weights, weights).ravel() / (2 * np.pi)
    around = np.repeat(PLACES[:, None], len(away), axis=1)
    around[..., 1:] += SPREAD[:, None] * away
    every = KINDS[kind].at(around.reshape(-1, 3)).reshape(len(PLACES), len(away), -1)
    found = KINDS[kind].at(PLACES, SPREAD)
    np.testing.assert_allclose(found, np.einsum("npq,p->nq", every, weight), atol=1e-6)


@pytest.mark.parametrize("kind", ["smooth", "short", "waves"])
def test_the_variance_of_the_field_is_one_everywhere(kind: str) -> None:
    column = np.arange(len(PLACES))
    found = KINDS[kind].in_columns(PLACES[:, 0], PLACES[:, 1:], column)
    np.testing.assert_allclose(found.squares, 1, atol=0.02)


@pytest.mark.parametrize("kind", ["short", "waves"])
def test_a_mean_over_a_block_hides_most_of_what_is_short(kind: str) -> None:
    steps = np.arange(-40.0, 41, 40)
    points = np.stack(np.meshgrid([0.0], steps, steps), axis=-1).reshape(1, 9, 3)
    found = KINDS[kind].averaged(points, np.full((1, 2), 40 * 12**-0.5))
    assert found.squares[0] < 0.1
