"""The posterior of one component of the shift, averaged over all that is not known beforehand.

Bayesian linear regression: a few explicit functions beside many features of a random field. Choices
of the field's size, of the noise and of the priors are weighed by their evidence, and predictions
are averaged over all likely ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.even_choice import evenly_chosen
from crossreg.fiducial.field.explicit_weights import (
    log_evidence,
    most_evidence,
    posterior,
    without_first,
)
from crossreg.fiducial.field.likelihood import Likelihood
from crossreg.fiducial.field.motion_terms import Priors, Slope
from crossreg.fiducial.field.random_field import FeaturesInColumns

Floats = NDArray[np.float64]

LEAST_LOG_WEIGHT = -5.0
"""Logarithm of the weight, relative to the best, below which a choice is left out."""
MOST_FIELDS, MOST_PRIORS = 20, 24
"""Choices of the random field and its noise, and of priors, that are averaged over at most."""
FREE_SLOPE = 1.0
"""Standard deviation (px per px) of a gradient of which nothing is assumed."""
UNLIKE = 0.02
"""Weight of a size and correlation length of the random field that the other component denies: the
two components need not deform alike."""
OMITTED = 0.08
"""Part of a random field that changes with the depth otherwise than its few polynomials of the
depth can: of planted waves in tissue 15 % of the places were beyond 3 sigma without it, now 2 %."""
PROBED_FIELDS, PROBED_PRIORS = 4, 10
"""Best choices of the one with which all choices of the other are compared first."""
HOPEFUL = 12.0
"""Logarithm of the weight, relative to the best with few of the priors, up to which a choice of the
random field may be likely with others."""
FEW_FIELDS = 40
"""Choices of the random field up to which all are compared; of more, first what each could reach at
most is computed, and nine of ten are left out."""
MARGIN = 0.5
"""By how much (logarithm) what a choice could reach at most may be too low."""


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
class Roughness:
    """What one component says of another's random field: a specimen deforms along y and x alike.

    Attributes
    ----------
    weights : how likely each (number of the correlation length, amplitude) is; of sum 1.

    """

    weights: Mapping[tuple[int, float], float]

    def log_weights(self, length: NDArray[np.int64], amplitude: Floats) -> Floats:
        """Return the logarithm of how likely choices (h,) are; none is less likely than UNLIKE."""
        known = [
            self.weights.get(key, 0.0)
            for key in zip(length.tolist(), amplitude.tolist(), strict=True)
        ]
        return np.log(np.array(known) + UNLIKE)

    def table(self, rows: Sequence[int], amplitudes: Floats) -> Floats:
        """Return the weights (l, a) of all correlation lengths and amplitudes, the nearest ones.

        `rows` are the rows that the numbers of the random field's kinds belong to.
        """
        logs = np.log(np.maximum(amplitudes, 1e-9))
        result = np.zeros((max(rows) + 1, len(amplitudes)))
        for (number, size), weight in self.weights.items():
            column = np.abs(logs - np.log(max(size, 1e-9))).argmin()
            result[rows[number], column] += weight
        return result


@dataclass(frozen=True)
class Mixture:
    """The posterior: k likely choices, each with a normal distribution of the explicit weights.

    Attributes
    ----------
    likelihoods : of each correlation length.
    length, choice : (k,) number of the likelihood, and the choice in it.
    weight : (k,) of sum 1.
    mean, covariance : (k, p), (k, p, p) of the weights.
    prior_mean, prior_deviation : (p,) of the most likely prior.
    mean_log : logarithm of how likely the measurements are, the mean over all choices.

    """

    likelihoods: tuple[Likelihood, ...]
    length: NDArray[np.int64]
    choice: NDArray[np.int64]
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
        for length in sorted(set(self.length.tolist())):
            chosen = self.length == length
            means[chosen], variances[chosen] = self._predict(
                terms, features[length], self.likelihoods[length], chosen
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
        a2, s2 = (part[self.choice[chosen]] ** 2 for part in (found.amplitude, found.noise))
        known = a2[:, None] / (s2[:, None] + a2[:, None] * found.eigenvalues)
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

    def weights_of_mean(self) -> tuple[Floats, dict[int, Floats]]:
        """Return weights (p,) of terms and (q,) of features by length, whose sum is the mean.

        A mean alone costs a small part of `predict`.
        """
        of_terms = self.weight @ self.mean
        of_features: dict[int, Floats] = {}
        for k, (length, choice) in enumerate(zip(self.length, self.choice, strict=True)):
            found = self.likelihoods[length]
            a2, s2 = found.amplitude[choice] ** 2, found.noise[choice] ** 2
            known = a2 / (s2 + a2 * found.eigenvalues)
            rest = found.along_values - found.along_terms @ self.mean[k]
            share = found.vectors @ (self.weight[k] * known * rest)
            of_features[int(length)] = of_features.get(int(length), 0.0) + share
        return of_terms, of_features

    def likeliest(self) -> Choice:
        """Return the likeliest choice."""
        found, choice = self.likelihoods[self.length[0]], self.choice[0]
        amplitude, noise = float(found.amplitude[choice]), float(found.noise[choice])
        return Choice(amplitude, noise, self.prior_mean, self.prior_deviation)

    def noise(self) -> float:
        """Return the mean factor on the measurements' sigmas."""
        return float(self.weight @ self._chosen("noise"))

    def amplitude(self) -> float:
        """Return the mean standard deviation (px) of the random field."""
        return float(self.weight @ self._chosen("amplitude"))

    def _chosen(self, name: str) -> Floats:
        """Return the amplitude or noise (k,) of each choice."""
        pairs = zip(self.length, self.choice, strict=True)
        return np.array([getattr(self.likelihoods[n], name)[choice] for n, choice in pairs])

    def roughness(self) -> Roughness:
        """Return how likely each size and correlation length of the random field is."""
        found: dict[tuple[int, float], float] = {}
        for length, choice, weight in zip(self.length, self.choice, self.weight, strict=True):
            key = int(length), float(self.likelihoods[length].amplitude[choice])
            found[key] = found.get(key, 0.0) + float(weight)
        return Roughness(found)

    def slope(self, term: int) -> Slope:
        """Return what the measurements say of one weight, with next to no prior on it."""
        free = self.prior_deviation.copy()
        free[term] = FREE_SLOPE
        precision, pull = (
            np.array(
                [
                    getattr(self.likelihoods[length], name)[choice]
                    for length, choice in zip(self.length, self.choice, strict=True)
                ]
            )
            for name in ("precision", "pull")
        )
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

    Not all pairs are compared: the best of the one are looked for with some of the other first.
    `roughness` is what another component says of the random field, `beforehand` the
    logarithms of how likely the amplitudes (a,) of each correlation length are.
    """
    length = np.concatenate([np.full(len(part.log), n) for n, part in enumerate(likelihoods)])
    choice = np.concatenate([np.arange(len(part.log)) for part in likelihoods])
    log, precision, pull = (
        np.concatenate([getattr(part, name) for part in likelihoods])
        for name in ("log", "precision", "pull")
    )
    if roughness:
        amplitude = np.concatenate([part.amplitude for part in likelihoods])
        log = log + roughness.log_weights(length, amplitude)
    if beforehand is not None:
        of_choices = [
            np.repeat(known, len(part.log) // len(known))
            for known, part in zip(beforehand, likelihoods, strict=True)
        ]
        log = log + np.concatenate(of_choices)

    # The priors of the constant are all the same: it is averaged over once for all of them.
    gain, rest, rest_pull = without_first(precision, pull, float(priors.deviations[0, 0]))
    log = log + gain

    def of_rest(
        fields: NDArray[np.int64], chosen: NDArray[np.int64]
    ) -> tuple[Floats, Floats, Floats, Floats]:
        means, deviations = priors.means[chosen, 1:], priors.deviations[chosen, 1:]
        return rest[fields], rest_pull[fields], means, deviations

    def scores(fields: NDArray[np.int64], chosen: NDArray[np.int64]) -> Floats:
        gain = log_evidence(*of_rest(fields, chosen))
        return log[fields][:, None] + gain + priors.log_weights[chosen]

    fields, chosen = np.arange(len(log)), evenly_chosen(len(priors.log_weights), PROBED_PRIORS)
    if len(fields) > FEW_FIELDS:
        most = log + most_evidence(*of_rest(fields, chosen)) + priors.log_weights[chosen].max()
        surest = np.argsort(-most)[:PROBED_FIELDS]
        fields = np.flatnonzero(most > scores(surest, chosen).max() - HOPEFUL - MARGIN)
    first = scores(fields, chosen).max(axis=1)
    best = fields[_best(first, PROBED_FIELDS)]
    chosen = _best(scores(best, np.arange(len(priors.log_weights))).max(axis=0), MOST_PRIORS)
    fields = fields[first > first.max() - HOPEFUL]
    fields = fields[_best(scores(fields, chosen[:PROBED_PRIORS]).max(axis=1), MOST_FIELDS)]
    joint = scores(fields, chosen)
    top = np.unravel_index(joint.argmax(), joint.shape)[1]
    shares = np.exp(joint - joint.max())
    total = float(joint.max() + np.log(shares.sum()))
    mean_log = total - float(np.log(len(log) * len(priors.log_weights)))
    means, covariances = posterior(
        precision[fields][:, None],
        pull[fields][:, None],
        priors.means[chosen],
        priors.deviations[chosen],
    )
    weight = shares.sum(axis=1)
    shares /= weight[:, None]
    mean = np.einsum("kg,kgp->kp", shares, means)
    away = means - mean[:, None]
    covariances += away[..., :, None] * away[..., None, :]
    covariance = np.einsum("kg,kgij->kij", shares, covariances)
    return Mixture(
        likelihoods, length[fields], choice[fields], weight / weight.sum(), mean, covariance,
        priors.means[chosen[top]], priors.deviations[chosen[top]], mean_log,
    )  # fmt: skip


def _best(scores: Floats, most: int) -> NDArray[np.int64]:
    """Return the numbers of the likely ones, best first, `most` of them at most."""
    order = np.argsort(-scores, kind="stable")[:most]
    result: np.ndarray = order[scores[order] > scores[order[0]] + LEAST_LOG_WEIGHT]
    return result
