"""Measurements that contradict their surroundings count less."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.field.explicit_weights import posterior
from crossreg.fiducial.field.likelihood import Component, Scales, likelihood
from crossreg.fiducial.field.mixture import Choice, likeliest
from crossreg.fiducial.field.motion_terms import Priors

Floats = NDArray[np.float64]

OUTLIER = 2.0
"""Standardised residual from which on a measurement counts less."""
HOPELESS = 5.0
"""Standardised residual from which on a measurement does not count at all."""
IGNORED = 1e6
"""Factor on the variance of a measurement that does not count."""
ROUGH_FITS = 2
"""Times that outliers are looked for: the noise that they feign in the first fit hides some."""
ROUNDS = 4
"""Rounds of weighing down outliers at most."""
SETTLED = 0.1
"""Change of the logarithm of the factors on the variances below which no further round is made."""
FEW_PRIORS = 9
"""Choices of priors among which outliers are looked for."""


@dataclass(frozen=True)
class Weighed:
    """Features (n, q) of a random field of variance 1, weighed by n measurements' variances.

    `normal` (q, q) is their weighted normal matrix.
    """

    features: Floats
    variances: Floats
    normal: Floats

    @classmethod
    def by(cls, features: Floats, variances: Floats) -> "Weighed":
        """Return features (n, q) weighed by variances (n,) (px squared)."""
        scaled = features / np.sqrt(variances)[:, None]
        return cls(features, variances, scaled.T @ scaled)

    def anew(self, variances: Floats) -> "Weighed":
        """Return the same features weighed by other variances: fast where few of them differ."""
        changed = np.flatnonzero(variances != self.variances)
        if 2 * len(changed) > len(variances):
            return self.by(self.features, variances)
        part = self.features[changed]
        more = 1 / variances[changed] - 1 / self.variances[changed]
        return Weighed(self.features, variances, self.normal + part.T @ (part * more[:, None]))


def widened_variances(
    measured: Component, features: Floats, scales: Scales, priors: Priors
) -> Floats:
    """Return the variances (n,) of a component, larger where measurements contradict others.

    `features` (n, q) are those of a random field of variance 1.
    """
    plain = Weighed.by(features, measured.variances)
    used, few_scales, few_priors = plain, scales.every_other, priors.spread(FEW_PRIORS)
    for _ in range(ROUGH_FITS):
        seen = likelihood(replace(measured, variances=used.variances), features, few_scales)
        used = _weighed_down(likeliest((seen,), few_priors), measured, plain)
    return used.variances


def _weighed_down(choice: Choice, measured: Component, plain: Weighed) -> Weighed:
    """Return the features with larger variances for what contradicts its surroundings.

    Each measurement is compared with its prediction from all others, with the parameters of a
    choice; repeated, because one outlier can hide another.
    """
    used = plain
    for _ in range(ROUNDS):
        mean, sigma = _smoothed(choice, measured, used)
        left_out = np.maximum(1 - sigma**2 / (used.variances * choice.noise**2), 1e-6)
        spread = sigma**2 / left_out + plain.variances * choice.noise**2
        residual = np.abs(measured.values - mean) / left_out / np.sqrt(spread)
        inflation = np.maximum(1.0, (residual / OUTLIER) ** 2)
        inflation[residual > HOPELESS] = IGNORED
        before, used = used, plain.anew(plain.variances * inflation)
        if np.abs(np.log(used.variances / before.variances)).max() < SETTLED:
            break
    return used


def _smoothed(choice: Choice, measured: Component, weighed: Weighed) -> tuple[Floats, Floats]:
    """Return (mean, sigma), both (n,), of what n measurements show, with variances of `weighed`.

    The same as a mixture of this one choice predicts there, without eigenvectors.
    """
    noise = measured.repeats * choice.noise**2
    counted = weighed.variances * noise
    features, normal = weighed.features, weighed.normal / noise
    size = len(normal)
    known = choice.amplitude**2 * np.linalg.inv(np.eye(size) + choice.amplitude**2 * normal)
    both = np.column_stack([measured.terms, measured.values])
    weighted = both / counted[:, None]
    rest = both - features @ (known @ (features.T @ weighted))
    rest_of_terms, rest_of_values = rest[:, :-1], rest[:, -1]
    precision, pull = (rest_of_terms.T @ weighted)[:, :-1], rest_of_terms.T @ weighted[:, -1]
    mean, covariance = posterior(precision, pull, choice.mean, choice.deviation)
    # A sum of squares needs no more than single precision, which takes half the time.
    single = features.astype(np.float32)
    variance = ((single @ known.astype(np.float32)) * single).sum(axis=1).astype(float)
    variance += ((rest_of_terms @ covariance) * rest_of_terms).sum(axis=1)
    return rest_of_terms @ mean + measured.values - rest_of_values, np.sqrt(variance)
