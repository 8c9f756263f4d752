"""Whether the planes of a cycle jump: some of them are missing, or doubled, or the stage slipped.

Each plane of the cycle is compared with the planes of the reference around the one that it is
expected at. A path leads from plane to plane: how far each one lies from where it is expected.
Tissue bends a path smoothly; a plane that was dropped makes it jump. Of both kinds the path along
which the planes are most alike is found by dynamic programming (Viterbi 1967,
doi:10.1109/TIT.1967.1054010), and many parts of the image say, each by itself, which one is right.
"""

import itertools
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.block_grid import seen_by_both
from crossreg.fiducial.correlation.binned import BIN, moved_part
from crossreg.fiducial.evidence.deformation import ShiftsAt
from crossreg.fiducial.field.grid_spline import interpolation
from crossreg.fiducial.verdict import Jump

Floats = NDArray[np.float64]

MIDDLE = 512
"""Edge (bins) of the middle of the image that is looked at: enough structure, little work."""
PART = 24
"""Edge (bins) of the parts that are compared each by itself: a few spots wide."""
MOST_PARTS = 100
"""Parts that are asked at most: those that show most."""
LAGS = 10
"""Planes around the expected one with which a plane is compared."""
FARTHEST, STEPS = 6.0, 8
"""Largest distance (planes) from where it is expected that a plane may have, and the steps in a
plane at which a path may lie."""
PLACES = 2 * round(FARTHEST * STEPS) + 1
"""Places along a path."""
STEEPEST = 2
"""Steps by which a smooth path changes from plane to plane at most: 0.25 planes. Expanded tissue
was seen to bend by 0.15."""
LEAST_JUMP = 5
"""Steps of a jump at least: 0.6 planes. One of just so many is not believed: a bend looks like it."""
FEWEST_PLANES = 3
"""Planes on each side of a jump at least."""
INDEPENDENT = 0.25
"""Share of the bins whose noise is independent of that of the others: the background that was
taken off, and spots, extend over a few."""
UNMATCHED = 0.02
"""Least part of the energy of two planes that their difference leaves: no two images are alike."""
LOUDEST = 2
"""Parts, those that speak loudest for a jump, that are not believed: a bright thing may."""
LIKELY, AGREED = 5.0, 1.6
"""Logarithm of the likelihood ratio of the other parts from which on a jump is believed, and by how
much all parts together have to exceed the root of the sum of their squares: they do where they
agree. Of 68 planted pairs without a jump two reached 1.5 and more."""
OWN, AGREED_BY_OWN = 6, 1.0
"""Steps by which a part may lie beside the field as a whole, and how well parts have to agree on
the jump once each is brought to where it lies: a few spots, high ones here and low ones there, make
what differs from place to place look like a jump."""


def jump_of_planes(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]], shifts_zyx_at: ShiftsAt
) -> Jump | None:
    """Return the jump along z between two binned stacks (Z, y, x), reference and cycle, if any.

    `shifts_zyx_at` gives the shifts (n, 3) of the field at positions (n, 2) px of its middle plane.
    """
    reference, cycle = stacks
    rows_of_parts, columns_of_parts = map(_parts, reference.shape[1:])
    parts = [(rows, columns) for rows in rows_of_parts for columns in columns_of_parts]
    parts = _strongest(reference, parts)
    middles = [[BIN * (part.start + part.stop) / 2 for part in both] for both in parts]
    shifts = shifts_zyx_at(np.array(middles))
    base = round(float(np.median(shifts[:, 0])))
    _, seen = seen_by_both(slice(0, len(reference)), len(reference), len(cycle), base)
    if seen.stop - seen.start < 2 * FEWEST_PLANES:
        return None
    support = _support_of_places(stacks, parts, shifts)[:, seen]
    jump, smooth, gains = _likeliest(support)
    others = np.sort(gains)[:-LOUDEST].sum()
    if abs(jump.by) * STEPS <= LEAST_JUMP or others <= LIKELY or _agreement(gains) <= AGREED:
        return None
    by_own = _likeliest(_in_its_own_place(support, smooth))[2]
    if _agreement(by_own) <= AGREED_BY_OWN:
        return None
    return replace(jump, plane=jump.plane + seen.start)


def _agreement(gains: Floats) -> float:
    """Return the sum of what parts gain over the root of the sum of squares."""
    return float(gains.sum() / max(np.linalg.norm(gains), 1e-9))


def _in_its_own_place(support: Floats, path: NDArray[np.intp]) -> Floats:
    """Return the support (parts, Z, places), that of each part moved to where it supports a path.

    It is moved as a whole, by OWN places at most.
    """
    planes, places = np.arange(len(path)), np.arange(support.shape[2])
    moves = np.arange(-OWN, OWN + 1)
    moved = np.clip(path + moves[:, None], 0, places[-1])
    best = moves[support[:, planes, moved].sum(axis=2).argmax(axis=1)]
    index = np.clip(places + best[:, None], 0, places[-1])
    return np.take_along_axis(support, index[:, None], axis=2)


def _support_of_places(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]],
    parts: list[tuple[slice, slice]],
    shifts_zyx: Floats,
) -> Floats:
    """Return the support (parts, Z, places) of each part for each place that a plane may have.

    That is the logarithm of the likelihood of a plane of the cycle, for distances from -FARTHEST to
    FARTHEST from where the field, with `shifts_zyx` (parts, 3), expects it.
    """
    reference, cycle = stacks
    base = round(float(np.median(shifts_zyx[:, 0])))
    expected = np.arange(len(cycle))[:, None] + base + np.arange(-LAGS, LAGS + 1)
    planes = np.clip(expected, 0, len(reference) - 1)
    compared: list[tuple[Floats, Floats, Floats]] = []
    structure = np.zeros(2)
    for (rows, columns), shift in zip(parts, shifts_zyx, strict=True):
        fixed = reference[:, rows, columns].reshape(len(reference), -1).astype(np.float32)
        moved = _moved(cycle, rows, columns, shift[1:] / BIN).reshape(len(cycle), -1)
        products = np.take_along_axis(moved @ fixed.T, planes, axis=1).astype(float)
        energies = [np.square(one).sum(axis=1, dtype=float) for one in (fixed, moved)]
        compared.append((products, energies[0][planes], energies[1]))
        structure += [max(float(np.vdot(one[1:], one[:-1])), 0.0) for one in (fixed, moved)]
    if structure.min() == 0:
        return np.zeros((0, len(cycle), PLACES))
    gain = float(np.sqrt(structure[1] / structure[0]))
    coarse = np.array([_left_over(*of_part, gain) for of_part in compared])
    fine = np.linspace(-LAGS, LAGS, 2 * LAGS * STEPS + 1)
    left = coarse @ interpolation(2 * LAGS + 1, fine + LAGS).T
    offsets = np.rint((shifts_zyx[:, 0] - base) * STEPS).astype(int)
    index = (len(fine) - PLACES) // 2 + np.arange(PLACES) + offsets[:, None]
    left = np.take_along_axis(left, np.clip(index, 0, len(fine) - 1)[:, None], axis=2)
    return np.asarray(-0.5 * INDEPENDENT * PART**2 * np.log(np.maximum(left, UNMATCHED)))


def _left_over(products: Floats, of_reference: Floats, of_cycle: Floats, gain: float) -> Floats:
    """Return the energy (Z, lags) of differences of planes, relative to that of unlike planes.

    From the planes' `products` (Z, lags), the energies `of_reference` (Z, lags) and `of_cycle`
    (Z,), and by how much brighter the cycle is. That is the same for all planes: if each had its
    own, a lone spot would look alike in all planes that show it.
    """
    difference = of_cycle[:, None] - 2 * gain * products + gain**2 * of_reference
    whole = of_cycle + gain**2 * np.median(of_reference)
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


def _likeliest(support: Floats) -> tuple[Jump, NDArray[np.intp], Floats]:
    """Return the likeliest jump, the smooth path (Z,), and what the jump gains (parts,) over it.

    `support` (parts, Z, places) is that for the places of planes.
    """
    total = support.sum(axis=0)
    planes = len(total)
    ahead, from_ahead = _smooth_paths(total)
    back, from_back = _smooth_paths(total[::-1])
    smooth = _traced(from_ahead, int(ahead[-1].argmax()))
    best, jump = -np.inf, (0, 0, 0)
    for plane in range(FEWEST_PLANES, planes - FEWEST_PLANES + 1):
        for before, after in _across(ahead[plane - 1], back[planes - 1 - plane]):
            found = ahead[plane - 1, before] + back[planes - 1 - plane, after]
            if found > best:
                best, jump = found, (plane, before, after)
    plane, before, after = jump
    jumping = np.concatenate(
        [_traced(from_ahead[:plane], before), _traced(from_back[: planes - plane], after)[::-1]]
    )
    index = np.arange(planes)
    gains = (support[:, index, jumping] - support[:, index, smooth]).sum(axis=1)
    return Jump(plane, (after - before) / STEPS), smooth, gains


def _smooth_paths(total: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Return (support, places before), both (Z, places), of the best smooth path to each place."""
    planes, places = total.shape
    support, before = total.copy(), np.zeros(total.shape, dtype=np.intp)
    steps = np.arange(-STEEPEST, STEEPEST + 1)
    sources = np.arange(places) + steps[:, None]
    inside = (sources >= 0) & (sources < places)
    sources = np.clip(sources, 0, places - 1)
    for plane in range(1, planes):
        reached = np.where(inside, support[plane - 1][sources], -np.inf)
        best = reached.argmax(axis=0)
        before[plane] = sources[best, np.arange(places)]
        support[plane] += reached[best, np.arange(places)]
    return support, before


def _traced(before: NDArray[np.intp], last: int) -> NDArray[np.intp]:
    """Return the places (Z,) of the path that ends at the place `last`."""
    path = np.empty(len(before), dtype=np.intp)
    for plane in range(len(before) - 1, -1, -1):
        path[plane] = last
        last = int(before[plane, last])
    return path


def _across(ahead: Floats, back: Floats) -> list[tuple[int, int]]:
    """Return the best places (before, after) of a jump up and of one down."""
    found = []
    for sign in (1, -1):
        one, two = ahead[::sign], back[::sign]
        highest = np.maximum.accumulate(one[:-LEAST_JUMP])
        after = int((highest + two[LEAST_JUMP:]).argmax()) + LEAST_JUMP
        before = int(one[: after - LEAST_JUMP + 1].argmax())
        last = len(ahead) - 1
        found.append((before, after) if sign == 1 else (last - before, last - after))
    return found


def _strongest(
    reference: NDArray[np.int16], parts: list[tuple[slice, slice]]
) -> list[tuple[slice, slice]]:
    """Return the parts that show most, MOST_PARTS at most.

    Noise of neighbouring planes is independent: their products are those of the structure.
    """
    if len(parts) <= MOST_PARTS:
        return parts
    sample = reference[:, ::2, ::2].astype(np.float32)
    products = np.einsum("zyx,zyx->yx", sample[1:], sample[:-1])
    strength = [
        products[rows.start // 2 : rows.stop // 2, columns.start // 2 : columns.stop // 2].sum()
        for rows, columns in parts
    ]
    return [parts[number] for number in np.argsort(strength)[::-1][:MOST_PARTS]]


def _parts(size: int) -> list[slice]:
    """Return the parts of an axis of `size` bins, in the middle, that are compared."""
    length = min(size, MIDDLE)
    start = (size - length) // 2
    edges = np.linspace(start, start + length, max(1, round(length / PART)) + 1).astype(int)
    return [slice(int(low), int(high)) for low, high in itertools.pairwise(edges)]
