"""A smooth model of the shift over the image: robust, with honest uncertainty.

Each component of the shift is a constant plus gradients plus a smooth random field (a Gaussian
process with squared-exponential covariance; Rasmussen and Williams 2006, chapters 2 and 5).
The field is written as a weighted sum of features with weights of standard normal prior, so
that everything is Bayesian linear regression. Size and smoothness of the random field and the
scale of the measurements' noise are averaged over a grid, weighted by their evidence: what is
not known about them widens the uncertainty.
"""

from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

CONSTANT_PRIOR = 100.0
"""Standard deviation (px) of the constant around the median of the measurements."""
GRADIENT_PRIOR = 0.1
"""Standard deviation (px per px) of the gradients in the plane: 3 degrees are 0.05."""
Z_GRADIENT_PRIOR = (0.05, 0.005, 0.005)
"""Standard deviation (px per plane) of the gradients along z: a scale of 5 % for the z shift."""
AMPLITUDES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Standard deviations (px) of the random field that are averaged over."""
LENGTHS = (1.5, 2.1, 4.0)
"""Its correlation lengths (blocks); smoothing by a Gaussian of 1.5 blocks gives 2.1."""
NOISES = np.exp(np.linspace(np.log(0.35), np.log(8.0), 10))
"""Factors on the measurements' uncertainties that are averaged over."""
NOISE_PRIOR = (0.85, 0.5)
"""Median of that factor, and the standard deviation of its logarithm."""
FLOOR = 0.01
"""Uncertainty (px) added to every measurement: no measurement is better than this."""
MOST_KNOTS = 12
"""Knots of the random field along an axis at most: bounds the cost on large grids."""
SMALLEST_FEATURE = 1e-6
"""Variance, relative to the largest, below which a feature of the random field is dropped."""
OUTLIER = 2.0
"""Standardised residual from which on a measurement counts less."""
HOPELESS = 5.0
"""Standardised residual from which on a measurement does not count at all."""
IGNORED = 1e6
"""Factor on the variance of a measurement that does not count."""
ROUGH_STEP = 2
"""Every so many amplitudes and lengths are tried to find the outliers."""
ROUGH_FITS = 2
"""Times that they are: the noise that outliers feign in the first fit hides some of them."""
ROUNDS = 4
"""Rounds of fitting and weighing down outliers."""
LEAST_WEIGHT = 1e-3
"""Weight, relative to the best, below which a choice of parameters is left out."""


@dataclass(frozen=True)
class Domain:
    """Where the field lives: the image (Y, X) in px, the block's edge, the middle plane."""

    image_shape: tuple[int, int]
    block_size: int
    middle_plane: float

    def scaled(self, positions_zyx: np.ndarray) -> np.ndarray:
        """Return positions (n, 3) relative to the middle; z in planes, y and x in px."""
        return positions_zyx - np.array(
            [self.middle_plane, *((size - 1) / 2 for size in self.image_shape)]
        )

    def knots(self) -> np.ndarray:
        """Return the knots (m, 2) of the random field, relative to the middle."""
        axes = []
        for size in self.image_shape:
            count = min(MOST_KNOTS, int(np.ceil(size / self.block_size)) + 2)
            reach = size / 2 + self.block_size / 2
            axes.append(np.linspace(-reach, reach, count))
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)


@dataclass(frozen=True)
class Features:
    """The features of one correlation length (px)."""

    knots: np.ndarray
    length: float
    whitening: np.ndarray

    @classmethod
    def of(cls, knots: np.ndarray, length: float) -> "Features":
        """Return the features of a random field of variance 1 on knots (m, 2)."""
        values, vectors = np.linalg.eigh(_covariance(knots, knots, length))
        kept = values > SMALLEST_FEATURE * values[-1]
        return cls(knots, length, vectors[:, kept] / np.sqrt(values[kept]))

    def at(self, positions: np.ndarray) -> np.ndarray:
        """Return the features (n, m) at positions (n, 3) relative to the middle."""
        return _covariance(positions[:, 1:], self.knots, self.length) @ self.whitening


def _covariance(one: np.ndarray, two: np.ndarray, length: float) -> np.ndarray:
    squares = (one**2).sum(axis=1)[:, None] + (two**2).sum(axis=1) - 2 * one @ two.T
    return np.exp(-0.5 * np.maximum(squares, 0) / length**2)


@dataclass(frozen=True)
class Posterior:
    """The weights of the features for one choice of the random field and k factors on the noise.

    Along the eigenvectors `vectors` (q, q) of the scaled features the weights are independent,
    with means `fitted` (k, q) and variances 1 / `precision` (k, q). `log_evidence` (k,).
    """

    features: Features
    scales: np.ndarray
    noises: np.ndarray
    log_evidence: np.ndarray
    vectors: np.ndarray
    fitted: np.ndarray
    precision: np.ndarray

    def predict(self, design: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the means and variances (n, k) for rows (n, q) of a design matrix."""
        along = (design * self.scales) @ self.vectors
        return along @ self.fitted.T, np.square(along) @ (1 / self.precision).T

    def kept(self, chosen: np.ndarray) -> "Posterior":
        """Return the posterior with the chosen factors (a mask or numbers) on the noise only."""
        names = ("noises", "log_evidence", "fitted", "precision")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


@dataclass(frozen=True)
class SmoothField:
    """The shift as a function of the position, see the module; made by `fit`."""

    domain: Domain
    offset_zyx: np.ndarray
    posteriors: tuple[tuple[Posterior, ...], ...]

    def mean_over(self, points_zyx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (shift, sigma), both (n, 3), averaged over points (n, p, 3)."""
        count, each, _ = points_zyx.shape
        flat = self.domain.scaled(points_zyx.reshape(-1, 3))
        designs: dict[float, np.ndarray] = {}
        results = []
        for posteriors in self.posteriors:
            for posterior in posteriors:
                length = posterior.features.length
                if length not in designs:
                    design = _design(posterior.features, flat)
                    designs[length] = design.reshape(count, each, design.shape[-1]).mean(axis=1)
            results.append(_averaged(posteriors, designs))
        mean, sigma = (np.column_stack(part) for part in zip(*results, strict=True))
        return mean + self.offset_zyx, sigma

    def at(self, positions_zyx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (shift, sigma), both (n, 3), at positions (n, 3)."""
        return self.mean_over(positions_zyx[:, None])


def fit(
    domain: Domain,
    positions_zyx: np.ndarray,
    shifts_zyx: np.ndarray,
    sigmas_zyx: np.ndarray,
    pool: Executor | None = None,
    *,
    rough: bool = False,
) -> SmoothField:
    """Return the field through measurements (n, 3) at positions (n, 3) with uncertainties.

    Measurements that contradict their surroundings are weighed down. The threads of `pool`, if
    there is one, share the components of the shift. A `rough` field averages over fewer choices
    of the random field: enough to predict where to look.
    """
    positions = domain.scaled(positions_zyx)
    knots = domain.knots()
    features = [Features.of(knots, length * domain.block_size) for length in LENGTHS]
    designs = [_design(choice, positions) for choice in features]
    offset = np.median(shifts_zyx, axis=0)

    def one(axis: int) -> tuple[Posterior, ...]:
        values = shifts_zyx[:, axis] - offset[axis]
        return _fit_axis(axis, features, designs, values, sigmas_zyx[:, axis], rough)

    posteriors = tuple((pool.map if pool else map)(one, range(3)))
    return SmoothField(domain, offset, posteriors)


def _design(features: Features, positions: np.ndarray) -> np.ndarray:
    """Return the design matrix (n, q): random field, constant, gradients along z, y, x."""
    return np.column_stack([features.at(positions), np.ones(len(positions)), positions])


def _scales(axis: int, amplitude: float, columns: int) -> np.ndarray:
    """Return the prior standard deviations (q,) of the weights of a design matrix."""
    scales = np.full(columns, amplitude)
    scales[-4:] = CONSTANT_PRIOR, Z_GRADIENT_PRIOR[axis], GRADIENT_PRIOR, GRADIENT_PRIOR
    return scales


def _fit_axis(
    axis: int,
    features: list[Features],
    designs: list[np.ndarray],
    values: np.ndarray,
    sigmas: np.ndarray,
    rough: bool,
) -> tuple[Posterior, ...]:
    """Return the posteriors of all choices of parameters that are not unlikely."""
    variances = sigmas**2 + FLOOR**2
    choices = list(zip(features, designs, strict=True))

    def regressed(step: int, inflation: np.ndarray) -> list[Posterior]:
        return [
            _regress(
                choice,
                design,
                _scales(axis, amplitude, design.shape[1]),
                values,
                variances * inflation,
            )
            for choice, design in choices[::step]
            for amplitude in AMPLITUDES[::step]
        ]

    inflation = np.ones(len(values))
    for _ in range(ROUGH_FITS):
        found = regressed(ROUGH_STEP, inflation)
        best = max(found, key=lambda posterior: posterior.log_evidence.max())
        best = best.kept([best.log_evidence.argmax()])
        inflation = _outliers(best, designs[features.index(best.features)], values, variances)
    found = regressed(ROUGH_STEP if rough else 1, inflation)
    highest = max(posterior.log_evidence.max() for posterior in found)
    likely = [posterior.log_evidence > highest + np.log(LEAST_WEIGHT) for posterior in found]
    pairs = zip(found, likely, strict=True)
    return tuple(posterior.kept(chosen) for posterior, chosen in pairs if chosen.any())


def _outliers(
    choice: Posterior, design: np.ndarray, values: np.ndarray, variances: np.ndarray
) -> np.ndarray:
    """Return factors (n,) on the variances that weigh down what contradicts its surroundings.

    Each measurement is compared with its prediction from all others, with the parameters of
    `choice` (one factor on the noise); repeated, because one outlier can hide another.
    """
    inflation = np.ones(len(values))
    for _ in range(ROUNDS):
        used = variances * inflation
        posterior = _regress(choice.features, design, choice.scales, values, used, choice.noises)
        mean, variance = (part[:, 0] for part in posterior.predict(design))
        noise = choice.noises[0] ** 2
        left_out = np.maximum(1 - variance / (used * noise), 1e-6)
        spread = variance / left_out + variances * noise
        residual = np.abs(values - mean) / left_out / np.sqrt(spread)
        inflation = np.maximum(1.0, (residual / OUTLIER) ** 2)
        inflation[residual > HOPELESS] = IGNORED
    return inflation


def _regress(
    features: Features,
    design: np.ndarray,
    scales: np.ndarray,
    values: np.ndarray,
    variances: np.ndarray,
    noises: np.ndarray = NOISES,
) -> Posterior:
    """Return the posterior for some factors (k,) on the noise.

    One eigendecomposition of the weighted normal matrix serves all of them.
    """
    scaled = design * scales
    weighted = scaled / variances[:, None]
    eigenvalues, vectors = np.linalg.eigh(scaled.T @ weighted)
    projected = vectors.T @ (weighted.T @ values)
    squares = float(values @ (values / variances))
    constant = -0.5 * np.log(2 * np.pi * variances).sum()
    factor = noises[:, None] ** 2
    precision = 1 + np.maximum(eigenvalues, 0) / factor
    fitted = projected / factor / precision
    misfit = (squares - fitted @ projected) / noises**2 + np.log(precision).sum(axis=1)
    log_evidence = constant - len(values) * np.log(noises) - 0.5 * misfit
    log_evidence -= 0.5 * (np.log(noises / NOISE_PRIOR[0]) / NOISE_PRIOR[1]) ** 2
    return Posterior(features, scales, noises, log_evidence, vectors, fitted, precision)


def _averaged(
    posteriors: tuple[Posterior, ...], designs: dict[float, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return (mean, sigma) (n,) of the mixture of posteriors, weighted by their evidence."""
    evidence = np.concatenate([posterior.log_evidence for posterior in posteriors])
    weights = np.exp(evidence - evidence.max())
    weights /= weights.sum()
    parts = [posterior.predict(designs[posterior.features.length]) for posterior in posteriors]
    means, variances = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    mean = means @ weights
    return mean, np.sqrt((variances + np.square(means - mean[:, None])) @ weights)
