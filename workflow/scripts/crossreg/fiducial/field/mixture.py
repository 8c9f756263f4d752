"""The posterior of one component of the shift, averaged over all that is not known beforehand.

Bayesian linear regression: a few explicit functions beside many features of a random field. Choices
of the field's size, of the noise and of the priors are weighed by their evidence, and predictions
are averaged over all likely ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.field.explicit_weights import posterior
from crossreg.fiducial.field.likelihood import Likelihood
from crossreg.fiducial.field.likely_choices import Choices, Roughness, likely_choices
from crossreg.fiducial.field.motion_terms import Priors, Slope
from crossreg.fiducial.field.random_field import FeaturesInColumns

Floats = NDArray[np.float64]

FREE_SLOPE = 1.0
"""Standard deviation (px per px) of a gradient of which nothing is assumed."""
OMITTED = 0.08
"""Part of a random field that changes with the depth otherwise than its few polynomials of the
depth can: of planted waves in tissue 15 % of the places were beyond 3 sigma without it, now 2 %."""


@dataclass(frozen=True)
class Choice:
    """One choice of the random field, the noise and the prior.

    Attributes
    ----------
    amplitude, noise : of the random field (px), and the factor on the measurements' sigmas.
    mean, deviation : (p,) of the normal priors of the explicit weights.

    """

    amplitude: float
    noise: float
    mean: Floats
    deviation: Floats


@dataclass(frozen=True)
class Mixture:
    """The posterior: k likely choices, each with a normal distribution of the explicit weights.

    Attributes
    ----------
    choices : those of the random field and its noise.
    weight : (k,) of sum 1.
    mean, covariance : (k, p), (k, p, p) of the weights.
    prior_mean, prior_deviation : (p,) of the most likely prior.
    mean_log : logarithm of how likely the measurements are, the mean over all choices.

    """

    choices: Choices
    weight: Floats
    mean: Floats
    covariance: Floats
    prior_mean: Floats
    prior_deviation: Floats
    mean_log: float

    def widened(self, deviations: Floats) -> "Mixture":
        """Return the posterior with further, independent errors (p,) of the weights."""
        return replace(self, covariance=self.covariance + np.diag(np.square(deviations)))

    def predict(
        self, terms: Floats, features: Mapping[int, FeaturesInColumns]
    ) -> tuple[Floats, Floats]:
        """Return (mean, sigma), both (n,), for terms (n, p) and the features by length."""
        means, variances = np.empty((2, len(self.weight), len(terms)))
        for length, chosen in self.choices.by_length():
            means[chosen], variances[chosen] = self._predict(
                terms, features[length], self.choices.likelihoods[length], chosen
            )
        mean = self.weight @ means
        return mean, np.sqrt(self.weight @ (variances + (means - mean) ** 2))

    def _predict(
        self,
        terms: Floats,
        features: FeaturesInColumns,
        found: Likelihood,
        chosen: NDArray[np.bool_],
    ) -> tuple[Floats, Floats]:
        """Return (means, variances), both (c, n), of the c choices of one correlation length."""
        a2, s2, known = found.seen_by(self.choices.choice[chosen])
        mean, covariance = self.mean[chosen], self.covariance[chosen]
        count, p = mean.shape
        along = features.along(found.vectors)
        rest_of_values = found.along_values - mean @ found.along_terms.T
        means = terms @ mean.T + features.summed(along @ (known * rest_of_values).T)
        # Of what is seen of the terms, all choices in one product.
        shown = (known[:, :, None] * found.along_terms).swapaxes(0, 1).reshape(-1, count * p)
        rest = terms[:, None] - features.summed(along @ shown).reshape(-1, count, p)
        rest = rest.swapaxes(0, 1)
        # A sum of squares needs no more than single precision, which takes half the time.
        weights = (s2[:, None] * known).T.astype(np.float32)
        variances = features.squares_summed(along.astype(np.float32), weights)
        if features.variance is not None or len(found.eigenvalues) < len(found.vectors):
            seen = features.squares_summed(along, np.ones((len(found.eigenvalues), 1)))
            variances = variances + np.maximum(features.squares[:, None] - seen, 0) * a2
        if features.changes_with_depth:
            variances = variances + np.square(OMITTED) * a2
        return means.T, variances.T + ((rest @ covariance) * rest).sum(axis=2)

    @cached_property
    def weights_of_mean(self) -> tuple[Floats, dict[int, Floats]]:
        """Return weights (p,) of terms and (q,) of features by length, whose sum is the mean.

        A mean alone costs a small part of `predict`.
        """
        of_features: dict[int, Floats] = {}
        for length, chosen in self.choices.by_length():
            found = self.choices.likelihoods[length]
            _, _, known = found.seen_by(self.choices.choice[chosen])
            rest = found.along_values - self.mean[chosen] @ found.along_terms.T
            of_features[length] = found.vectors @ (self.weight[chosen] @ (known * rest))
        return self.weight @ self.mean, of_features

    def noise(self) -> float:
        """Return the mean factor on the measurements' sigmas."""
        return float(self.weight @ self.choices.values("noise"))

    def amplitude(self) -> float:
        """Return the mean standard deviation (px) of the random field."""
        return float(self.weight @ self.choices.values("amplitude"))

    def roughness(self) -> Roughness:
        """Return how likely each size and correlation length of the random field is."""
        found: dict[tuple[int, float], float] = {}
        amplitudes = self.choices.values("amplitude").tolist()
        keys = zip(self.choices.length.tolist(), amplitudes, strict=True)
        for key, weight in zip(keys, self.weight.tolist(), strict=True):
            found[key] = found.get(key, 0.0) + weight
        return Roughness(found)

    def slope(self, term: int) -> Slope:
        """Return what the measurements say of one weight, with next to no prior on it."""
        free = self.prior_deviation.copy()
        free[term] = FREE_SLOPE
        precision, pull = map(self.choices.values, ("precision", "pull"))
        means, covariances = posterior(precision, pull, self.prior_mean, free)
        mean = float(self.weight @ means[:, term])
        spread = covariances[:, term, term] + (means[:, term] - mean) ** 2
        return Slope(mean, float(np.sqrt(self.weight @ spread)))


def mixture(
    likelihoods: tuple[Likelihood, ...],
    priors: Priors,
    roughness: Roughness | None = None,
    beforehand: Sequence[Floats] | None = None,
) -> Mixture:
    """Return the posterior over all likely choices of the random field, the noise and the priors.

    Arguments are those of `likely_choices`.
    """
    found = likely_choices(likelihoods, priors, roughness, beforehand)
    shares = np.exp(found.log - found.log.max())
    total = float(found.log.max() + np.log(shares.sum()))
    means, covariances = posterior(
        found.values("precision")[:, None],
        found.values("pull")[:, None],
        priors.means[found.prior],
        priors.deviations[found.prior],
    )
    weight = shares.sum(axis=1)
    shares /= weight[:, None]
    mean = np.einsum("kg,kgp->kp", shares, means)
    away = means - mean[:, None]
    covariances += away[..., :, None] * away[..., None, :]
    covariance = np.einsum("kg,kgij->kij", shares, covariances)
    best = found.best_prior
    return Mixture(
        found, weight / weight.sum(), mean, covariance,
        priors.means[best], priors.deviations[best], total - float(np.log(found.count)),
    )  # fmt: skip


def likeliest(likelihoods: tuple[Likelihood, ...], priors: Priors) -> Choice:
    """Return the likeliest choice, of all that `mixture` would average over."""
    found = likely_choices(likelihoods, priors)
    amplitude, noise = (float(found.values(name)[0]) for name in ("amplitude", "noise"))
    best = found.best_prior
    return Choice(amplitude, noise, priors.means[best], priors.deviations[best])
