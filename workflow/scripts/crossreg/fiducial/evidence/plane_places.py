"""Where the planes of a cycle lie in the reference, beside where the field expects them.

Each plane of the cycle is compared with the planes of the reference around the one that it is
expected at, and so it is found, to a tenth of a plane or better, how far from there it lies.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.block_grid import evenly_cut, middle_of, seen_by_both
from crossreg.fiducial.correlation.binned_stacks import BIN, moved_part, shown_planes
from crossreg.fiducial.evidence.deformation import ShiftsAt
from crossreg.fiducial.field.grid_spline import interpolation
from crossreg.fiducial.quantiles import median

Floats = NDArray[np.float64]

MIDDLE = 512
"""Edge (bins) of the middle of the image that is looked at: enough structure, little work."""
PART = 24
"""Edge (bins) of the parts that are compared each by itself, so that what is bright in one of them
does not rule: a few spots wide."""
MOST_PARTS = 100
"""Parts that are compared at most: those that show most."""
GROUPS = 4
"""Groups of parts that show independently of each other where planes lie."""
LAGS = 10
"""Planes around the expected one with which a plane is compared."""
FARTHEST, STEPS = 6, 4
"""Largest distance (planes) from where it is expected at which a plane is looked for, and how many
places in a plane are tried."""
UNMATCHED = 0.02
"""Least part of the energy of two planes that their difference leaves: no two images are alike."""
MOST_WEIGHT = 3.0
"""Weight of a plane at most, relative to the median: a few with bright things must not rule."""
LEAST_SHARPNESS = 1e-9
"""Sharpness of a peak at least: stacks without structure have none."""


@dataclass(frozen=True)
class Places:
    """How far planes of the cycle lie from where the field expects them.

    Attributes
    ----------
    planes : (n,) their numbers; those without image, as lost ones, are left out.
    away : (n,) planes of the reference.
    weights : (n,) how much each counts.

    """

    planes: NDArray[np.int64]
    away: Floats
    weights: Floats


@dataclass(frozen=True)
class PlacedPlanes:
    """The places of planes that all parts show together, and those that each of GROUPS shows."""

    whole: Places
    groups: tuple[Places, ...]


def placed_planes(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]], shifts_zyx_at: ShiftsAt
) -> PlacedPlanes | None:
    """Return where the planes of the second of two binned stacks (Z, y, x), the cycle, lie.

    `shifts_zyx_at` gives the shifts (n, 3) of the field at positions (n, 2) px of its middle plane.
    None where both show nothing in common.
    """
    reference, cycle = stacks
    rows_of_parts, columns_of_parts = map(_parts, reference.shape[1:])
    parts = [(rows, columns) for rows in rows_of_parts for columns in columns_of_parts]
    middles = np.array([[BIN * (part.start + part.stop) / 2 for part in both] for both in parts])
    shifts = shifts_zyx_at(middles)
    in_cycle = middles - shifts[:, 1:]
    shown = np.all((in_cycle >= 0) & (in_cycle < BIN * np.array(cycle.shape[1:])), axis=1)
    if not shown.any():
        return None
    chosen = _strongest(reference, parts, shown)
    parts, shifts = [parts[number] for number in chosen], shifts[chosen]
    planes = _shown_in_both(stacks, round(median(shifts[:, 0])))
    if not len(planes):
        return None
    likelihoods = _likelihoods(stacks, parts, shifts, planes)[:, planes]
    whole, *groups = (
        Places(planes, *_likeliest(some.sum(axis=0)))
        for some in (likelihoods, *(likelihoods[first::GROUPS] for first in range(GROUPS)))
    )
    return PlacedPlanes(whole, tuple(groups))


def _shown_in_both(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]], base: int
) -> NDArray[np.intp]:
    """Return the planes of the cycle that meet one of the reference, `base` planes further."""
    reference, cycle = stacks
    parts = seen_by_both(slice(0, len(reference)), len(reference), len(cycle), base)
    shown = [shown_planes(stack[part]) for stack, part in zip(stacks, parts, strict=True)]
    return np.asarray(np.flatnonzero(shown[0] & shown[1]) + parts[1].start)


def _likelihoods(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]],
    parts: list[tuple[slice, slice]],
    shifts_zyx: Floats,
    shared: NDArray[np.intp],
) -> Floats:
    """Return the log-likelihoods (parts, Z, places) of where each plane of the cycle may lie.

    The places are -FARTHEST to FARTHEST planes away from where the field expects it, with
    `shifts_zyx` (parts, 3). A factor is left out, so that but their ratios count. What the `shared`
    planes of the cycle, and those of the reference that they meet, have in common is taken off:
    it was taken off the stacks, too, but from all planes of each.
    """
    reference, cycle = stacks
    base = round(median(shifts_zyx[:, 0]))
    expected = np.arange(len(cycle))[:, None] + base + np.arange(-LAGS, LAGS + 1)
    planes = np.clip(expected, 0, len(reference) - 1)
    compared: list[tuple[Floats, Floats, Floats]] = []
    structure: list[list[float]] = []
    for (rows, columns), shift in zip(parts, shifts_zyx, strict=True):
        fixed = reference[:, rows, columns].reshape(len(reference), -1).astype(np.float32)
        moved = _moved(cycle, rows, columns, shift[1:] / BIN).reshape(len(cycle), -1)
        fixed -= fixed[shared + base].mean(axis=0)
        moved -= moved[shared].mean(axis=0)
        products = np.take_along_axis(moved @ fixed.T, planes, axis=1).astype(float)
        energies = [np.square(one).sum(axis=1, dtype=float) for one in (fixed, moved)]
        compared.append((products, energies[0][planes], energies[1]))
        structure.append([float(np.vdot(one[1:], one[:-1])) for one in (fixed, moved)])
    gain = _gain(np.array(structure))
    if gain == 0:
        return np.zeros((len(parts), len(cycle), 2 * FARTHEST * STEPS + 1))
    coarse = np.array([_left_over(*of_part, gain) for of_part in compared])
    fine = np.linspace(-LAGS, LAGS, 2 * LAGS * STEPS + 1)
    left = coarse @ interpolation(2 * LAGS + 1, fine + LAGS).T
    offsets = np.rint((shifts_zyx[:, 0] - base) * STEPS).astype(int)
    places = np.arange(-FARTHEST * STEPS, FARTHEST * STEPS + 1) + LAGS * STEPS
    index = np.clip(places + offsets[:, None], 0, len(fine) - 1)
    left = np.take_along_axis(left, index[:, None], axis=2)
    return -np.asarray(np.log(np.maximum(left, UNMATCHED)))


def _gain(structure: Floats) -> float:
    """Return how much brighter the cycle is, from what parts (n, 2) of both show; 0 if unknown.

    Half of what both show is brighter: bright dirt in a few parts of one of them must not rule.
    """
    shown = structure[structure.min(axis=1) > 0]
    if not len(shown):
        return 0.0
    ratios = shown[:, 1] / shown[:, 0]
    order = np.argsort(ratios)
    weights = np.cumsum(shown.min(axis=1)[order])
    return float(np.sqrt(ratios[order[np.searchsorted(weights, weights[-1] / 2)]]))


def _left_over(products: Floats, of_reference: Floats, of_cycle: Floats, gain: float) -> Floats:
    """Return the energy (Z, lags) of differences of planes, relative to that of unlike planes.

    From the planes' `products` (Z, lags), the energies `of_reference` (Z, lags) and `of_cycle`
    (Z,), and by how much brighter the cycle is. That is the same for all planes: if each had its
    own, a lone spot would look alike in all planes that show it.
    """
    difference = of_cycle[:, None] - 2 * gain * products + gain**2 * of_reference
    whole = of_cycle + gain**2 * median(of_reference)
    return np.asarray(difference / np.maximum(whole, 1)[:, None])


def _moved(
    stack: NDArray[np.int16], rows: slice, columns: slice, shift_yx: Floats
) -> NDArray[np.float32]:
    """Return what lies at rows x columns (Z, y, x) once the stack is moved by a shift in bins."""
    whole = np.floor(shift_yx).astype(int)
    down, across = (float(part) for part in shift_yx - whole)
    more = slice(rows.start - 1, rows.stop), slice(columns.start - 1, columns.stop)
    part = moved_part(stack, *more, (int(whole[0]), int(whole[1])))
    part = (1 - down) * part[:, 1:] + down * part[:, :-1]
    return np.asarray((1 - across) * part[..., 1:] + across * part[..., :-1])


def _likeliest(likelihoods: Floats) -> tuple[Floats, Floats]:
    """Return how far (Z,) planes lie from where they are expected, and the weight of each.

    From their log-likelihoods (Z, places): the top of the highest peak, and how sharp it is.
    """
    highest = np.clip(likelihoods.argmax(axis=1), 1, likelihoods.shape[1] - 2)
    before, here, after = (
        likelihoods[np.arange(len(likelihoods)), highest + step] for step in (-1, 0, 1)
    )
    sharpness = np.maximum(2 * here - before - after, LEAST_SHARPNESS)
    top = highest + np.clip(0.5 * (after - before) / sharpness, -0.5, 0.5)
    weights = np.minimum(sharpness / median(sharpness), MOST_WEIGHT)
    return top / STEPS - FARTHEST, weights


def _strongest(
    reference: NDArray[np.int16], parts: list[tuple[slice, slice]], shown: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return the numbers of the parts, of those `shown` (n,) in both, that show most.

    They are MOST_PARTS at most. Noise of neighbouring planes is independent: their products are
    those of the structure.
    """
    numbers = np.flatnonzero(shown)
    if len(numbers) <= MOST_PARTS:
        return numbers
    sample = reference[:, ::2, ::2].astype(np.float32)
    products = np.einsum("zyx,zyx->yx", sample[1:], sample[:-1])
    strength = [
        products[rows.start // 2 : rows.stop // 2, columns.start // 2 : columns.stop // 2].sum()
        for rows, columns in (parts[number] for number in numbers)
    ]
    return numbers[np.argsort(strength)[::-1][:MOST_PARTS]]


def _parts(size: int) -> list[slice]:
    """Return the parts of an axis of `size` bins, in the middle, that are compared."""
    middle = middle_of(size, MIDDLE)
    return evenly_cut(middle, max(1, round((middle.stop - middle.start) / PART)))
