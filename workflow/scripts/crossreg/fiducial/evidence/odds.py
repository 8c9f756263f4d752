"""What two binned images have in common under a field, or under one shift."""

import itertools
from collections.abc import Callable

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from crossreg.fiducial.correlation.binned import BIN, STEPS
from crossreg.fiducial.evidence.coincidence import Image, log10_odds, moved, prepared
from crossreg.fiducial.evidence.still import partly_still

GRID = 16
"""Bins between the places at which the field is evaluated: it is smooth over a block."""
SUMMED = 4
"""Planes that are summed before the maximum along z is taken: about what a spot extends over."""

ShiftsAt = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def odds_of_images(
    images: tuple[NDArray[np.number], NDArray[np.number]],
    shifts_at: ShiftsAt,
    noise: float | None = None,
    turn: float = 0.0,
) -> float:
    """Return the logarithm of the odds that two binned images (y, x) match by coincidence.

    `shifts_at` gives the shifts (n, 2) px at positions (n, 2) px in the reference, which is the
    first image. `noise` is the standard deviation of the noise, estimated if not given. The cycle
    has been turned back by `turn` degrees beforehand.
    """
    reference, cycle = (prepared(image, noise) for image in images)
    shifts = _in_bins(shifts_at, reference.shape)
    return log10_odds(reference, cycle, moved(cycle, shifts), shifts.mean(axis=(0, 1)), turn)


def odds_of_stacks(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]], shifts_at: ShiftsAt, turn: float = 0.0
) -> float:
    """Return the same for two binned stacks (Z, y, x): their projections are compared."""
    reference, cycle = map(_projection, stacks)
    return odds_of_images((reference, cycle), shifts_at, STEPS, turn)


def parts_lie_still(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]], shifts_at: ShiftsAt
) -> bool:
    """Return whether a part of what two binned stacks (Z, y, x) show lies still on the camera."""
    reference, cycle = (prepared(stack.max(axis=0), STEPS) for stack in stacks)
    shifts = _in_bins(shifts_at, reference.shape)
    return partly_still(reference, moved(cycle, shifts), shifts.mean(axis=(0, 1)))


def _projection(stack: NDArray[np.int16]) -> Image:
    """Return the maximum (y, x) along z of the sums of a few planes, with the noise of one plane.

    A maximum alone picks noise: a spot shows in several planes, noise in one.
    """
    count = max(1, round(len(stack) / SUMMED))
    edges = np.linspace(0, len(stack), count + 1).round().astype(int)
    sums = [
        stack[start:stop].sum(axis=0, dtype=np.float32) / np.sqrt(np.float32(stop - start))
        for start, stop in itertools.pairwise(edges)
    ]
    return np.asarray(np.maximum.reduce(sums))


def _in_bins(shifts_at: ShiftsAt, shape: tuple[int, ...]) -> Image:
    """Return the shift (y, x, 2) in bins of each pixel of a binned image, from a coarse grid."""
    axes = [np.linspace(0, size - 1, max(2, -(-size // GRID))) for size in shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    coarse = shifts_at(places * BIN + (BIN - 1) / 2).reshape(*map(len, axes), 2) / BIN
    steps = [np.linspace(0, len(axis) - 1, size) for axis, size in zip(axes, shape, strict=True)]
    where = np.meshgrid(*steps, indexing="ij")
    planes = [scipy.ndimage.map_coordinates(coarse[..., axis], where, order=1) for axis in (0, 1)]
    return np.stack(planes, axis=-1).astype(np.float32)
