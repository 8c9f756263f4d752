"""What measurements say of the weights of explicit functions, the random field integrated out.

For every choice of the random field's size and of the noise, what remains is a normal likelihood
of the few weights (Rasmussen and Williams 2006, section 2.7, doi:10.7551/mitpress/3206.001.0001).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SMALLEST = 1e-13
"""Eigenvalue, relative to the largest, below which rounding hides it: such a direction, of which
next to nothing is seen, counts as not seen."""
MULTIPLIED = 12
"""Ratios of variances, from 1 to far below 1e20, whose product is sure not to overflow."""


@dataclass(frozen=True)
class Component:
    """What n measurements show of one component (z, y or x) of the shift.

    Attributes
    ----------
    terms : (n, p) the explicit functions there.
    values, variances : (n,) the measurements (px) and the squares of their sigmas.
    repeats : how often the measurements count the same light: that many are worth one.

    """

    terms: Floats
    values: Floats
    variances: Floats
    repeats: float = 1.0

    def joined(self, terms: Floats, values: Floats, variances: Floats) -> "Component":
        """Return the same with further measurements (m,), in which the random field has no part."""
        return Component(
            np.concatenate([self.terms, terms]),
            np.concatenate([self.values, values]),
            np.concatenate([self.variances, variances]),
            self.repeats,
        )

    def padded(self, features: Floats) -> Floats:
        """Return features of the first measurements, followed by 0 for those that were joined."""
        joined = len(self.values) - len(features)
        return np.pad(features, ((0, joined), (0, 0))) if joined else features


@dataclass(frozen=True)
class Scales:
    """Choices of the size of the random field, and of the noise; every pair of them is tried.

    Attributes
    ----------
    amplitudes : (a,) standard deviations of the random field (px).
    noises : (b,) factors on the measurements' sigmas.
    amplitude_prior, noise_prior : median, and standard deviation of the logarithm, of either.

    """

    amplitudes: Floats
    noises: Floats
    amplitude_prior: tuple[float, float]
    noise_prior: tuple[float, float]

    @cached_property
    def pairs(self) -> tuple[Floats, Floats]:
        """Return the amplitude and the noise, both (a b,), of every pair."""
        amplitude, noise = np.meshgrid(self.amplitudes, self.noises, indexing="ij")
        return amplitude.ravel(), noise.ravel()

    @cached_property
    def log_prior(self) -> Floats:
        """Return the logarithm of how likely every pair (a b,) is beforehand."""
        of_amplitudes = _log_normal(self.amplitudes, self.amplitude_prior)
        of_noises = _log_normal(self.noises, self.noise_prior)
        every = np.add.outer(of_amplitudes, of_noises).ravel()
        return np.asarray(every - np.log(np.exp(every).sum()))

    @cached_property
    def every_other(self) -> "Scales":
        """Return every other amplitude and noise."""
        return replace(self, amplitudes=self.amplitudes[::2], noises=self.noises[::2])


@dataclass(frozen=True)
class Likelihood:
    """What measurements say of the explicit weights, for h choices of amplitude and noise.

    Attributes
    ----------
    amplitude, noise : (h,) of the random field (px), and the factor on the measurements' sigmas.
    log : (h,) log-likelihood of the weights 0.
    precision, pull : (h, p, p) and (h, p): log-likelihood of the weights w is
        log + pull w - w precision w / 2.
    vectors, eigenvalues : (q, m) and (m,) of the weighted features' normal matrix. Of fewer
        measurements than features, m is n at most: across these vectors they say nothing.
    along_terms, along_values : (m, p) and (m,) the functions and the measurements along them.

    """

    amplitude: Floats
    noise: Floats
    log: Floats
    precision: Floats
    pull: Floats
    vectors: Floats
    eigenvalues: Floats
    along_terms: Floats
    along_values: Floats

    def seen_by(self, choices: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """Return the squares of amplitude and noise, (c,), of choices, and what they know (c, m).

        That is the part of what lies along each vector that is seen, over the noise's variance.
        """
        a2, s2 = self.amplitude[choices] ** 2, self.noise[choices] ** 2
        return a2, s2, a2[:, None] / (s2[:, None] + a2[:, None] * self.eigenvalues)


def likelihood(measured: Component, features: Floats, scales: Scales) -> Likelihood:
    """Return what n measurements say, for all pairs of amplitude and noise.

    `features` (n, q) are those of a random field of variance 1.
    """
    terms, values = measured.terms, measured.values
    counted = measured.variances * measured.repeats
    eigenvalues, vectors = _eigen(features / np.sqrt(counted)[:, None])
    both = np.column_stack([terms, values]) / counted[:, None]
    along = vectors.T @ (features.T @ both)
    along_terms, along_values = along[:, :-1], along[:, -1]
    a, s = scales.pairs
    a2, s2 = a[:, None] ** 2, s[:, None] ** 2
    total = s2 + a2 * eigenvalues
    share = a2 / (s2 * total)
    weighted_terms = both[:, :-1]
    outer = (along_terms[:, :, None] * along_terms[:, None]).reshape(len(eigenvalues), -1)
    p = terms.shape[1]
    precision = (weighted_terms.T @ terms) / s2[..., None] - (share @ outer).reshape(-1, p, p)
    pull = (values @ weighted_terms) / s2 - (share * along_values) @ along_terms
    squares = values @ (values / counted) / s2[:, 0] - share @ along_values**2
    spread = len(values) * np.log(2 * np.pi * s**2) + np.log(measured.variances).sum()
    log = -0.5 * (squares + spread / measured.repeats + _log_products(total / s2))
    log += scales.log_prior
    return Likelihood(a, s, log, precision, pull, vectors, eigenvalues, along_terms, along_values)


def _log_products(values: Floats) -> Floats:
    """Return the logarithms (h,) of the products of values (h, m), few of which overflow together.

    A product takes a small part of the time of a logarithm.
    """
    if not values.shape[1]:
        return np.zeros(len(values))
    parts = np.multiply.reduceat(values, np.arange(0, values.shape[1], MULTIPLIED), axis=1)
    return np.asarray(np.log(parts).sum(axis=1))


def _log_normal(values: Floats, prior: tuple[float, float]) -> Floats:
    """Return how likely values (n,) are beforehand, as a logarithm up to a constant.

    `prior` is the median and the standard deviation of the logarithm. A value of 0 stands for a
    third of the least other one.
    """
    median, deviation = prior
    least = min(values[values > 0], default=median) / 3
    return np.asarray(-0.5 * (np.log(np.maximum(values, least) / median) / deviation) ** 2)


def _eigen(scaled: Floats) -> tuple[Floats, Floats]:
    """Return eigenvalues (m,) and eigenvectors (q, m) of the normal matrix of features (n, q).

    Where there are fewer rows than features, m is n at most, and the work grows with n instead of
    q: the products of the rows have the same eigenvalues, but for those that are 0.
    """
    if len(scaled) >= scaled.shape[1]:
        eigenvalues, vectors = np.linalg.eigh(scaled.T @ scaled)
        return np.maximum(eigenvalues, 0), vectors
    eigenvalues, vectors = np.linalg.eigh(scaled @ scaled.T)
    kept = eigenvalues > SMALLEST * eigenvalues[-1]
    return eigenvalues[kept], scaled.T @ (vectors[:, kept] / np.sqrt(eigenvalues[kept]))
