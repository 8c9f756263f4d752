"""The shift as a smooth function of the position (z, y, x): robust, with honest uncertainty.

Each component is a sum of explicit functions (`motion_terms`) and a smooth random field over the
plane (`random_field`). What is not known of them (how large they are, the correlation length, the
scale of the measurements' noise) is averaged over a grid of choices, each weighted by its
evidence (`mixture`), so that it widens the uncertainty.
"""

from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.field import motion_terms
from crossreg.fiducial.field.domain import Course, Domain
from crossreg.fiducial.field.likely_choices import Roughness
from crossreg.fiducial.field.mixture import Mixture, mixture
from crossreg.fiducial.field.motion import SMOOTH, Deformation, Motion
from crossreg.fiducial.field.motion_terms import X_TERM, Y_TERM, Priors, Slope
from crossreg.fiducial.field.outliers import widened_variances
from crossreg.fiducial.field.random_field import (
    DeepFeatures,
    Features,
    FeaturesInColumns,
    correlation_lengths,
)
from crossreg.fiducial.field.tried_kinds import (
    RIGID_SCALES,
    SCALES,
    AnyFeatures,
    Places,
    TriedKinds,
    likelihoods_of,
)
from crossreg.fiducial.quantiles import medians

Floats = NDArray[np.float64]

LENGTHS = (40.0, 65.0, 120.0, 250.0)
"""Correlation lengths (px) of the random field: sub-blocks of about 40 px show nothing shorter.
Waves of 80 to 200 px need the shortest: with none below 60 px, 4 to 14 % of the errors were beyond
3 sigma there."""
ROUGH_LENGTHS = (100.0, 240.0)
"""Correlation lengths that do to predict where to look, and to find the outliers."""
FLOOR = 0.01
"""Uncertainty (px) added to every measurement: no measurement is better than this."""
FAR = 0.15
"""Part by which the variance counts more that is larger than where sub-blocks were measured: away
from them, errors that neighbouring sub-blocks share look like a gradient. Chosen on two sets of
tuning pairs: with 0, 0.15, 0.3, 0.7 along x 0.74, 0.77, 0.79, 0.84 of 472 borrowed blocks lay
within 1 sigma in the one; of 47 in the other two and one were beyond 3 with 0 and 0.15."""
FEW_LOOKED_AT = 200
"""Measurements at most at which the variance is looked at for that."""
EVEN_SPREAD = 12**-0.5
"""Standard deviation of an even distribution of width 1."""


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
    places = Places(domain, domain.relative(positions_zyx), spread, many)
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
    found = TriedKinds(plain, likelihoods_of(components, features, scales, many), domain.levels)
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


def _cells(points_yx: Floats) -> Floats:
    """Return how far apart (n, 2) rows and columns of evenly spread points (n, p, 2) lie."""
    sizes = np.ptp(points_yx, axis=1)
    counts = [len(np.unique(along)) for along in points_yx[0].T]
    return np.asarray(sizes / np.maximum(np.array(counts) - 1, 1))
