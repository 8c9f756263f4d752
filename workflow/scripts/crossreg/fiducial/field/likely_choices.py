"""Which choices of the random field, the noise and the priors are likely, by their evidence.

Not all pairs of fields and priors are compared: the best of the one are looked for with some of the
other first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.even_choice import evenly_chosen
from crossreg.fiducial.field.explicit_weights import log_evidence, most_evidence, without_first
from crossreg.fiducial.field.likelihood import Likelihood
from crossreg.fiducial.field.motion_terms import Priors

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

LEAST_LOG_WEIGHT = -5.0
"""Logarithm of the weight, relative to the best, below which a choice is left out."""
MOST_FIELDS, MOST_PRIORS = 20, 24
"""Choices of the random field and its noise, and of priors, that are averaged over at most."""
UNLIKE = 0.02
"""Weight of a size and correlation length of the random field that the other component denies: the
two components need not deform alike."""
PROBED_FIELDS, PROBED_PRIORS = 4, 10
"""Best choices of the one with which all choices of the other are compared first."""
HOPEFUL = 12.0
"""Logarithm of the weight, relative to the best with few of the priors, up to which a choice of the
random field may be likely with others."""
LITTLE = 50_000
"""Numbers in the matrices of all pairs of choices up to which all are compared at once. Of more,
first what each of the random field could reach at most is computed, and nine of ten are left out.
"""
MARGIN = 0.5
"""By how much (logarithm) what a choice could reach at most may be too low."""


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
class Choices:
    """What is likely of h choices of the random field and its noise, and of g priors.

    Attributes
    ----------
    likelihoods : of each correlation length; their choices, one after the other, are the h choices.
    length, choice : (k,) number of the likelihood, and the choice in it, of the likely ones,
        the likeliest first.
    prior : (m,) numbers of the likely priors.
    log : (k, m) logarithms of how likely each pair is.
    count : pairs of a choice and a prior that there are.

    """

    likelihoods: tuple[Likelihood, ...]
    length: Numbers
    choice: Numbers
    prior: Numbers
    log: Floats
    count: int

    @property
    def best_prior(self) -> int:
        """Return the number of the prior of the likeliest pair."""
        return int(self.prior[np.unravel_index(self.log.argmax(), self.log.shape)[1]])

    def by_length(self) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Yield the number of each likelihood that takes part, and which choices (k,) are its."""
        for length in sorted(set(self.length.tolist())):
            yield length, self.length == length

    def values(self, name: str) -> Floats:
        """Return what the likelihoods have, by name, for each of the likely choices: (k, ...)."""
        pairs = zip(self.length.tolist(), self.choice.tolist(), strict=True)
        return np.array([getattr(self.likelihoods[n], name)[choice] for n, choice in pairs])


def likely_choices(
    likelihoods: tuple[Likelihood, ...],
    priors: Priors,
    roughness: Roughness | None = None,
    beforehand: Sequence[Floats] | None = None,
) -> Choices:
    """Return the likely choices of the random field, the noise and the priors.

    `roughness` is what another component says of the random field, `beforehand` the
    logarithms of how likely the amplitudes (a,) of each correlation length are.
    """
    length = np.repeat(np.arange(len(likelihoods)), [len(part.log) for part in likelihoods])
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
    gain, precision, pull = without_first(precision, pull, float(priors.deviations[0, 0]))
    fields, chosen, joint = _compared(log + gain, precision, pull, priors)
    count = len(log) * len(priors.log_weights)
    return Choices(likelihoods, length[fields], choice[fields], chosen, joint, count)


def _compared(
    log: Floats, precision: Floats, pull: Floats, priors: Priors
) -> tuple[Numbers, Numbers, Floats]:
    """Return the numbers (k,) of the likely ones of h likelihoods, and (m,) of those of the priors.

    And the logarithms (k, m) of how likely each pair is. `log` (h,), `precision` (h, p, p) and
    `pull` (h, p) are those of all weights but the constant.
    """

    def parts(fields: Numbers, chosen: Numbers) -> tuple[Floats, Floats, Floats, Floats]:
        means, deviations = priors.means[chosen, 1:], priors.deviations[chosen, 1:]
        return precision[fields], pull[fields], means, deviations

    def computed(fields: Numbers, chosen: Numbers) -> Floats:
        gain = log_evidence(*parts(fields, chosen))
        return log[fields][:, None] + gain + priors.log_weights[chosen]

    fields, every = np.arange(len(log)), np.arange(len(priors.log_weights))
    chosen = evenly_chosen(len(every), PROBED_PRIORS)
    is_little = len(fields) * len(every) * precision[0].size < LITTLE
    whole = computed(fields, every) if is_little else None

    def scores(fields: Numbers, chosen: Numbers) -> Floats:
        return computed(fields, chosen) if whole is None else whole[fields[:, None], chosen]

    if whole is None:
        most = log + most_evidence(*parts(fields, chosen)) + priors.log_weights[chosen].max()
        surest = np.argsort(-most)[:PROBED_FIELDS]
        fields = np.flatnonzero(most > scores(surest, chosen).max() - HOPEFUL - MARGIN)
    first = scores(fields, chosen).max(axis=1)
    best = fields[_best(first, PROBED_FIELDS)]
    chosen = _best(scores(best, every).max(axis=0), MOST_PRIORS)
    fields = fields[first > first.max() - HOPEFUL]
    fields = fields[_best(scores(fields, chosen[:PROBED_PRIORS]).max(axis=1), MOST_FIELDS)]
    return fields, chosen, scores(fields, chosen)


def _best(scores: Floats, most: int) -> Numbers:
    """Return the numbers of the likely ones, best first, `most` of them at most."""
    order = np.argsort(-scores, kind="stable")[:most]
    result: np.ndarray = order[scores[order] > scores[order[0]] + LEAST_LOG_WEIGHT]
    return result
