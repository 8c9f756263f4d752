"""Where the clear spots of an image lie that shows little else."""

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.correlation.band_pass import gaussian
from crossreg.fiducial.correlation.transforms import filtered
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, median

CLEAR = 3.0
"""Standard deviations of the noise above which light is clear."""
SIZE = 2.5
"""Gaussian scale (bins) over which light is one spot's: a ring of a bead out of focus is 3 wide."""
APART = 5.0
"""Distance (bins) of two spots at least; nearer ones are one."""
HELD = 6.0
"""Radius (bins) of the light of a spot."""
FAINTEST, FAINTEST_PART = 10.0, 0.05
"""Clear light of a spot at least, in standard deviations of a bin, and beside the brightest one."""
MOST = 30
"""Spots up to which they are few."""
LEAST_SHARE = 0.6
"""Part of all clear light that spots have where an image shows little else."""
TIMES = 8
"""Times that a spot is centred on the light around it."""

Floats = NDArray[np.float64]


def clear_spots(image: NDArray[np.float32]) -> Floats | None:
    """Return the places (n, 2) of the clear spots of a binned image (y, x).

    None where there are none, or many, or where much of what is clear is no spot. The place of a
    spot is the mean of the light around it, be it a ring.
    """
    beside = image - np.float32(median(image))
    noise = median(np.abs(beside)) / NORMAL_MEDIAN
    if noise == 0:
        return None
    light = np.maximum(beside / np.float32(noise) - np.float32(CLEAR), 0)
    near = filtered(light, lambda shape: gaussian(shape, SIZE), round(3 * SIZE))
    near *= np.float32(2 * np.pi * SIZE**2)
    faintest = max(FAINTEST, FAINTEST_PART * float(near.max()))
    places: list[Floats] = []
    rest = light.copy()
    for _ in range(2 * MOST):
        brightest = np.unravel_index(int(near.argmax()), near.shape)
        if near[brightest] < faintest:
            break
        place = _centred(light, np.array(brightest, dtype=float))
        for centre in (np.array(brightest, dtype=float), place):
            window, distance = _around(centre, near.shape)
            near[window][distance < APART] = 0
        if any(np.hypot(*(place - other)) < APART for other in places):
            continue
        places.append(place)
        window, distance = _around(place, near.shape)
        rest[window][distance < HELD] = 0
    is_few = 0 < len(places) <= MOST and near.max() < faintest
    if not is_few or rest.sum() > (1 - LEAST_SHARE) * light.sum():
        return None
    return np.array(places)


def _centred(light: NDArray[np.float32], place: Floats) -> Floats:
    """Return the mean place (2,) of the light of an image (y, x) around a place (2,)."""
    for _ in range(TIMES):
        window, distance = _around(place, light.shape)
        weights = light[window] * np.exp(-0.5 * np.square(distance / SIZE))
        total = float(weights.sum())
        if total == 0:
            break
        rows, columns = (np.arange(part.start, part.stop) for part in window)
        place = np.array([weights.sum(axis=1) @ rows, weights.sum(axis=0) @ columns]) / total
    return place


def _around(place: Floats, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], Floats]:
    """Return the window of an image around a place (2,), and the distance from it there."""
    middle = np.rint(place).astype(int)
    reach = int(HELD) + 1
    rows, columns = (
        slice(max(int(at) - reach, 0), min(int(at) + reach + 1, size))
        for at, size in zip(middle, shape, strict=True)
    )
    down, across = np.arange(rows.start, rows.stop), np.arange(columns.start, columns.stop)
    return (rows, columns), np.hypot(down[:, None] - place[0], across - place[1])
