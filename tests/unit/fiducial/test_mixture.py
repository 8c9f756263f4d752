"""The posterior over explicit functions and a random field is that of the textbook."""

import numpy as np
import pytest

from crossreg.fiducial.field.explicit_weights import log_evidence, most_evidence, without_first
from crossreg.fiducial.field.likelihood import Component, Scales, likelihood
from crossreg.fiducial.field.mixture import mixture
from crossreg.fiducial.field.motion_terms import Priors
from crossreg.fiducial.field.random_field import DeepFeatures, Features, FeaturesInColumns

AMPLITUDE, NOISE, DEVIATIONS = 0.7, 1.3, np.array([2.0, 0.01])


@pytest.mark.parametrize("measurements", [12, 90])
def test_one_choice_predicts_as_a_gaussian_process_does(measurements: int) -> None:
    random = np.random.default_rng(measurements)
    features = Features.over((200, 200), 60.0)
    assert 12 < features.count < 90

    def at(count: int) -> tuple[np.ndarray, np.ndarray]:
        places = np.column_stack([np.zeros(count), random.uniform(-100, 100, (count, 2))])
        return np.column_stack([np.ones(count), places[:, 1]]), features.at(places)

    terms, seen = at(measurements)
    variances = random.uniform(0.01, 0.09, measurements)
    values = random.normal(0, 1, measurements)
    any_size = (1.0, 1.0)
    scales = Scales(np.array([AMPLITUDE]), np.array([NOISE]), any_size, any_size)
    found = likelihood(Component(terms, values, variances), seen, scales)
    prior = Priors(np.zeros((1, 2)), DEVIATIONS[None], np.zeros(1))
    new_terms, new = at(7)
    mean, sigma = mixture((found,), prior).predict(
        new_terms, {0: FeaturesInColumns(new, np.arange(7), np.ones((7, 1)))}
    )

    def covariance(one: tuple[np.ndarray, ...], two: tuple[np.ndarray, ...]) -> np.ndarray:
        return (one[0] * DEVIATIONS**2) @ two[0].T + AMPLITUDE**2 * one[1] @ two[1].T

    known, asked = (terms, seen), (new_terms, new)
    inverse = np.linalg.inv(covariance(known, known) + NOISE**2 * np.diag(variances))
    gain = covariance(asked, known) @ inverse
    spread = np.diag(covariance(asked, asked) - gain @ covariance(known, asked))
    np.testing.assert_allclose(mean, gain @ values, atol=1e-9)
    np.testing.assert_allclose(sigma, np.sqrt(spread), rtol=1e-5)


@pytest.mark.parametrize("is_deep", [False, True])
def test_features_of_places_in_columns_are_those_of_the_places(is_deep: bool) -> None:
    random = np.random.default_rng(3)
    plain = Features.over((200, 200), 60.0)
    features = DeepFeatures(plain, 20) if is_deep else plain
    columns = random.uniform(-100, 100, (4, 2))
    column = random.integers(0, 4, 15)
    places = np.column_stack([random.uniform(-10, 10, 15), columns[column]])
    at, found = features.at(places), features.in_columns(places[:, 0], columns, column)
    vectors, weights = random.normal(size=(features.count, 5)), random.uniform(size=(5, 2))
    along = found.along(vectors)
    np.testing.assert_allclose(found.summed(along), at @ vectors, atol=1e-9)
    np.testing.assert_allclose(
        found.squares_summed(along, weights), (at @ vectors) ** 2 @ weights, atol=1e-9
    )
    np.testing.assert_allclose(found.squares, (at**2).sum(axis=1), atol=1e-9)


@pytest.mark.parametrize("means", [0.0, 0.5])
def test_the_evidence_of_a_prior_is_the_integral_over_the_weights(means: float) -> None:
    random = np.random.default_rng(5)
    roots = random.normal(size=(3, 6, 4))
    precision = roots.transpose(0, 2, 1) @ roots
    pull, mean = random.normal(size=(3, 4)), means * random.normal(size=(2, 4))
    deviations = random.uniform(0.5, 2, (2, 4))
    found = log_evidence(precision, pull, mean, deviations)
    for h, g in np.ndindex(3, 2):
        prior = np.diag(deviations[g] ** -2)
        both, side = precision[h] + prior, pull[h] + prior @ mean[g]
        # The integral of a normal density times exp(pull w - w precision w / 2).
        exponent = side @ np.linalg.solve(both, side) - mean[g] @ prior @ mean[g]
        sizes = np.linalg.slogdet(both)[1] - np.linalg.slogdet(prior)[1]
        np.testing.assert_allclose(found[h, g], 0.5 * (exponent - sizes), rtol=1e-12)


@pytest.mark.parametrize("means", [0.0, 0.5])
def test_no_prior_exceeds_the_most_that_is_possible(means: float) -> None:
    random = np.random.default_rng(6)
    roots = random.normal(size=(30, 6, 4)) * random.uniform(0.1, 30, (30, 1, 4))
    precision = roots.transpose(0, 2, 1) @ roots
    pull, mean = 9 * random.normal(size=(30, 4)), means * random.normal(size=(20, 4))
    deviations = random.uniform(0, 2, (20, 4))
    found = log_evidence(precision, pull, mean, deviations)
    most = most_evidence(precision, pull, mean, deviations)
    # A prior that is ten times as wide still holds the weights a little.
    assert np.all(found.max(axis=1) < most + 0.1)


def test_the_first_weight_may_be_averaged_over_beforehand() -> None:
    random = np.random.default_rng(7)
    roots = random.normal(size=(3, 6, 4))
    precision, pull = roots.transpose(0, 2, 1) @ roots, random.normal(size=(3, 4))
    mean, deviations = np.zeros((2, 4)), random.uniform(0.5, 2, (2, 4))
    deviations[:, 0] = 1.5
    mean[:, 1:] = random.normal(size=(2, 3))
    log, rest, rest_pull = without_first(precision, pull, 1.5)
    found = log[:, None] + log_evidence(rest, rest_pull, mean[:, 1:], deviations[:, 1:])
    np.testing.assert_allclose(found, log_evidence(precision, pull, mean, deviations), rtol=1e-10)
