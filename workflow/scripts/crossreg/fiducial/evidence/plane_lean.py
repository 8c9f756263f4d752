"""Whether the shift along y and x changes with the depth over the whole image, as planes show it.

Each plane of the cycle is compared with the planes of the reference that it meets; parts all over
the image together tell to some hundredths of a pixel how far it lies beside where the field says.
"""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from crossreg.fiducial.correlation.band_pass import gaussian, window
from crossreg.fiducial.correlation.binned_stacks import BIN
from crossreg.fiducial.correlation.light_samples import SharedSamples
from crossreg.fiducial.correlation.transforms import images_of, spectra_of
from crossreg.fiducial.evidence.robust_fit import fitted
from crossreg.fiducial.lean import Lean
from crossreg.fiducial.quantiles import median, medians

Floats = NDArray[np.float64]
Spectra = NDArray[np.complex64]

SMOOTHED = 0.8
"""Gaussian scale (bins) that correlations are smoothed by, so that noise makes no peaks."""
REACH = 3
"""Largest distance (bins) at which a plane is looked for."""
GROUPS = 4
"""Groups of parts that show independently of each other how a stack leans."""
FEWEST_PARTS, FEWEST_PLANES = 8, 6
"""Parts, and planes that both stacks show, below which no lean is told: a pattern of the
camera that lies still made three planes look as if one had moved."""
DEGREE = 5
"""Degree of the polynomial that planes are taken to follow, of many planes."""
LEAST_LEAN, BELIEVED = 0.05, 6.0
"""Lean (px, root mean square over the depth) that is told at least, and the standard errors that it
exceeds: of 200 planted pairs without one, patterns of the camera among them, the most was 2.4, and
5.3 where strong fringes lay still; of 30 with one 5.1 to 40."""
LEAST_TREMBLE, TREMBLES = 0.08, 8.0
"""Distance (px, root mean square) of planes from that curve, one by one, that is told at least, and
how many times its square exceeds that of its error: of four planted pairs that tremble it was 15 to
540 along one axis, and 4 where fringes lay still on faint beads; 64 plain pairs and 49 others, with
faults of the camera among them, showed none."""
MEDIAN_SQUARE = 0.455
"""Median of the squares of normal values, relative to their mean."""
LEAST_ERROR = 0.02
"""Error (px) of where a plane lies, at least."""
MOST_WEIGHT = 3.0
"""Weight of a plane at most, relative to the median: a few with bright things must not rule."""
LEAST_SHARPNESS = 1e-9
"""Sharpness of a peak at least: planes without image have none."""


def lean_of_planes(shared: SharedSamples) -> Lean | None:
    """Return how planes of a cycle lie beside those of the reference that they meet.

    None where they do not lean beyond doubt, or too little is seen.
    """
    if len(shared.here) < FEWEST_PARTS:
        return None
    depths, products = _products(shared)
    if len(depths) < FEWEST_PLANES:
        return None
    along = 2 * (depths - depths[0]) / np.ptp(depths) - 1
    terms = legendre.legvander(along, int(np.clip(len(depths) - 2, 1, DEGREE)))
    shape = shared.here.shape[2:]
    whole = _Seen.of(products.sum(axis=0), shape, terms)
    groups = [_Seen.of(products[n::GROUPS].sum(axis=0), shape, terms) for n in range(GROUPS)]
    curve, sigma = _follows(whole, groups)
    beside, error = _tremble(whole, groups)
    if curve is None and beside is None:
        return None
    nothing = np.zeros_like(whole.curve)
    by_yx = (nothing if curve is None else curve) + (nothing if beside is None else beside)
    by_yx -= by_yx.mean(axis=0)
    return Lean(depths, by_yx, np.hypot(sigma, error), nothing if beside is None else beside)


@dataclass(frozen=True)
class _Seen:
    """How far (m, 2) px planes lie from the mean of all: a smooth curve, and beside it."""

    curve: Floats
    beside: Floats

    @classmethod
    def of(cls, products: Spectra, shape: tuple[int, ...], terms: Floats) -> "_Seen":
        """Return what the spectra (m, y, x) of correlations of planes show.

        The curve is made of `terms` (m, p), of which the first is the constant.
        """
        places, sharpness = _tops(images_of(products, shape))
        curves = []
        for values, sharp in zip(places.T, sharpness.T, strict=True):
            weights = np.minimum(sharp / median(sharp), MOST_WEIGHT)
            factors, _ = fitted(terms, values, weights)
            curves.append(terms @ factors)
        curve = np.column_stack(curves)
        return cls(curve - curve.mean(axis=0), places - curve)


def _follows(whole: _Seen, groups: list[_Seen]) -> tuple[Floats | None, Floats]:
    """Return the curve (m, 2) that planes follow beyond doubt, if any, and its standard error."""
    sigma = np.std([group.curve for group in groups], axis=0, ddof=1) / np.sqrt(GROUPS)
    size, error = (np.sqrt(np.mean(values**2, axis=0)) for values in (whole.curve, sigma))
    if np.hypot(*size) < max(LEAST_LEAN, BELIEVED * np.hypot(*error)):
        return None, np.zeros_like(sigma)
    return whole.curve, np.maximum(sigma, error)


def _tremble(whole: _Seen, groups: list[_Seen]) -> tuple[Floats | None, Floats]:
    """Return how far (m, 2) px planes lie beside the curve one by one, and the standard error.

    None where groups of parts do not agree that they do. What they agree on is a variance, that of
    most planes: a few that hardly show anything must not rule. Each plane is taken to be beside by
    as much of what it shows as is likely then.
    """
    each = np.stack([group.beside for group in groups])
    # Products of different groups: what they show alike is no error.
    alike = (each.sum(axis=0) ** 2 - (each**2).sum(axis=0)) / (GROUPS * (GROUPS - 1))
    variance = np.maximum(np.minimum(medians(alike, 0) / MEDIAN_SQUARE, alike.mean(axis=0)), 0.0)
    usual = np.mean(each.var(axis=0, ddof=1), axis=0) / GROUPS
    if np.hypot(*np.sqrt(variance)) < LEAST_TREMBLE or (variance < TREMBLES * usual).all():
        return None, np.zeros_like(whole.beside)
    error = np.maximum(each.var(axis=0, ddof=1) / GROUPS, np.maximum(usual, LEAST_ERROR**2))
    share = variance / (variance + error)
    return share * whole.beside, np.sqrt(share * error)


def _products(shared: SharedSamples) -> tuple[Floats, Spectra]:
    """Return depths (m,) of the reference, and the spectra (n, m, y, x) of correlations there.

    Of n parts, about where the field brings each. Where a plane of the cycle lies between two of
    the reference, these are interpolated.
    """
    shape = shared.here.shape[2:]
    tapered = window(shape).astype(np.float32)
    here, there = (spectra_of(part * tapered, shape) for part in (shared.here, shared.there))
    between = (shared.shift_zyx[:, 1:] - np.rint(shared.shift_zyx[:, 1:])) / BIN
    down, across = between.T[:, :, None, None]
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    moved = np.exp(-2j * np.pi * (down * rows + across * columns)).astype(np.complex64)
    planes = np.arange(there.shape[1])
    depths = planes + median(shared.shift_zyx[:, 0])
    met = (depths > -0.5) & (depths < here.shape[1] - 0.5)
    planes, depths = planes[met], depths[met]
    first = np.clip(np.floor(depths).astype(int), 0, here.shape[1] - 2)
    part = np.clip(depths - first, 0, 1).astype(np.float32)[:, None, None]
    reference = (1 - part) * here[:, first] + part * here[:, first + 1]
    cycle = there[:, planes] * moved[:, None]
    return depths, np.conj(cycle) * reference * gaussian(shape, SMOOTHED)


def _tops(maps: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Return where (m, 2) px the highest values of circular maps (m, y, x) lie, within REACH.

    Also how sharp (m, 2) the peaks are along y and x. Parabolas through the neighbours tell the
    place between samples.
    """
    inner = np.roll(maps, (REACH + 1, REACH + 1), axis=(1, 2))[:, : 2 * REACH + 3, : 2 * REACH + 3]
    inside = inner[:, 1:-1, 1:-1]
    numbers = np.arange(len(maps))
    top = np.unravel_index(inside.reshape(len(maps), -1).argmax(axis=1), inside.shape[1:])
    highest = inside[numbers, *top].astype(float)
    places, sharpness = np.zeros((2, len(maps), 2))
    for axis in range(2):
        before, after = (
            inner[numbers, *(top[n] + 1 + step * (n == axis) for n in (0, 1))].astype(float)
            for step in (-1, 1)
        )
        sharp = np.maximum(2 * highest - before - after, LEAST_SHARPNESS)
        places[:, axis] = top[axis] - REACH + np.clip(0.5 * (after - before) / sharp, -0.5, 0.5)
        sharpness[:, axis] = sharp
    return BIN * places, sharpness
