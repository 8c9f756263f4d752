"""Normal priors of the few weights of explicit functions meet a normal likelihood.

Rasmussen and Williams 2006, section 2.7, doi:10.7551/mitpress/3206.001.0001.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FREE = 10.0
"""How many times as wide as the widest a prior is that holds a weight next to not at all."""


def log_evidence(precision: Floats, pull: Floats, means: Floats, deviations: Floats) -> Floats:
    """Return the log-evidence (h, g), relative to the weights 0, of g priors of h likelihoods.

    `precision` (h, p, p) and `pull` (h, p) are those of the likelihoods, `means` and `deviations`
    (g, p) those of the normal priors.
    """
    pulls, at_means = pull[..., None], np.zeros(1)
    if means.any():  # most priors have the means 0
        moved = np.einsum("hij,gj->hig", precision, means)
        at_means = ((pulls - 0.5 * moved) * means.T).sum(axis=1)
        pulls = pulls - moved
    determinant, quadratic = _eliminated(precision, pulls, deviations)
    result: np.ndarray = at_means + 0.5 * (quadratic - determinant)
    return result


def most_evidence(precision: Floats, pull: Floats, means: Floats, deviations: Floats) -> Floats:
    """Return what the log-evidence (h,) of no prior exceeds; arguments as `log_evidence` takes.

    The likelihoods are highest where next to no prior holds the weights, and narrow priors have
    the smallest determinants: so two priors stand for all.
    """
    free = FREE * np.hypot(means, deviations).max(axis=0)
    both = np.array([free, deviations.min(axis=0)])
    determinant, quadratic = _eliminated(precision, pull[..., None], both)
    return np.asarray(0.5 * (quadratic[:, 0] - determinant[:, 1]))


def without_first(
    precision: Floats, pull: Floats, deviation: float
) -> tuple[Floats, Floats, Floats]:
    """Return (log, precision, pull) of likelihoods (h) of the other weights, the first averaged.

    `deviation` is that of its prior of mean 0. `log` (h,) is by how much the log-likelihood of the
    others' weights 0 grows.
    """
    variance = deviation**2
    pivot = 1 + variance * precision[:, 0, 0]
    share = (variance / pivot)[:, None] * precision[:, 0, 1:]
    log = 0.5 * (variance * pull[:, 0] ** 2 / pivot - np.log(pivot))
    rest = precision[:, 1:, 1:] - share[..., None] * precision[:, :1, 1:]
    return log, rest, pull[:, 1:] - share * pull[:, :1]


def _eliminated(precision: Floats, pulls: Floats, deviations: Floats) -> tuple[Floats, Floats]:
    """Return (log-determinants, quadratic forms), both (h, g), of scaled precisions plus 1.

    `pulls` (h, p, g) are those at the priors' means, or (h, p, 1) for all of them. Gauss's
    elimination of the scaled precision, with the pull as a further column, gives both. There are
    thousands of pairs of small matrices: each step is taken for all of them at once.
    """
    h, p = precision.shape[:2]
    scales = deviations.T[:, None]
    rows = np.empty((p, p + 1, h, len(deviations)))
    np.multiply(precision.transpose(1, 2, 0)[..., None], scales[:, None] * scales, out=rows[:, :p])
    np.multiply(pulls.transpose(1, 0, 2), scales, out=rows[:, p])
    determinant, quadratic = np.ones(1), np.zeros(1)
    for _ in range(p):
        first = rows[0]
        pivot = first[0] + 1
        shares = first[1:] / pivot
        determinant = determinant * pivot
        quadratic = quadratic + shares[-1] * first[-1]
        rows = rows[1:, 1:]
        rows -= shares[:-1, None] * first[1:]
    return np.log(determinant), quadratic


def posterior(
    precision: Floats, pull: Floats, means: Floats, deviations: Floats
) -> tuple[Floats, Floats]:
    """Return (means, covariances) of the weights under normal priors (deviations may be 0)."""
    scaled = deviations[..., :, None] * precision * deviations[..., None, :]
    inverse = np.linalg.inv(scaled + np.eye(scaled.shape[-1]))
    covariance = deviations[..., :, None] * inverse * deviations[..., None, :]
    moved = (precision @ means[..., None])[..., 0]
    mean = means + (covariance @ (pull - moved)[..., None])[..., 0]
    return mean, covariance
