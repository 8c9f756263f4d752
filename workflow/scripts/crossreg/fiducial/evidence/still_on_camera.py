"""Whether a part of what two images show lies still on the camera while the rest has moved.

Two images that were brought over each other by one smooth field differ by noise, and by things that
only one of them shows: their difference resembles itself equally well in all directions. Where some
of it moves unlike the rest, everything leaves pairs of bright and dark in the difference, all in
the direction of the motion.
"""

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.transforms import fast_length, images_of, spectra_of
from crossreg.fiducial.evidence.odds_of_coincidence import Image
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, median

REACH, REACH_AT_REST = 14, 64
"""Shift (bins) up to which such pairs are looked for: what lies further apart misleads nobody,
unless what matches is at rest, as the camera is: then the specimen may have moved any distance."""
FAR = 5.0
"""Shift (bins) from which on chance alone makes the difference resemble itself."""
LEAST_SMOOTH = 0.28
"""Part of a difference that neighbours share from which on it is structure: planted specimens that
moved behind a pattern leave 0.32 to 0.64, noise, even if it was smoothed, up to 0.24."""
LEAST_PART, LEAST_HEIGHT = 0.22, 6.5
"""How much more the difference resembles itself across the pairs than along them, over its energy
and over chance (standard deviations)."""
LEAST_OPPOSITE = 0.15
"""How far it is the opposite of itself along them, over its energy: bright and dark. Lines of a
scanner, and what single planes of real tissue show otherwise, leave less."""
LEAST_OWN = 0.01
"""What an image shows alone, over what both share, from which on its skewness can be told."""
LEAST_OF_PLANES, LARGEST_SHARED = 0.03, 0.2
"""Part of planes, freed of what all of them share, that neighbours share from which on they show
structure of their own, and the correlation of two such up to which it is not the same: in 24 thin
stacks whose specimen shows alike in all planes neighbours share -0.09 to -0.01, in 24 that show
another specimen behind a camera's pattern mostly 0.04 to 0.5, correlated by up to 0.08."""
TOLD_APART = 1.5
"""Shift (bins) from which on the pairs are as far apart as the images were moved."""
DIRECTED, ALONG = 0.35, 0.82
"""Shift (bins) from which on they lie along it, and the cosine between the two at least."""


def partly_still(reference: Image, aligned: Image, shift_yx: NDArray[np.floating]) -> bool:
    """Return whether a part of two prepared images lies still while the rest has moved.

    `aligned` is the cycle moved onto the reference, `shift_yx` (bins) how far that is.
    """
    energies = [float(np.vdot(image, image)) for image in (reference, aligned)]
    if min(energies) == 0:
        return False
    difference = reference - np.sqrt(energies[0] / energies[1]) * aligned
    reach = REACH
    if np.hypot(*shift_yx) < DIRECTED:
        reach = min(REACH_AT_REST, max(REACH, min(reference.shape) // 2))
    itself = _autocorrelation(difference, reach)
    pairs = np.rot90(itself) - itself
    lags = np.arange(-reach, reach + 1)
    far = np.hypot(lags[:, None], lags) > FAR
    chance = median(np.abs(pairs[far])) / NORMAL_MEDIAN
    row, column = np.unravel_index(pairs.argmax(), pairs.shape)
    highest = float(pairs[row, column])
    energy = float(itself[reach, reach])
    if highest < LEAST_PART * energy or highest < LEAST_HEIGHT * chance:
        return False
    if -itself[row, column] < LEAST_OPPOSITE * energy:
        return False
    return _fits(
        np.array([lags[row], lags[column]], dtype=float), np.asarray(shift_yx, dtype=float)
    )


def unlike_share(reference: Image, aligned: Image) -> float:
    """Return which part of the structure of two images (Y, X), one moved onto the other, differs.

    Noise does not count: neighbouring pixels share structure, but hardly any noise. Where the
    difference is noise in the main, nothing differs.
    """
    one, two = (image - image.mean() for image in (reference, aligned))
    energies = _shared_by_neighbours(one, one), _shared_by_neighbours(two, two)
    if min(energies) <= 0:
        return 0.0
    difference = one / np.sqrt(energies[0]) - two / np.sqrt(energies[1])
    if _shared_by_neighbours(difference, difference) < LEAST_SMOOTH * np.mean(difference**2):
        return 0.0
    return float(np.clip(1 - _shared_by_neighbours(one, two) / np.sqrt(np.prod(energies)), 0, 1))


def show_structure(planes: Image) -> bool:
    """Return whether planes (Z, Y, X) that were freed of what all of them share are not noise."""
    variance = float(np.mean(np.square(planes)))
    return _shared_by_planes(planes, planes) > LEAST_OF_PLANES * variance


def are_planes_alike(reference: Image, aligned: Image) -> bool:
    """Return whether such planes show the same at some shift along z."""
    energy = _shared_by_planes(reference, reference) * _shared_by_planes(aligned, aligned)
    farthest = min(len(reference), len(aligned)) // 2 + 1
    shared = max(
        _shared_by_planes(reference[max(-by, 0) :], aligned[max(by, 0) :])
        for by in range(-farthest, farthest + 1)
    )
    return shared > LARGEST_SHARED * float(np.sqrt(max(energy, 0.0)))


def _shared_by_planes(one: Image, two: Image) -> float:
    """Return what planes (Z, Y, X) share with those of another stack, as far as both go."""
    return float(np.mean(list(map(_shared_by_neighbours, one, two))))


def skewness_shared_and_own(reference: Image, aligned: Image) -> tuple[float, float]:
    """Return the skewness of what two images (Y, X) share: 0 if it is dark as often as bright.

    And the least of what only one of them shows, which is independent of that: the second and third
    cumulants of both add up. Noise does not count.
    """
    one, two = (image - image.mean() for image in (reference, aligned))
    variance = _shared_by_neighbours(one, two)
    third = (_shared_by_neighbours(one**2, two) + _shared_by_neighbours(one, two**2)) / 2
    if variance <= 0:
        return 0.0, 0.0
    own = np.inf
    for image in (one, two):
        left = _shared_by_neighbours(image, image) - variance
        if left > LEAST_OWN * variance:
            own = min(own, (_shared_by_neighbours(image**2, image) - third) / left**1.5)
    return float(third / variance**1.5), float(own)


def _shared_by_neighbours(one: Image, two: Image) -> float:
    """Return the mean product of the pixels of an image with their neighbours in another."""
    products = (
        np.mean(one[1:] * two[:-1]),
        np.mean(one[:-1] * two[1:]),
        np.mean(one[:, 1:] * two[:, :-1]),
        np.mean(one[:, :-1] * two[:, 1:]),
    )
    return float(np.mean(products))


def _autocorrelation(image: Image, reach: int) -> Image:
    """Return how much an image (Y, X) resembles itself at shifts of up to `reach` on each axis."""
    shape = tuple(fast_length(size + reach) for size in image.shape)
    spectrum = spectra_of(image, shape)
    lags = np.arange(-reach, reach + 1)
    return np.asarray(images_of(np.square(np.abs(spectrum)), shape)[np.ix_(lags, lags)])


def _fits(pair_yx: NDArray[np.float64], shift_yx: NDArray[np.float64]) -> bool:
    """Return whether pairs so far apart are what a motion of `shift_yx` beside rest would leave."""
    length = float(np.hypot(*shift_yx))
    if length < DIRECTED:
        return True
    if length > TOLD_APART:
        return bool(min(np.abs(pair_yx + side * shift_yx).max() for side in (1, -1)) <= 1)
    return abs(float(pair_yx @ shift_yx)) >= ALONG * length * float(np.hypot(*pair_yx))
