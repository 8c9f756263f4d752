"""Structure that hardly stands out of the noise, freed of the noise around it.

Where spots are faint and few, most of what two stacks have in a sub-block is noise, and noise times
noise is most of what blurs their correlation. Smoothed by about a spot, though, a spot stands out
by several standard deviations. So values are multiplied by how likely it is that they, or values a
few planes above or below, are not noise alone: one minus the local false discovery rate of the
two-groups model (Efron 2008, doi:10.1214/07-STS236), from the distribution of the stack's own
values. Dense structure is hardly changed by that. What lies above and below counts since the mean
of the planes was taken off: a spot is a peak between two dips, and would lie elsewhere without
them. Thin stacks stay as they are: the pattern of the camera is still in them, and would stand out
as structure does.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from functools import lru_cache
from math import erf, sqrt

import numpy as np

from crossreg.fiducial.correlation.band_pass import high_pass
from crossreg.fiducial.correlation.binned_stacks import BIN, PLANES_FOR_PATTERN, STEPS, fill_planes
from crossreg.fiducial.even_choice import evenly_chosen
from crossreg.fiducial.quantiles import NORMAL_MEDIAN, medians

FAINT = 0.35
"""Part of noise in the variance of a smoothed stack from which on it is freed of noise: below it
nothing is won on planted spots, textures and nuclei."""
ALONG_Z = (1, 4, 6, 4, 1)
"""Weights of the planes around a plane: a standard deviation of one plane."""
TILE, TILES = 64, 64
"""Edge (bins) and number of the parts of a stack that tell whether it is faint, and how its values
are distributed."""
EVERY = 2
"""Every so many differences of neighbours are looked at along both axes."""
LIKELY, LIKELY_STEP = 10.0, 0.25
"""Standard deviations of the noise up to which values are counted, and the width of a class."""
PARTS_OF_CLASS = 16
"""Parts of a class between which the odds are interpolated beforehand."""
CERTAIN = np.iinfo(np.uint8).max
"""Odds of 1 as they are kept beside a stack."""
LARGEST = float(np.iinfo(np.int16).max)
"""Largest value of a stack."""
LEAST_LIKELY = 0.05
"""Odds below which a value is noise: hardly half a step would be left of it."""
AROUND = 6
"""Planes above and below whose structure keeps a value: fewer moved peaks along z in stacks of 8 to
14 planes, where a spot is seen in most of them; more left too much noise in tall stacks."""
CENTRAL = 2
"""Classes around 0 that tell which part of the values is noise alone."""


def freed_of_noise(stack: np.ndarray, pool: Executor) -> np.ndarray:
    """Return a binned and freed stack (Z, y, x) int16 without most of its noise, if it is faint.

    Otherwise, or if it has few planes, the stack itself. Values are in 1 / STEPS of the noise of
    the smoothed stack.
    """
    if len(stack) < PLANES_FOR_PATTERN:
        return stack
    sample = [(tile, _smoothed(tile, len(tile) // 2)) for tile in _tiles(stack)]
    noise = _noise(tile[len(tile) // 2] for tile, _ in sample)
    values = np.concatenate([smoothed.ravel() for _, smoothed in sample])
    if noise**2 <= FAINT * float(np.mean(np.square(values))):
        return stack
    not_noise = _odds_of_structure(np.abs(values) / noise)
    scale = np.float32(len(not_noise) / LIKELY / noise)
    least = np.float32(np.argmax(not_noise >= LEAST_LIKELY)) / scale
    result = np.empty(stack.shape, dtype=np.int16)
    odds = np.zeros(stack.shape, dtype=np.uint8)

    def smoothed(z: int) -> np.ndarray:
        plane = _smoothed(stack, z)
        size = np.abs(plane)
        # Whole numbers: numpy takes three times as long to follow a mask.
        likely = np.flatnonzero(size >= least)
        classes = np.minimum(size.ravel()[likely] * scale, np.float32(len(not_noise) - 1))
        odds[z].ravel()[likely] = np.rint(not_noise[classes.astype(np.int32)] * CERTAIN)
        plane *= np.float32(STEPS / noise)
        np.clip(plane, -LARGEST, LARGEST, out=plane)
        return np.asarray(np.rint(plane))

    def freed(z: int) -> np.ndarray:
        around = odds[max(z - AROUND, 0) : z + AROUND + 1].max(axis=0)
        return np.asarray(np.rint(result[z] * (around * np.float32(1 / CERTAIN))))

    fill_planes(result, smoothed, pool)
    fill_planes(result, freed, pool)
    return result


def _noise(planes: Iterable[np.ndarray]) -> float:
    """Return the standard deviation of the noise of smoothed planes, from planes as they are.

    Differences of neighbours tell of the noise: they hardly see structure.
    """
    rough = [_second_differences(plane.astype(np.float32))[::EVERY, ::EVERY] for plane in planes]
    values = np.abs(np.concatenate([part.ravel() for part in rough]))
    along_z = float(np.linalg.norm(ALONG_Z)) / sum(ALONG_Z)
    return float(medians(values, 0)) / NORMAL_MEDIAN * _smoothed_over_rough() * along_z


def _tiles(stack: np.ndarray) -> Iterator[np.ndarray]:
    """Yield parts (planes, y, x) of a stack, spread over it: as many planes as are smoothed."""
    planes = len(ALONG_Z)
    starts = [range(0, max(size - TILE, 0) + 1, TILE) for size in stack.shape[1:]]
    shape = (len(stack) - planes + 1, *map(len, starts))
    for number in evenly_chosen(int(np.prod(shape)), TILES):
        z, row, column = np.unravel_index(number, shape)
        y, x = starts[0][row], starts[1][column]
        yield stack[z : z + planes, y : y + TILE, x : x + TILE]


def _odds_of_structure(sizes: np.ndarray) -> np.ndarray:
    """Return how likely a value is not noise alone (k,), for sizes evenly spread up to LIKELY.

    `sizes` are absolute values in standard deviations of the noise.
    """
    edges = np.arange(0, LIKELY + LIKELY_STEP, LIKELY_STEP)
    classes = (np.minimum(sizes, edges[-2]) / LIKELY_STEP).astype(np.intp)
    shares = np.bincount(classes, minlength=len(edges) - 1) / sizes.size
    of_noise = np.diff([erf(edge / sqrt(2)) for edge in edges])
    part = min(1.0, shares[:CENTRAL].sum() / of_noise[:CENTRAL].sum())
    # Few spots may lie beside the tiles: of values that noise hardly reaches none need be seen.
    rate = part * of_noise / np.maximum(shares, 1 / sizes.size)
    # Larger values are never likelier to be noise.
    rate = np.minimum.accumulate(np.minimum(rate, 1.0))
    step = LIKELY_STEP / PARTS_OF_CLASS
    places = np.arange(0, LIKELY, step) + step / 2
    odds = 1 - np.interp(places, (edges[:-1] + edges[1:]) / 2, rate)
    return odds.astype(np.float32)


def _smoothed(stack: np.ndarray, z: int) -> np.ndarray:
    """Return a plane (y, x) of a stack smoothed by about a spot, edges repeated."""
    reach = len(ALONG_Z) // 2
    around = np.clip(np.arange(z - reach, z + reach + 1), 0, len(stack) - 1)
    # Small whole numbers: 16 bits hold their sums, which are fast.
    planes = (np.int16(weight) * stack[at] for weight, at in zip(ALONG_Z, around, strict=True))
    total = next(planes)
    for plane in planes:
        total += plane
    padded = np.pad(total, 1, mode="edge").astype(np.float32)
    rows = padded[:-2] + padded[2:]
    rows += 2 * padded[1:-1]
    result: np.ndarray = rows[:, :-2] + rows[:, 2:]
    result += 2 * rows[:, 1:-1]
    result *= np.float32(1 / (16 * sum(ALONG_Z)))
    return result


def _second_differences(plane: np.ndarray) -> np.ndarray:
    """Return the second differences of a plane (y, x) along both axes, halved each time."""
    rows = plane[1:-1] - (plane[:-2] + plane[2:]) / 2
    result: np.ndarray = rows[:, 1:-1] - (rows[:, :-2] + rows[:, 2:]) / 2
    return result


@lru_cache(maxsize=1)
def _smoothed_over_rough() -> float:
    """Return the ratio of the noise of smoothed planes to that of their second differences.

    Of white noise that has been freed of its background.
    """
    y, x = (np.cos(2 * np.pi * axis) for axis in (np.fft.fftfreq(TILE), np.fft.rfftfreq(TILE)))
    noise = np.square(high_pass((TILE, TILE), BIN))
    noise[:, 1:-1] *= 2  # the other half of the spectrum
    smoothed = np.outer((1 + y) / 2, (1 + x) / 2)
    rough = np.outer(1 - y, 1 - x)
    return float(sqrt((noise * smoothed**2).sum() / (noise * rough**2).sum()))
