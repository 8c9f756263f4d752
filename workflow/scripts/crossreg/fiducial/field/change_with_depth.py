"""Whether the shift along y and x changes with the depth, as sub-blocks at several levels say."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.field.domain import Domain, averaged_over_depth
from crossreg.fiducial.field.likelihood import Component, likelihood
from crossreg.fiducial.field.mixture import mixture
from crossreg.fiducial.field.motion_terms import flat_priors, smooth_priors
from crossreg.fiducial.field.outliers import widened_variances
from crossreg.fiducial.field.random_field import DeepFeatures, Features
from crossreg.fiducial.field.smooth_field import FLOOR
from crossreg.fiducial.field.tried_kinds import SCALES
from crossreg.fiducial.quantiles import medians

Floats = NDArray[np.float64]


def log_odds_of_change(
    domain: Domain,
    length: float,
    positions_zyx: Floats,
    shifts_zyx: Floats,
    sigmas_zyx: Floats,
    spread_zyx: Floats,
    *,
    is_bend_known: bool = False,
) -> float:
    """Return the logarithm of how much likelier a change with the depth is than none.

    Of y and x, the larger: from n measurements as `smooth_field.fit` takes them, with a random
    field of one correlation `length` (px). With `is_bend_known`, it is a change beyond bends and
    twists, which a field through these measurements follows.
    """
    positions = domain.relative(positions_zyx)
    terms = averaged_over_depth(domain.terms, positions, spread_zyx[:, 0])
    values = shifts_zyx - medians(shifts_zyx, 0)
    variances = sigmas_zyx**2 + FLOOR**2
    plain = Features.over(domain.image_shape, length)
    flat = plain.at(positions, spread_zyx[:, 1:])
    deep = DeepFeatures(plain, domain.planes).at(positions, spread_zyx[:, 1:], spread_zyx[:, 0])
    few = SCALES.every_other

    def log_odds(axis: int) -> float:
        priors = smooth_priors(axis, domain.levels)
        measured = Component(terms, values[:, axis], variances[:, axis], domain.repeats)
        measured = replace(measured, variances=widened_variances(measured, flat, SCALES, priors))
        without, with_change = (likelihood(measured, part, few) for part in (flat, deep))
        changes = mixture((without, with_change), priors)
        before = priors if is_bend_known else flat_priors(axis, domain.levels)
        return changes.mean_log - mixture((without,), before).mean_log

    return max(log_odds(1), log_odds(2))
