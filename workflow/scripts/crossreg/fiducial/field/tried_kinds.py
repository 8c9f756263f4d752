"""What measurements say of a shift, with each kind of random field that is tried.

Smooth fields of some correlation lengths are always tried; short ones, waves, and fields that
change with the depth only where measurements scatter more than their uncertainties say.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.field import motion_terms
from crossreg.fiducial.field.domain import Domain, averaged_over_depth
from crossreg.fiducial.field.likelihood import Component, Likelihood, Scales, likelihood
from crossreg.fiducial.field.likely_choices import Roughness
from crossreg.fiducial.field.mixture import Mixture, mixture
from crossreg.fiducial.field.motion import Deformation, LearnedMotion
from crossreg.fiducial.field.random_field import DeepFeatures, Features
from crossreg.fiducial.field.short_features import ShortFeatures
from crossreg.fiducial.field.wave_features import WaveFeatures

Floats = NDArray[np.float64]
AnyFeatures = Features | WaveFeatures | ShortFeatures | DeepFeatures

AMPLITUDES = np.array([0.0, 0.03, 0.08, 0.2, 0.5, 1.2, 3.0])
"""Standard deviations (px) of the random field that are averaged over."""
AMPLITUDE_PRIOR = (0.5, 1.5)
"""Median (px) of that standard deviation, and the standard deviation of its logarithm. Where all
were as likely, structure in a small part of the image looked like a gradient, or at rest, and
what is far from it came out too sure: of 893 borrowed blocks of 147 planted pairs (beads,
filaments, real volumes; half a field without structure, islands, holes) 2 to 5 % were beyond 3
sigma, and now 1.5 % are. A narrower one leaves 1 %, but makes more of the noise of faint spots."""
NOISES = np.exp(np.linspace(np.log(0.35), np.log(8.0), 10))
"""Factors on the measurements' uncertainties that are averaged over."""
NOISE_PRIOR = (0.85, 0.5)
"""Median of that factor, and the standard deviation of its logarithm."""
SCALES = Scales(AMPLITUDES, NOISES, AMPLITUDE_PRIOR, NOISE_PRIOR)
RIGID_SCALES = replace(SCALES, amplitudes=np.zeros(1))
DEEP = 6
"""Planes from which on the random field may change with the depth."""
SHORT_LENGTHS = (8.0, 16.0)
"""Further correlation lengths (px), tried where sub-blocks scatter more than expected. Sub-blocks
hardly follow them, but sigma between the sub-blocks holds them."""
WAVES = ((38.0, 70.0), (60.0, 125.0))
"""Lengths (px) of the waves, from and to, that are tried with them: on sub-blocks side by side a
wave looks like noise, or smooth, and no decaying covariance says otherwise. Of 27 pairs with one
wave of 50 to 90 px, 19 were beyond 3 sigma in places, with the short lengths alone 1, with waves
none."""
SHORT_SCALES = replace(SCALES, amplitudes=np.array([0.08, 0.125, 0.2, 0.32, 0.5, 0.77, 1.2, 1.9]))
"""Sizes of both: finer steps than for longer ones. What is too large or too small by a factor of
1.6 is as unlikely here as noise beyond what was expected: with steps of 2.5, 5 of the 27 were."""
SCATTERED = 1.0
"""Factor on the uncertainties from which on sub-blocks scatter so."""
NEGLIGIBLE = 0.05
"""How likely they are in that which scatters most, up to which they are left out again."""
MOST_SHORT = 600
"""Measurements up to which these are tried: the work grows with the third power of them."""
MOST_DEEP = 150
"""Features in the plane up to which it may: three times as many take 27 times as long. It is only
tried where sub-blocks scatter more than expected along y or x: of planted stacks that do not deform
so, hardly any does. Not along z: where y and x scatter, z was worse for it as often as better."""


@dataclass(frozen=True)
class Places:
    """Where n measurements lie in a domain: relative to its middle, and how spread, both (n, 3).

    `many` is `map`, or that of a pool whose threads share the work.
    """

    domain: Domain
    relative_zyx: Floats
    spread_zyx: Floats
    many: Callable[..., Iterable[Any]]

    def components(self, shifts_zyx: Floats, variances_zyx: Floats) -> list[Component]:
        """Return what measurements (n, 3) with variances (n, 3) show of each component."""
        terms = averaged_over_depth(self.domain.terms, self.relative_zyx, self.spread_zyx[:, 0])
        return [
            Component(terms, shifts_zyx[:, axis], variances_zyx[:, axis], self.domain.repeats)
            for axis in range(3)
        ]

    def features(self, kinds: Sequence[AnyFeatures]) -> list[Floats]:
        """Return the features (n, q) of some kinds of the random field."""
        spread_yx = self.spread_zyx[:, 1:]
        return list(self.many(lambda kind: kind.at(self.relative_zyx, spread_yx), kinds))

    def deep_features(self, kinds: Sequence[DeepFeatures]) -> list[Floats]:
        """Return the same of kinds that change with the depth."""
        z, yx = self.spread_zyx[:, 0], self.spread_zyx[:, 1:]
        return list(self.many(lambda kind: kind.at(self.relative_zyx, yx, z), kinds))

    def short(self) -> tuple[AnyFeatures, ...]:
        """Return what is tried beside smooth fields where sub-blocks scatter more than expected."""
        waves = (WaveFeatures.over(self.domain.image_shape, *lengths) for lengths in WAVES)
        of_length = partial(ShortFeatures.of, self.relative_zyx, self.spread_zyx[:, 1:])
        return *waves, *self.many(of_length, SHORT_LENGTHS)


@dataclass(frozen=True)
class TriedKinds:
    """What measurements say of the components, with each of some kinds of the random field.

    `likelihoods` are those of the components along z, y, x; of one of them, there may be none with
    the last kinds. `levels` are those of sub-blocks, `known` the posteriors that were asked for.
    """

    kinds: tuple[AnyFeatures, ...]
    likelihoods: tuple[tuple[Likelihood, ...], ...]
    levels: int
    known: dict[int, Mixture] = dataclasses.field(default_factory=dict)

    def with_more(
        self, kinds: tuple[AnyFeatures, ...], of_last: tuple[tuple[Likelihood, ...], ...]
    ) -> "TriedKinds":
        """Return the same with further kinds, of which all components or y and x say something."""
        first = len(self.likelihoods) - len(of_last)
        both = (one + more for one, more in zip(self.likelihoods[first:], of_last, strict=True))
        likelihoods = (*self.likelihoods[:first], *both)
        return replace(self, kinds=self.kinds + kinds, likelihoods=likelihoods)

    def with_rougher(self, components: list[Component], places: Places) -> "TriedKinds":
        """Return the same with kinds that measurements ask for: short ones, and deep ones.

        These are tried where measurements scatter more than their uncertainties say.
        """
        found, domain, many = self, places.domain, places.many
        noises = [self.alone(axis).noise() for axis in range(3)]
        if max(noises) > SCATTERED and len(places.relative_zyx) <= MOST_SHORT:
            short = places.short()
            there = places.features(short)
            seen = partial(likelihoods_of, features=there, scales=SHORT_SCALES, many=many)
            # Where that which scatters most does not ask for them, nothing does.
            most = int(np.argmax(noises))
            first = seen(components[most : most + 1])
            if self.likely_share(most, first[0]) > NEGLIGIBLE:
                others = seen([components[axis] for axis in range(3) if axis != most])
                found = self.with_more(short, (*others[:most], *first, *others[most:]))
        if domain.planes >= DEEP and (max(noises[1:]) > NOISE_PRIOR[0] or domain.may_change):
            plain = [kind for kind in self.kinds if isinstance(kind, Features)]
            deep = tuple(DeepFeatures(k, domain.planes) for k in plain if k.count <= MOST_DEEP)
            at_depth = places.deep_features(deep)
            found = found.with_more(deep, likelihoods_of(components[1:], at_depth, SCALES, many))
        return found

    def alone(self, axis: int) -> Mixture:
        """Return the posterior of a component by itself."""
        likelihoods = self.likelihoods[axis]
        if axis not in self.known or self.known[axis].choices.likelihoods is not likelihoods:
            priors = motion_terms.smooth_priors(axis, self.levels)
            self.known[axis] = mixture(likelihoods, priors)
        return self.known[axis]

    def likely_share(self, axis: int, more: tuple[Likelihood, ...]) -> float:
        """Return how likely, for a component, one of `more` kinds is, of which it says that."""
        every = self.likelihoods[axis] + more
        found = mixture(every, motion_terms.smooth_priors(axis, self.levels))
        return float(found.weight[found.choices.length >= len(self.kinds)].sum())

    def deformation(self, shown: dict[int, Roughness]) -> Deformation:
        """Return how likely each size is that the components have `shown`."""
        weights = [shown[axis].table(self._rows, AMPLITUDES) for axis in range(3)]
        return Deformation(np.array(self._lengths), AMPLITUDES, np.stack(weights))

    def log_prior(self, learned: LearnedMotion, axis: int) -> list[Floats]:
        """Return the logarithms (a,) of how likely each kind's sizes are by what was learned."""
        return [
            learned.log_prior(axis, self._lengths, np.unique(part.amplitude))[row]
            for row, part in zip(self._rows, self.likelihoods[axis], strict=False)
        ]

    @property
    def _lengths(self) -> list[float]:
        """Return the correlation lengths (px) of all kinds, each of them once."""
        return list(dict.fromkeys(kind.length for kind in self.kinds))

    @property
    def _rows(self) -> list[int]:
        """Return the number of each kind's correlation length."""
        return [self._lengths.index(kind.length) for kind in self.kinds]


def likelihoods_of(
    components: list[Component],
    features: list[Floats],
    scales: Scales,
    many: Callable[..., Iterable[Likelihood]],
) -> tuple[tuple[Likelihood, ...], ...]:
    """Return what each component's measurements say with each of some features (n, q)."""
    # Each correlation length by itself, so that more than three threads find work.
    pairs = [(component, part) for part in features for component in components]
    found = tuple(many(lambda pair: likelihood(pair[0], pair[0].padded(pair[1]), scales), pairs))
    return tuple(found[place :: len(components)] for place in range(len(components)))
