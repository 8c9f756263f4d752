"""Normal priors of the few weights of explicit functions meet a normal likelihood.

Rasmussen and Williams 2006, section 2.7, doi:10.7551/mitpress/3206.001.0001.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def log_evidence(precision: Floats, pull: Floats, means: Floats, deviations: Floats) -> Floats:
    """Return the log-evidence (...), relative to the weights 0, of normal priors.

    One Cholesky factor of the scaled precision with the pull as a further row gives both the
    determinant and the quadratic form.
    """
    # Most priors have the means 0, and there are thousands of pairs.
    moved = (precision @ means[..., None])[..., 0] if means.any() else np.zeros(1)
    shape, p = np.broadcast_shapes(precision.shape[:-2], deviations.shape[:-1]), pull.shape[-1]
    whole = np.zeros((*shape, p + 1, p + 1))
    scaled = whole[..., :p, :p]
    np.multiply(deviations[..., :, None], precision, out=scaled)
    scaled *= deviations[..., None, :]
    scaled[..., np.arange(p), np.arange(p)] += 1
    whole[..., p, :p] = deviations * (pull - moved)
    whole[..., p, p] = 1 + (whole[..., p, :p] ** 2).sum(axis=-1)
    factor = np.linalg.cholesky(whole)
    diagonal = np.diagonal(factor, axis1=-2, axis2=-1)[..., :p]
    quadratic = (factor[..., p, :p] ** 2).sum(axis=-1)
    at_means = ((pull - 0.5 * moved) * means).sum(axis=-1)
    result: np.ndarray = at_means + 0.5 * quadratic - np.log(diagonal).sum(axis=-1)
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
