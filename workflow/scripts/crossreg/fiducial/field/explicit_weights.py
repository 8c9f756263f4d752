"""Normal priors of the few weights of explicit functions meet a normal likelihood.

Rasmussen and Williams 2006, section 2.7, doi:10.7551/mitpress/3206.001.0001.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def log_evidence(precision: Floats, pull: Floats, means: Floats, deviations: Floats) -> Floats:
    """Return the log-evidence (h, g), relative to the weights 0, of g priors of h likelihoods.

    `precision` (h, p, p) and `pull` (h, p) are those of the likelihoods, `means` and `deviations`
    (g, p) those of the normal priors. Gauss's elimination of the scaled precision, with the pull as
    a further column, gives both the determinant and the quadratic form. There are thousands of
    pairs of small matrices: each step is taken for all of them at once.
    """
    p = pull.shape[1]
    scales, pulls, at_means = deviations.T[:, None], pull.T[..., None], np.zeros(1)
    if means.any():  # most priors have the means 0
        moved = np.einsum("hij,gj->ihg", precision, means)
        at_means = ((pulls - 0.5 * moved) * means.T[:, None]).sum(axis=0)
        pulls = pulls - moved
    rows = np.empty((p, p + 1, len(pull), len(means)))
    np.multiply(precision.transpose(1, 2, 0)[..., None], scales[:, None] * scales, out=rows[:, :p])
    np.multiply(pulls, scales, out=rows[:, p])
    determinant, quadratic = np.ones(1), np.zeros(1)
    for _ in range(p):
        first = rows[0]
        pivot = first[0] + 1
        shares = first[1:] / pivot
        determinant = determinant * pivot
        quadratic = quadratic + shares[-1] * first[-1]
        rows = rows[1:, 1:]
        rows -= shares[:-1, None] * first[1:]
    result: np.ndarray = at_means + 0.5 * (quadratic - np.log(determinant))
    return result


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
