"""What two binned images have in common under a field, or under one shift."""

import functools
import itertools
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.block_grid import middle_of, seen_by_both
from crossreg.fiducial.correlation.binned_stacks import BIN, STEPS
from crossreg.fiducial.evidence.clear_spots import clear_spots
from crossreg.fiducial.evidence.deformation import ShiftsAt
from crossreg.fiducial.evidence.image_faults import is_opposite
from crossreg.fiducial.evidence.odds_of_coincidence import (
    HEIGHTS,
    Image,
    log10_odds,
    moved,
    prepared,
)
from crossreg.fiducial.evidence.odds_of_spots import log10_odds_of_spots
from crossreg.fiducial.evidence.planes_beside_mean import shift_z_beside_mean
from crossreg.fiducial.evidence.still_on_camera import (
    are_planes_alike,
    partly_still,
    show_structure,
    skewness_shared_and_own,
    unlike_share,
)
from crossreg.fiducial.verdict import CERTAIN

GRID = 16
"""Bins between the places at which the field is evaluated: it is smooth over a block."""
SUMMED = 4
"""Planes that are summed before the maximum along z is taken: about what a spot extends over."""
EDGE = 6
"""Bins at the edges of an image that are not compared: the background is not known so well there.
"""
MIDDLE = 512
"""Edge (bins) of the middle of the image whose planes are compared: enough structure, and fast."""
LARGEST_SPREAD = 2.5
"""Bins by which shifts may differ over an image of which nothing moved by itself, and of which yet
a part may be said to lie still: tissue that stretches more leaves all kinds of differences."""
FEW_PLANES, MORE_PLANES = 8, 12
"""Planes below which each is compared by itself: a projection of few planes is hardly more. Below
the second number that is done where projections are not sure: sums of half of the planes of a soft
specimen cancel, as they have been freed of the mean."""
BEYOND_SPOTS, NO_MATCH = -8.0, 0.0
"""Logarithms of the odds up to which spots are not asked, as no wrong pair was seen near them, and
from which on they are not, either, as the rest of the light denies a match: real beads behind
planted fringes were `registered` 2 px off. None of 108 matching pairs of few beads is lost by it.
"""
DENIED = 2.0
"""By how much the odds rise where few clear spots do not confirm a match of light: of 419 wrong
pairs of few beads one had odds of -4 by a strain that no stage makes, the next -3.6."""


def odds_of_images(
    images: tuple[NDArray[np.number], NDArray[np.number]],
    shifts_at: ShiftsAt,
    noise: float | None = None,
    turn: float = 0.0,
    pool: Executor | None = None,
) -> float:
    """Return the logarithm of the odds that two binned images (y, x) match by coincidence.

    `shifts_at` gives the shifts (n, 2) px at positions (n, 2) px in the reference, which is the
    first image. `noise` is the standard deviation of the noise, estimated if not given. The cycle
    has been turned back by `turn` degrees beforehand. The threads of `pool`, if there is one, share
    the work.
    """
    layers = images[0][None], images[1][None]
    return _likeness(layers, noise, shifts_at, turn, pool).log10_odds


@dataclass(frozen=True)
class Likeness:
    """How two stacks match.

    `log10_odds` is the logarithm of the odds that it is a coincidence; `is_opposite`: what is
    bright in the one is dark in the other; `is_by_planes`: projections alone are not sure of it.
    """

    log10_odds: float
    is_opposite: bool = False
    is_by_planes: bool = False


def likeness(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]],
    shifts_at: ShiftsAt,
    shift_z: float = 0.0,
    turn: float = 0.0,
    pool: Executor | None = None,
) -> Likeness:
    """Return how two binned stacks (Z, y, x) match that are `shift_z` planes apart.

    The other arguments are those of `odds_of_images`. Stacks of a few planes are compared plane by
    plane, of taller ones the projections. Few clear spots tell more by where exactly they lie, and
    deny what they do not confirm. The threads of `pool`, if there is one, share the work.
    """
    found = _likeness_of_light(stacks, shifts_at, shift_z, turn, pool)
    if not BEYOND_SPOTS < found.log10_odds <= NO_MATCH:
        return found
    reference, cycle = (clear_spots(_projection(stack)) for stack in stacks)
    if reference is None or cycle is None:
        return found
    shape = stacks[0].shape[1], stacks[0].shape[2]
    of_spots = log10_odds_of_spots(
        reference, cycle, shape, lambda places: _shifts_in_bins(shifts_at, places), turn
    )
    return replace(found, log10_odds=min(of_spots, found.log10_odds + DENIED))


def _likeness_of_light(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]],
    shifts_at: ShiftsAt,
    shift_z: float,
    turn: float,
    pool: Executor | None,
) -> Likeness:
    """Return how two binned stacks match, as `likeness`, by the light that they have in common."""
    planes = len(stacks[0]), len(stacks[1])
    projected = Likeness(np.inf)
    if min(planes) >= FEW_PLANES:
        one, two = (pool.map if pool else map)(_projection, stacks)
        projected = _likeness((one[None], two[None]), STEPS, shifts_at, turn, pool)
        if min(planes) >= MORE_PLANES or projected.log10_odds <= CERTAIN:
            return projected
    seen, seen_in_cycle = seen_by_both(slice(0, planes[0]), planes[0], planes[1], round(shift_z))
    if seen.stop == seen.start:
        return Likeness(0.0)
    layers = stacks[0][seen], stacks[1][seen_in_cycle]
    by_planes = _likeness(layers, STEPS, shifts_at, turn, pool)
    if min(planes) < FEW_PLANES:
        return by_planes
    # The lower odds of two, times their number.
    odds = min(projected.log10_odds, by_planes.log10_odds) + float(np.log10(2))
    return Likeness(odds, projected.is_opposite or by_planes.is_opposite, is_by_planes=True)


def _likeness(
    layers: tuple[NDArray[np.number], NDArray[np.number]],
    noise: float | None,
    shifts_at: ShiftsAt,
    turn: float,
    pool: Executor | None = None,
) -> Likeness:
    """Return how the layers (n, y, x) of reference and cycle match.

    The odds are the lowest of all HEIGHTS, times their number; once they are certain, no further
    one is looked at.
    """
    shifts = _in_bins(shifts_at, layers[0].shape[1:])
    odds, opposite = np.inf, False
    for height in HEIGHTS:
        prepare = functools.partial(_prepared, noise=noise, height=height)
        reference, cycle = (pool.map if pool else map)(prepare, layers)
        aligned = np.stack([moved(layer, shifts) for layer in cycle])
        found = log10_odds(reference, cycle, aligned, shifts.mean(axis=(0, 1)), turn, pool)
        odds = min(odds, found + np.log10(len(HEIGHTS)))
        opposite |= is_opposite(reference, aligned)
        if odds <= CERTAIN:
            break
    return Likeness(float(odds), opposite)


def _prepared(layers: NDArray[np.number], noise: float | None, height: float) -> Image:
    """Return the prepared layers (n, y, x)."""
    return np.stack([prepared(layer, noise, height) for layer in layers])


def parts_lie_still(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]], shifts_at: ShiftsAt, has_own_motion: bool
) -> bool:
    """Return whether a part of what two binned stacks (Z, y, x) show lies still on the camera.

    `has_own_motion`: some of it was seen not to follow the field.
    """
    reference, cycle = (prepared(stack.max(axis=0), STEPS) for stack in stacks)
    shifts = _in_bins(shifts_at, reference.shape)
    if not has_own_motion and np.ptp(shifts, axis=(0, 1)).max() > LARGEST_SPREAD:
        return False
    return partly_still(reference, moved(cycle, shifts), shifts.mean(axis=(0, 1)))


def unlike_and_skewness(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]], shifts_at: ShiftsAt
) -> tuple[float, float, float]:
    """Return which part of the structure of two binned stacks (Z, y, x) differs, noise apart.

    And the skewness of the rest, and of what differs.
    """
    reference, cycle = (stack.max(axis=0).astype(np.float32) for stack in stacks)
    aligned = moved(cycle, _in_bins(shifts_at, reference.shape))
    rows, columns = _without_edges(reference.shape)
    compared = reference[rows, columns], aligned[rows, columns]
    return unlike_share(*compared), *skewness_shared_and_own(*compared)


def planes_differ(stacks: tuple[NDArray[np.int16], NDArray[np.int16]], shifts_at: ShiftsAt) -> bool:
    """Return whether what planes of two binned stacks (Z, y, x) show by themselves is not the same.

    The stacks have been freed of what all their planes share.
    """
    reference, cycle = (stack.astype(np.float32) for stack in stacks)
    if not (show_structure(reference) and show_structure(cycle)):
        return False
    shifts = _in_bins(shifts_at, reference.shape[1:])
    aligned = np.stack([moved(plane, shifts) for plane in cycle])
    rows, columns = _without_edges(reference.shape[1:])
    return not are_planes_alike(reference[:, rows, columns], aligned[:, rows, columns])


def shift_z_of_planes(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]],
    means: tuple[Image, Image],
    shifts_at: ShiftsAt,
) -> float | None:
    """Return by how many planes a cycle is shifted along z whose mean matches under a field.

    Of two binned stacks (Z, y, x), freed of what all their planes share, with these `means` (y, x).
    None where their planes do not tell (`shift_z_beside_mean`).
    """
    shifts = _in_bins(shifts_at, means[0].shape)
    sizes = zip(_without_edges(means[0].shape), means[0].shape, strict=True)
    rows, columns = (
        slice(max(edge.start, middle.start), min(edge.stop, middle.stop))
        for edge, middle in ((edge, middle_of(size, MIDDLE)) for edge, size in sizes)
    )
    views = (
        lambda plane: plane[rows, columns],
        lambda plane: moved(plane, shifts)[rows, columns],
    )
    return shift_z_beside_mean(stacks, means, views)


def _without_edges(shape: tuple[int, ...]) -> list[slice]:
    """Return the part of an image (y, x) that is compared."""
    edges = [min(EDGE, size // 4) for size in shape]
    return [slice(edge, size - edge) for size, edge in zip(shape, edges, strict=True)]


def _projection(stack: NDArray[np.int16]) -> Image:
    """Return the maximum (y, x) along z of the sums of a few planes, with the noise of one plane.

    A maximum alone picks noise: a spot shows in several planes, noise in one.
    """
    count = max(round(len(stack) / SUMMED), 1)
    edges = np.linspace(0, len(stack), count + 1).round().astype(int)
    sums = (
        stack[start:stop].sum(axis=0, dtype=np.float32) / np.sqrt(np.float32(stop - start))
        for start, stop in itertools.pairwise(edges)
    )
    return functools.reduce(np.maximum, sums)


def _in_bins(shifts_at: ShiftsAt, shape: tuple[int, ...]) -> Image:
    """Return the shift (y, x, 2) in bins of each pixel of a binned image, from a coarse grid."""
    axes = [np.linspace(0, size - 1, max(2, -(-size // GRID))) for size in shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    coarse = _shifts_in_bins(shifts_at, places).reshape(*map(len, axes), 2)
    down, across = (_interpolation(size, len(axis)) for axis, size in zip(axes, shape, strict=True))
    planes = [down @ coarse[..., axis] @ across.T for axis in (0, 1)]
    return np.stack(planes, axis=-1).astype(np.float32)


def _shifts_in_bins(shifts_at: ShiftsAt, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shifts (n, 2) at places (n, 2), both in bins."""
    return np.asarray(shifts_at(places * BIN + (BIN - 1) / 2) / BIN)


def _interpolation(size: int, count: int) -> NDArray[np.float64]:
    """Return weights (size, count) of linear interpolation from `count` places to `size` pixels."""
    places = np.linspace(0, count - 1, size)
    return np.asarray(np.maximum(0, 1 - np.abs(places[:, None] - np.arange(count))))
