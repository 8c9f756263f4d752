"""The shift as a smooth function of the position (z, y, x): robust, with honest uncertainty.

Each component is a sum of explicit functions (`motion_terms`) and a smooth random field over the
plane (`random_field`). What is not known of them (how large they are, the correlation length, the
scale of the measurements' noise) is averaged over a grid of choices, each weighted by its
evidence (`regression`), so that it widens the uncertainty.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from crossreg.fiducial.field import motion_terms
from crossreg.fiducial.field.motion import SMOOTH, Deformation, LearnedMotion, Motion
from crossreg.fiducial.field.motion_terms import X_TERM, Y_TERM, Priors, Slope
from crossreg.fiducial.field.random_field import (
    DeepFeatures,
    Features,
    FeaturesInColumns,
    correlation_lengths,
)
from crossreg.fiducial.field.regression import (
    Floats,
    Likelihood,
    Mixture,
    Roughness,
    Weighed,
    likelihood,
    mixture,
)
from crossreg.fiducial.quantiles import medians

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
FLOOR = 0.01
"""Uncertainty (px) added to every measurement: no measurement is better than this."""
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
FAR = 0.15
"""Part by which the variance counts more that is larger than where sub-blocks were measured: away
from them, errors that neighbouring sub-blocks share look like a gradient. Chosen on two sets of
tuning pairs: with 0, 0.15, 0.3, 0.7 along x 0.74, 0.77, 0.79, 0.84 of 472 borrowed blocks lay
within 1 sigma in the one; of 47 in the other two and one were beyond 3 with 0 and 0.15."""
FEW_LOOKED_AT = 200
"""Measurements at most at which the variance is looked at for that."""
DEEP = 6
"""Planes from which on the random field may change with the depth."""
MOST_DEEP = 150
"""Features in the plane up to which it may: three times as many take 27 times as long. It is only
tried where sub-blocks scatter more than expected along y or x: of planted stacks that do not deform
so, hardly any does. Not along z: where y and x scatter, z was worse for it as often as better."""
FEW_PRIORS = 9
"""Choices of priors among which outliers are looked for."""


@dataclass(frozen=True)
class Domain:
    """Where the field lives.

    Attributes
    ----------
    image_shape : (Y, X) in px.
    planes : planes of the stack.
    levels : depths at which sub-blocks are measured.
    repeats : how often a plane counts: more than once where the levels overlap.

    """

    image_shape: tuple[int, int]
    planes: int
    levels: int = 1
    repeats: float = 1.0

    @property
    def middle_plane(self) -> float:
        """Return the plane in the middle of the stack."""
        return (self.planes - 1) / 2

    @property
    def middle_zyx(self) -> Floats:
        """Return the middle (3,) of the stack: plane, px, px."""
        return np.asarray((np.array([self.planes, *self.image_shape]) - 1) / 2)

    def relative(self, positions_zyx: Floats) -> Floats:
        """Return positions (n, 3) relative to the middle; z in planes, y and x in px."""
        return positions_zyx - self.middle_zyx

    def terms(self, relative_zyx: Floats) -> Floats:
        """Return the explicit functions (n, p) at positions (n, 3) relative to the middle."""
        return motion_terms.terms(relative_zyx, self.planes, self.levels)


@dataclass(frozen=True)
class SmoothField:
    """The shift as a function of the position; made by `fit`.

    `variances_zyx` (n, 3) are those of the measurements that it goes through, widened where they
    contradict their surroundings. `seen_sigma_zyx` (3,) is the typical uncertainty at them.
    `deformation` is what they show of how far the cycle deforms; None where that is not looked at.
    """

    domain: Domain
    offset_zyx: Floats
    features: tuple[Features | DeepFeatures, ...]
    mixtures: tuple[Mixture, ...]
    variances_zyx: Floats
    seen_sigma_zyx: Floats
    deformation: Deformation | None = None

    def mean_over(self, points_zyx: Floats) -> tuple[Floats, Floats]:
        """Return (shift, sigma), both (n, 3), averaged over points (n, p, 3)."""
        count, each, _ = points_zyx.shape
        flat = self.domain.relative(points_zyx.reshape(-1, 3))

        def averaged(rows: Floats) -> Floats:
            result: np.ndarray = rows.reshape(count, each, rows.shape[-1]).mean(axis=1)
            return result

        features = {
            n: FeaturesInColumns.of(averaged(self.features[n].at(flat)))
            for n in self._used_features
        }
        return self._predicted(averaged(self.domain.terms(flat)), features)

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
        return sorted({int(length) for part in self.mixtures for length in part.length})

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
        weights = [part.weights_of_mean() for part in self.mixtures]
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
    depth_spread: Floats | None = None,
    rough: bool = False,
    motion: Motion = SMOOTH,
    with_outliers: bool = True,
    gradient_z: bool = True,
) -> SmoothField:
    """Return the field through measurements (n, 3) at positions (n, 3) with uncertainties.

    `depth_spread` (n,) is the standard deviation (planes) of the depths that each measurement
    averages over; without it each is taken at its position.

    Measurements that contradict their surroundings are weighed down, unless the uncertainties say
    so already and there are none `with_outliers`. The threads of `pool`, if
    there is one, share the components of the shift. A `rough` field averages over fewer choices
    of the random field: enough to predict where to look. A `rigid` motion is one shift. Without
    `gradient_z` the shift along z does not change with the depth.
    """
    positions = domain.relative(positions_zyx)
    lengths = correlation_lengths(domain.image_shape, ROUGH_LENGTHS if rough else LENGTHS)
    plain = tuple(Features.over(domain.image_shape, length) for length in lengths)
    offset = medians(shifts_zyx, 0)
    many = pool.map if pool else map
    data = _Measured(
        terms=_averaged(domain.terms, positions, depth_spread),
        features=tuple(many(lambda part: part.at(positions), plain)),
        values=(shifts_zyx - offset).T,
        variances=sigmas_zyx.T**2 + FLOOR**2,
        amplitudes=np.zeros(1) if motion.is_rigid else AMPLITUDES,
        repeats=domain.repeats,
    )

    def priors(axis: int, other: Slope | None = None) -> Priors:
        if motion.is_rigid:
            return motion_terms.constant_prior(domain.levels)
        changes = gradient_z or axis > 0
        return motion_terms.smooth_priors(axis, domain.levels, other, gradient_z=changes)

    if with_outliers:
        weighed = many(lambda axis: data.without_outliers(axis, priors(axis)), range(3))
        data = replace(data, variances=np.array(list(weighed)))
    found = _Found(plain, data.likelihoods(data.features, (0, 1, 2), many))
    slopes: dict[int, Slope] = {}
    shown: dict[int, Roughness] = {}
    if not (motion.is_rigid or rough):
        along_y, along_x = found.alone(1, domain), found.alone(2, domain)
        if domain.planes >= DEEP and max(along_y.noise(), along_x.noise()) > NOISE_PRIOR[0]:
            deep = tuple(DeepFeatures(p, domain.planes) for p in plain if p.count <= MOST_DEEP)
            at_depth = many(lambda part: _averaged(part.at, positions, depth_spread), deep)
            found = found.with_more(deep, data.likelihoods(tuple(at_depth), (1, 2), many))
            along_y, along_x = found.alone(1, domain), found.alone(2, domain)
        slopes = {1: along_x.slope(Y_TERM), 2: along_y.slope(X_TERM)}
        shown = {1: along_y.roughness(), 2: along_x.roughness()}

    def whole(axis: int, beforehand: Floats | None = None) -> Mixture:
        other, shown_by_other = slopes.get(axis), shown.get(3 - axis)
        one = mixture(found.likelihoods[axis], priors(axis, other), shown_by_other, beforehand)
        if motion.is_rigid or domain.levels == 1:
            return one
        return one.widened(motion_terms.bend_errors(one.weight @ one.mean))

    field = SmoothField(
        domain=domain,
        offset_zyx=offset,
        features=found.kinds,
        mixtures=tuple(many(whole, range(3))),
        variances_zyx=data.variances.T,
        seen_sigma_zyx=np.full(3, np.inf),
    )
    if rough or motion.is_rigid:
        return field
    # Before anything learned takes part, so that what is learned from is the cycle's own evidence.
    shown[0] = field.mixtures[0].roughness()
    field = replace(field, deformation=found.deformation(lengths, shown))
    if motion.learned:
        learned = [found.log_prior(motion.learned, axis, lengths) for axis in range(3)]
        field = replace(field, mixtures=tuple(many(whole, range(3), learned)))
    some = positions_zyx[:: -(-len(positions_zyx) // FEW_LOOKED_AT)]
    return replace(field, seen_sigma_zyx=medians(field.at(some)[1], 0))


@dataclass(frozen=True)
class _Found:
    """What measurements say of the components, with each of some kinds of the random field.

    `likelihoods` are those of the components along z, y, x; of one of them, there may be none with
    the last kinds.
    """

    kinds: tuple[Features | DeepFeatures, ...]
    likelihoods: tuple[tuple[Likelihood, ...], ...]

    def with_more(
        self, kinds: tuple[DeepFeatures, ...], of_yx: tuple[tuple[Likelihood, ...], ...]
    ) -> "_Found":
        """Return the same with further kinds, of which y and x say something."""
        along_z, *others = self.likelihoods
        both = (one + more for one, more in zip(others, of_yx, strict=True))
        return _Found(self.kinds + kinds, (along_z, *both))

    def alone(self, axis: int, domain: Domain) -> Mixture:
        """Return the posterior of a component by itself."""
        return mixture(self.likelihoods[axis], motion_terms.smooth_priors(axis, domain.levels))

    def deformation(self, lengths: list[float], shown: dict[int, Roughness]) -> Deformation:
        """Return how likely each size is that the components have `shown`."""
        rows = self._rows(lengths)
        weights = [shown[axis].table(rows, AMPLITUDES) for axis in range(3)]
        return Deformation(np.array(lengths), AMPLITUDES, np.stack(weights))

    def log_prior(self, learned: LearnedMotion, axis: int, lengths: list[float]) -> Floats:
        """Return the logarithm (l, a) of how likely each size is by what was learned."""
        rows = self._rows(lengths)[: len(self.likelihoods[axis])]
        return learned.log_prior(axis, lengths, AMPLITUDES)[rows]

    def _rows(self, lengths: list[float]) -> list[int]:
        """Return the number of each kind's correlation length."""
        return [lengths.index(kind.length) for kind in self.kinds]


@dataclass(frozen=True)
class _Measured:
    """Terms (n, p) and features (n, q) by correlation length at the n measurements.

    `values` and `variances` (3, n) are theirs along z, y, x.
    """

    terms: Floats
    features: tuple[Floats, ...]
    values: Floats
    variances: Floats
    amplitudes: Floats
    repeats: float

    def without_outliers(self, axis: int, priors: Priors) -> Floats:
        """Return the variances (n,) along an axis, larger for values that contradict others."""
        # One correlation length does to find outliers.
        plain = Weighed.by(self.features[len(self.features) // 2], self.variances[axis])
        used, few, values = plain, priors.spread(FEW_PRIORS), self.values[axis]
        for _ in range(ROUGH_FITS):
            found = self._likelihood(
                used.features, used.variances, values, self.amplitudes[::2], NOISES[::2]
            )
            used = self._weighed_down(mixture((found,), few), values, plain)
        return used.variances

    def likelihoods(
        self,
        features: tuple[Floats, ...],
        axes: tuple[int, ...],
        many: Callable[..., Iterable[Likelihood]],
    ) -> tuple[tuple[Likelihood, ...], ...]:
        """Return what some components say with each of some features (n, q)."""

        def of(number: int) -> Likelihood:
            kind, place = divmod(number, len(axes))
            axis = axes[place]
            return self._likelihood(
                features[kind], self.variances[axis], self.values[axis], self.amplitudes, NOISES
            )

        # Each correlation length by itself, so that more than three threads find work.
        found = tuple(many(of, range(len(axes) * len(features))))
        return tuple(found[place :: len(axes)] for place in range(len(axes)))

    def _likelihood(
        self,
        features: Floats,
        variances: Floats,
        values: Floats,
        amplitudes: Floats,
        noises: Floats,
    ) -> Likelihood:
        return likelihood(
            features,
            variances,
            self.terms,
            values,
            amplitudes,
            noises,
            AMPLITUDE_PRIOR,
            NOISE_PRIOR,
            self.repeats,
        )

    def _weighed_down(self, found: Mixture, values: Floats, plain: Weighed) -> Weighed:
        """Return the features with larger variances for what contradicts its surroundings.

        Each measurement is compared with its prediction from all others, with the parameters that
        `found` thinks likeliest; repeated, because one outlier can hide another.
        """
        choice, used = found.likeliest(), plain
        for _ in range(ROUNDS):
            mean, sigma = choice.smoothed(used, self.terms, values, self.repeats)
            left_out = np.maximum(1 - sigma**2 / (used.variances * choice.noise**2), 1e-6)
            spread = sigma**2 / left_out + plain.variances * choice.noise**2
            residual = np.abs(values - mean) / left_out / np.sqrt(spread)
            inflation = np.maximum(1.0, (residual / OUTLIER) ** 2)
            inflation[residual > HOPELESS] = IGNORED
            before, used = used, plain.anew(plain.variances * inflation)
            if np.abs(np.log(used.variances / before.variances)).max() < SETTLED:
                break
        return used


def _averaged(
    function: Callable[[Floats], Floats], positions: Floats, depth_spread: Floats | None
) -> Floats:
    """Return a function (n, p) of positions (n, 3), its mean over the depths that each stands for.

    `depth_spread` (n,) is their standard deviation (planes).
    """
    if depth_spread is None:
        return function(positions)
    away = np.column_stack([depth_spread, np.zeros((len(positions), 2))])
    above, below = (function(positions + side * away) for side in (1, -1))
    return (above + below) / 2
