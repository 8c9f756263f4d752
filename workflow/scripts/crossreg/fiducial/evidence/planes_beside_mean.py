"""What planes of two stacks show beside their mean: whether, and at which depth, it is the same.

Where planes hardly differ, only the mean of all of them matches. A specimen leaves a little in
every plane beside that, which all planes together tell from noise. A pattern of the camera leaves
nothing: it is the same in all planes, but for how bright it is.
"""

from collections.abc import Callable, Sized

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.transforms import fast_length, images_of, spectra_of
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, median

Image = NDArray[np.float32]
View = Callable[[Image], Image]

REACH = 64
"""Shift (bins) along each axis up to which planes are compared, to see what is alike by chance."""
NEAR, FAR = 1.5, 8.0
"""Shift (bins) up to which the planes have to lie where the mean does, and from which on what is
alike is so by chance, or because the specimen repeats itself."""
SURE = 8.0
"""Standard deviations of chance that the planes are alike where they are believed."""
MOST_SHIFT = 1.25
"""Planes by which they may be shifted: clipped light and another z step feigned 1.6 to 8. Below it
all of 12 real layers and soft tissues, clipped or bleached ones among them, were within a plane."""
CLEARLY = 2.25
"""Times as alike as at any shift beyond FAR, at least. Of 105 pairs of other specimens behind a
pattern that moved and light that changes along z, which leaves something of the pattern, it was 0.2
to 2.1; of matching pairs 1.4 to 8, where noise does not hide their planes."""


def shift_z_beside_mean(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]],
    means: tuple[Image, Image],
    views: tuple[View, View],
) -> float | None:
    """Return by how many planes a cycle is shifted along z whose mean plane matches.

    `stacks` (Z, y, x), reference and cycle, have been freed of what all their planes share, `means`
    (y, x) are those of all planes. The `views` return what is compared of a plane of each: the
    cycle's lies where its mean matches. None where what planes show beside the mean is not clearly
    the same, or is the same elsewhere.
    """
    one, two = (
        [view(_beside(plane, mean)) for plane in stack]
        for stack, mean, view in zip(stacks, means, views, strict=True)
    )
    alike = _alike(np.stack(one), np.stack(two))
    middle = np.array(alike.shape[1:]) // 2
    away = np.hypot(*(np.indices(alike.shape[1:]) - middle[:, None, None]))
    beyond = alike[:, away > FAR]
    plane, *place = (int(index) for index in np.unravel_index(alike.argmax(), alike.shape))
    if not beyond.size or away[tuple(place)] > NEAR or plane in (0, len(alike) - 1):
        return None
    before, here, after = (float(alike[(at, *place)]) for at in (plane - 1, plane, plane + 1))
    chance = median(np.abs(beyond)) / NORMAL_MEDIAN
    if here < max(SURE * chance, CLEARLY * float(beyond.max())):
        return None
    between = 0.5 * (after - before) / (2 * here - before - after)
    shift_z = plane + between + _fewest(one, two) - len(two)
    return shift_z if abs(shift_z) <= MOST_SHIFT else None


def _fewest(*stacks: Sized) -> int:
    """Return how many planes have to meet at least: half of those of the lower stack."""
    return min(map(len, stacks)) // 2


def _beside(plane: NDArray[np.int16], mean: Image) -> Image:
    """Return a plane (y, x) without what is like the mean, however bright that is in it."""
    energy = float(np.vdot(mean, mean))
    share = float(np.vdot(plane.astype(np.float32), mean)) / energy if energy else 0.0
    return np.asarray(plane - np.float32(share) * mean)


def _alike(reference: Image, cycle: Image) -> Image:
    """Return how alike planes (Z, y, x) of two stacks are (shifts along z, along y, along x).

    It is the sum of their products over the root of the number of planes that meet. In the middle
    y and x are not shifted.
    """
    reach = [min(REACH, size // 2) for size in reference.shape[1:]]
    shape = tuple(
        fast_length(size + most) for size, most in zip(reference.shape[1:], reach, strict=True)
    )
    one, two = (
        spectra_of(planes - planes.mean(axis=(1, 2), keepdims=True), shape)
        for planes in (reference, cycle)
    )
    lags = np.ix_(*(np.arange(-most, most + 1) for most in reach))
    fewest = _fewest(one, two)
    result = []
    for by in range(fewest - len(two), len(one) - fewest + 1):
        met = one[max(by, 0) : len(two) + by], two[max(-by, 0) : len(one) - by]
        product = np.sum(met[0] * np.conj(met[1]), axis=0) / np.sqrt(np.float32(len(met[0])))
        result.append(images_of(product, shape)[lags])
    return np.stack(result)
