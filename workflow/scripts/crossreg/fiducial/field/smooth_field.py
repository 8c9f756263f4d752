"""The shift as a smooth function of the position (z, y, x): robust, with honest uncertainty.

Each component is a sum of explicit functions (`motion_terms`) and a smooth random field over the
plane (`random_field`). What is not known of them (how large they are, the correlation length, the
scale of the measurements' noise) is averaged over a grid of choices, each weighted by its
evidence (`mixture`), so that it widens the uncertainty.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.field import motion_terms
from crossreg.fiducial.field.domain import Course, Domain, averaged_over_depth
from crossreg.fiducial.field.likelihood import Component, Likelihood, Scales, likelihood
from crossreg.fiducial.field.likely_choices import Roughness
from crossreg.fiducial.field.mixture import Mixture, mixture
from crossreg.fiducial.field.motion import SMOOTH, Deformation, LearnedMotion, Motion
from crossreg.fiducial.field.motion_terms import X_TERM, Y_TERM, Priors, Slope
from crossreg.fiducial.field.outliers import widened_variances
from crossreg.fiducial.field.random_field import (
    DeepFeatures,
    Features,
    FeaturesInColumns,
    correlation_lengths,
)
from crossreg.fiducial.field.short_features import ShortFeatures
from crossreg.fiducial.field.wave_features import WaveFeatures
from crossreg.fiducial.quantiles import medians

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
LENGTHS = (40.0, 65.0, 120.0, 250.0)
"""Its correlation lengths (px): sub-blocks of about 40 px show nothing shorter. Waves of 80 to 200
px need the shortest: with none below 60 px, 4 to 14 % of the errors were beyond 3 sigma there."""
ROUGH_LENGTHS = (100.0, 240.0)
"""Correlation lengths that do to predict where to look, and to find the outliers."""
NOISES = np.exp(np.linspace(np.log(0.35), np.log(8.0), 10))
"""Factors on the measurements' uncertainties that are averaged over."""
NOISE_PRIOR = (0.85, 0.5)
"""Median of that factor, and the standard deviation of its logarithm."""
SCALES = Scales(AMPLITUDES, NOISES, AMPLITUDE_PRIOR, NOISE_PRIOR)
RIGID_SCALES = replace(SCALES, amplitudes=np.zeros(1))
FLOOR = 0.01
"""Uncertainty (px) added to every measurement: no measurement is better than this."""
FAR = 0.15
"""Part by which the variance counts more that is larger than where sub-blocks were measured: away
from them, errors that neighbouring sub-blocks share look like a gradient. Chosen on two sets of
tuning pairs: with 0, 0.15, 0.3, 0.7 along x 0.74, 0.77, 0.79, 0.84 of 472 borrowed blocks lay
within 1 sigma in the one; of 47 in the other two and one were beyond 3 with 0 and 0.15."""
FEW_LOOKED_AT = 200
"""Measurements at most at which the variance is looked at for that."""
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
EVEN_SPREAD = 12**-0.5
"""Standard deviation of an even distribution of width 1."""
MOST_DEEP = 150
"""Features in the plane up to which it may: three times as many take 27 times as long. It is only
tried where sub-blocks scatter more than expected along y or x: of planted stacks that do not deform
so, hardly any does. Not along z: where y and x scatter, z was worse for it as often as better."""


@dataclass(frozen=True)
class SmoothField:
    """The shift as a function of the position; made by `fit`.

    `variances_zyx` (n, 3) are those of the measurements that it goes through, widened where they
    contradict their surroundings. `seen_sigma_zyx` (3,) is the typical uncertainty at them.
    `deformation` is what they show of how far the cycle deforms; None where that is not looked at.
    """

    domain: Domain
    offset_zyx: Floats
    features: tuple[AnyFeatures, ...]
    mixtures: tuple[Mixture, ...]
    variances_zyx: Floats
    seen_sigma_zyx: Floats
    deformation: Deformation | None = None

    @property
    def amplitude(self) -> float:
        """Return the larger of the standard deviations (px) of the random field along y and x."""
        return max(part.amplitude() for part in self.mixtures[1:])

    @property
    def may_change(self) -> bool:
        """Return whether the random field may change with the depth, if that is likely."""
        return any(isinstance(part, DeepFeatures) for part in self.features)

    @property
    def length(self) -> float:
        """Return the likeliest correlation length (px) of the random field along y.

        Not below those that knots over the image can follow.
        """
        along_y = self.mixtures[1]
        length = self.features[int(along_y.choices.length[along_y.weight.argmax()])].length
        return max(length, LENGTHS[0])

    def mean_over(self, points_zyx: Floats) -> tuple[Floats, Floats]:
        """Return (shift, sigma), both (n, 3), averaged over points (n, p, 3).

        Points stand for what lies around them, halfway to the next.
        """
        count, each, _ = points_zyx.shape
        places = self.domain.relative(points_zyx)
        spread = _cells(points_zyx[..., 1:]) * EVEN_SPREAD
        features = {n: self.features[n].averaged(places, spread) for n in self._used_features}
        terms = self.domain.terms(places.reshape(-1, 3)).reshape(count, each, -1).mean(axis=1)
        return self._predicted(terms, features)

    def at(self, positions_zyx: Floats) -> tuple[Floats, Floats]:
        """Return the shift and its sigma at any positions.

        Parameters
        ----------
        positions_zyx : (n, 3)
            In the reference: kept planes, px, px. Places above each other take less time.

        Returns
        -------
        shift, sigma : (n, 3)
            What is added to the position in the cycle that shows this place, global and local
            together, and its standard deviation (planes, px, px). Far from all evidence sigma
            grows to what the fitted motion may still do there.

        """
        relative = self.domain.relative(positions_zyx)
        columns_yx, column = np.unique(relative[:, 1:], axis=0, return_inverse=True)
        features = {
            n: self.features[n].in_columns(relative[:, 0], columns_yx, column)
            for n in self._used_features
        }
        return self._predicted(self.domain.terms(relative), features)

    @property
    def _used_features(self) -> list[int]:
        """Return the numbers of the kinds of random fields that are likely."""
        return sorted({int(length) for part in self.mixtures for length in part.choices.length})

    def _predicted(
        self, terms: Floats, features: dict[int, FeaturesInColumns]
    ) -> tuple[Floats, Floats]:
        parts = [part.predict(terms, features) for part in self.mixtures]
        mean, sigma = (np.column_stack(part) for part in zip(*parts, strict=True))
        far = np.maximum(sigma**2 - self.seen_sigma_zyx**2, 0)
        return mean + self.offset_zyx, np.sqrt(sigma**2 + FAR * far)

    def shift_at(self, positions_zyx: Floats) -> Floats:
        """Return the shifts (n, 3) at positions (n, 3), as `at` but without sigma: much faster."""
        relative = self.domain.relative(positions_zyx)
        weights = [part.weights_of_mean for part in self.mixtures]
        shifts = self.domain.terms(relative) @ np.column_stack([terms for terms, _ in weights])
        for length in sorted({length for _, features in weights for length in features}):
            nothing = np.zeros(self.features[length].count)
            columns = np.column_stack([features.get(length, nothing) for _, features in weights])
            shifts = shifts + self.features[length].summed(relative, columns)
        return shifts + self.offset_zyx


def fit(
    domain: Domain,
    positions_zyx: Floats,
    shifts_zyx: Floats,
    sigmas_zyx: Floats,
    pool: Executor | None = None,
    *,
    spread_zyx: Floats | None = None,
    rough: bool = False,
    motion: Motion = SMOOTH,
    with_outliers: bool = True,
    gradient_z: bool = True,
    course_z: Course | None = None,
) -> SmoothField:
    """Return the field through measurements (n, 3) at positions (n, 3) with uncertainties.

    `spread_zyx` (n, 3) are the standard deviations (planes, px) of what each measurement averages
    over: of a wave shorter than that it shows little. Without it each is taken at its position.

    Measurements that contradict their surroundings are weighed down; with `with_outliers` False
    there are none, as the uncertainties say so already. The threads of `pool`, if there is one,
    share the components of the shift. A `rough` field averages over fewer choices of the random
    field: enough to predict where to look. A rigid `motion` is one shift. Without `gradient_z` the
    shift along z does not change with the depth; `course_z` says how else it does.
    """
    many = pool.map if pool else map
    spread = np.zeros_like(positions_zyx) if spread_zyx is None else spread_zyx
    places = _Places(domain, domain.relative(positions_zyx), spread, many)
    lengths = correlation_lengths(domain.image_shape, ROUGH_LENGTHS if rough else LENGTHS)
    plain = tuple(Features.over(domain.image_shape, length) for length in lengths)
    features = places.features(plain)
    scales = RIGID_SCALES if motion.is_rigid else SCALES
    offset = medians(shifts_zyx, 0)
    components = places.components(shifts_zyx - offset, sigmas_zyx**2 + FLOOR**2)

    def priors(axis: int, other: Slope | None = None) -> Priors:
        if motion.is_rigid:
            return motion_terms.constant_prior(domain.levels)
        changes = gradient_z or axis > 0
        return motion_terms.smooth_priors(axis, domain.levels, other, gradient_z=changes)

    if with_outliers:
        # One correlation length does to find outliers.
        one = features[len(features) // 2]
        widened = many(
            lambda axis: widened_variances(components[axis], one, scales, priors(axis)), range(3)
        )
        components = [
            replace(component, variances=variances)
            for component, variances in zip(components, widened, strict=True)
        ]
    if course_z:
        components[0] = components[0].joined(
            course_z.terms(domain), course_z.away, course_z.sigma**2 + FLOOR**2
        )
    found = _Found(plain, _likelihoods(components, features, scales, many), domain.levels)
    slopes: dict[int, Slope] = {}
    shown: dict[int, Roughness] = {}
    if not (motion.is_rigid or rough):
        found = found.with_rougher(components, places)
        along_y, along_x = found.alone(1), found.alone(2)
        slopes = {1: along_x.slope(Y_TERM), 2: along_y.slope(X_TERM)}
        shown = {1: along_y.roughness(), 2: along_x.roughness()}

    def whole(axis: int, beforehand: list[Floats] | None = None) -> Mixture:
        other, shown_by_other = slopes.get(axis), shown.get(3 - axis)
        is_alone = not (motion.is_rigid or other or shown_by_other or beforehand)
        if is_alone and (gradient_z or axis > 0):
            one = found.alone(axis)
        else:
            one = mixture(found.likelihoods[axis], priors(axis, other), shown_by_other, beforehand)
        if motion.is_rigid or domain.levels == 1:
            return one
        return one.widened(motion_terms.bend_errors(one.weight @ one.mean))

    field = SmoothField(
        domain=domain,
        offset_zyx=offset,
        features=found.kinds,
        mixtures=tuple(many(whole, range(3))),
        variances_zyx=np.column_stack(
            [part.variances[: len(positions_zyx)] for part in components]
        ),
        seen_sigma_zyx=np.full(3, np.inf),
    )
    if rough or motion.is_rigid:
        return field
    # Before anything learned takes part, so that what is learned from is the cycle's own evidence.
    shown[0] = field.mixtures[0].roughness()
    field = replace(field, deformation=found.deformation(shown))
    if motion.learned:
        learned = [found.log_prior(motion.learned, axis) for axis in range(3)]
        field = replace(field, mixtures=tuple(many(whole, range(3), learned)))
    some = positions_zyx[:: -(-len(positions_zyx) // FEW_LOOKED_AT)]
    return replace(field, seen_sigma_zyx=medians(field.at(some)[1], 0))


@dataclass(frozen=True)
class _Places:
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
class _Found:
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
    ) -> "_Found":
        """Return the same with further kinds, of which all components or y and x say something."""
        first = len(self.likelihoods) - len(of_last)
        both = (one + more for one, more in zip(self.likelihoods[first:], of_last, strict=True))
        likelihoods = (*self.likelihoods[:first], *both)
        return replace(self, kinds=self.kinds + kinds, likelihoods=likelihoods)

    def with_rougher(self, components: list[Component], places: _Places) -> "_Found":
        """Return the same with kinds that measurements ask for: short ones, and deep ones.

        These are tried where measurements scatter more than their uncertainties say.
        """
        found, domain, many = self, places.domain, places.many
        noises = [self.alone(axis).noise() for axis in range(3)]
        if max(noises) > SCATTERED and len(places.relative_zyx) <= MOST_SHORT:
            short = places.short()
            there = places.features(short)
            seen = partial(_likelihoods, features=there, scales=SHORT_SCALES, many=many)
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
            found = found.with_more(deep, _likelihoods(components[1:], at_depth, SCALES, many))
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


def _cells(points_yx: Floats) -> Floats:
    """Return how far apart (n, 2) rows and columns of evenly spread points (n, p, 2) lie."""
    sizes = np.ptp(points_yx, axis=1)
    counts = [len(np.unique(along)) for along in points_yx[0].T]
    return np.asarray(sizes / np.maximum(np.array(counts) - 1, 1))


def _likelihoods(
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
