"""Which planes of two stacks show the same, and what that says of their z steps."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.block_grid import evenly_cut, middle_of
from crossreg.fiducial.correlation.binned_stacks import BIN, STEPS, moved_part
from crossreg.fiducial.correlation.transforms import images_of, spectra_of
from crossreg.fiducial.evidence.deformation import ShiftsAt
from crossreg.fiducial.quantiles import medians

Similarities = NDArray[np.floating]

MIDDLE = 512
"""Edge (bins) of the middle of the image that is looked at: enough structure, little work."""
PART = 48
"""Edge (bins) of the parts that are moved by one shift each."""
REACH = 8
"""Bins around the expected shift in which a single plane is looked for in a stack."""
LEAST_SIGNAL = 0.1
"""Part of a plane's variance that is counted as structure at least."""
FEWEST_PLANES = 6
"""Planes from which on a z step can be told."""
RATIOS = (0.25, 1 / 3, 0.5, 2 / 3, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0)
"""Planes of the cycle for one plane of the reference that are tried, forwards and backwards."""
USUAL = 0.15
"""By how much a ratio may differ from 1 in tissue that swells or shrinks; 5 % were seen."""
LEAST_OVERLAP = 0.4
"""Part of the planes, of the stack with fewer matching ones, that have to meet."""
OFFSET_STEP = 0.5
"""Planes between the offsets that are tried."""
CLEARLY = 1.3
"""Factor by which another ratio than 1 has to explain the similarities better to be believed."""
LEAST_UNLIKE = 0.5
"""Score of the planes along a line that is opposite: planted ones reach 1.7, planes that all show
the same 0.03."""
LEAST_FOLLOWING = 0.25
"""Product of the slopes of the planes' best partners, there and back, that a ratio asks for: 1
where both are exact, 0 where all planes of a stack have one partner."""
NEAR_END = 1
"""Planes from an end of a stack up to which what it shows may be the light of something beyond."""
LEAST_FOLLOWED = 0.45
"""Planes by which the best partners move on for each plane, at least, where they are told apart: of
layers out of focus 0.0 to 0.4, in focus 0.5 to 1 once they lie two planes or more inside."""
AROUND = 2
"""Planes around the expected one in which a plane's partner may lie: tissue bends and is tilted."""
LEAST_LIKE = 0.7
"""How alike expected partners are, at least, relative to those that are most alike."""
BY_CHANCE = 0.15
"""Cosine between planes that noise does not reach, in images of 64 bins and more."""
CERTAIN, CERTAIN_IN_ORDER = 6.0, 3.5
"""Standard deviations of chance that the similarities along a line exceed where it is believed, and
those that are enough where the planes' best partners follow each other there and back as it says:
planes of soft tissue are all alike, which looks like much chance."""
IN_ORDER = 0.15
"""Part by which the slopes of the best partners may then differ from the ratio."""


@dataclass(frozen=True)
class _Line:
    """How alike the planes along a line are: `score` is their sum over the root of their number."""

    ratio: float
    score: float


def plane_similarities(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]], shifts_at: ShiftsAt
) -> Similarities:
    """Return the cosine (Z, Z') between each plane of a binned stack and each of another.

    `shifts_at` gives the shifts (n, 2) px that bring the second one, the cycle, to positions (n, 2)
    px of the first. The middle of the image is compared, part by part, each under its own shift.
    What a plane shares with all planes of the other stack says nothing of its depth and is off.
    """
    reference, cycle = stacks
    products = np.zeros((len(reference), len(cycle)))
    one, two = np.zeros(len(reference)), np.zeros(len(cycle))
    parts = list(itertools.product(*map(_parts, reference.shape[1:])))
    middles = [[BIN * (part.start + part.stop) / 2 for part in both] for both in parts]
    offsets = np.rint(shifts_at(np.array(middles)) / BIN).astype(int)
    for (rows, columns), offset in zip(parts, offsets, strict=True):
        fixed = reference[:, rows, columns].reshape(len(reference), -1).astype(np.float32)
        moved = moved_part(cycle, rows, columns, (int(offset[0]), int(offset[1])))
        moved = moved.reshape(len(cycle), -1)
        products += fixed @ moved.T
        one += np.square(fixed).sum(axis=1)
        two += np.square(moved).sum(axis=1)
    cosines = products / np.sqrt(np.maximum(np.outer(one, two), 1.0))
    cosines -= medians(cosines, 0)
    return np.asarray(cosines - medians(cosines, 1)[:, None])


def is_shift_open(similarities: Similarities, shift_z: float) -> bool:
    """Return whether planes that resemble each other most (Z, Z') leave the shift along z open.

    A cycle that is focused beside the specimen shows its light out of focus only: more of it from
    plane to plane, up to the end of the stack, and all of these planes resemble the same plane of
    the reference. `shift_z` planes bring the cycle to the reference; they contradict it, too, where
    it brings others together.
    """
    if min(similarities.shape) < FEWEST_PLANES or similarities.max() <= BY_CHANCE:
        return False
    views = similarities, similarities.T
    at_end = any(_rises_to_an_end(view) for view in views)
    if at_end and any(_average_step(view) < LEAST_FOLLOWED for view in views):
        return True
    return all(
        _is_unlike(view, shift) for view, shift in zip(views, (shift_z, -shift_z), strict=True)
    )


def _rises_to_an_end(similarities: Similarities) -> bool:
    """Return whether the plane (Z') that resembles any (Z) most lies at an end."""
    best = int(similarities.max(axis=0).argmax())
    return bool(min(best, similarities.shape[1] - 1 - best) <= NEAR_END)


def _average_step(similarities: Similarities) -> float:
    """Return by how many planes (Z) partners move away from the best one, plane by plane (Z')."""
    highest = np.maximum(similarities.max(axis=0), 0.0)
    partners, best = similarities.argmax(axis=0), int(highest.argmax())
    away = np.square(highest) @ np.abs(np.arange(len(highest)) - best)
    moved = np.square(highest) @ np.abs(partners - partners[best])
    return float(moved / away) if away else 1.0


def _is_unlike(similarities: Similarities, shift_z: float) -> bool:
    """Return whether the best plane (Z') resembles others than the expected planes (Z) most."""
    best = int(similarities.max(axis=0).argmax())
    expected = round(best + shift_z)
    near = similarities[max(expected - AROUND, 0) : max(expected + AROUND + 1, 0), best]
    return float(near.max(initial=0.0)) < LEAST_LIKE * float(similarities[:, best].max())


def are_opposite(similarities: Similarities) -> bool:
    """Return whether planes that correspond (Z, Z') are bright in the one and dark in the other.

    Then they are clearly more unlike along a line than any others are alike. Where all planes show
    the same, they are hardly either.
    """
    if min(similarities.shape) < FEWEST_PLANES:
        return False
    alike, unlike = (_best_line(sign * similarities, 1.0).score for sign in (1, -1))
    return unlike > max(CLEARLY * alike, LEAST_UNLIKE)


def _best_line(similarities: Similarities, ratio: float) -> _Line:
    """Return the line of a slope along which the planes are most similar, over all offsets."""
    rows, columns = similarities.shape
    offsets = np.arange(-0.6 * columns, 0.6 * columns, OFFSET_STEP)[:, None]
    row = np.arange(rows)
    column = ratio * (row - (rows - 1) / 2) + (columns - 1) / 2 + offsets
    inside = (column >= 0) & (column <= columns - 1)
    whole = np.clip(np.floor(column).astype(int), 0, columns - 2)
    part = np.clip(column - whole, 0, 1)
    values = (1 - part) * similarities[row, whole] + part * similarities[row, whole + 1]
    count = inside.sum(axis=1)
    enough = count >= LEAST_OVERLAP * min(rows, columns / abs(ratio))
    scores = np.where(enough, (values * inside).sum(axis=1) / np.sqrt(np.maximum(count, 1)), 0.0)
    return _Line(ratio, float(scores.max()))


def matching_plane(
    plane: NDArray[np.int16], stack: NDArray[np.int16], shift_yx: NDArray[np.floating]
) -> tuple[int, float]:
    """Return which plane of a binned stack (Z, y, x) a single binned plane (y, x) resembles most.

    Also how far (planes) from there the others lie, as a standard deviation, that may be it just as
    well: all planes of a single layer look alike, but for their noise. `shift_yx` (px) brings the
    stack to the plane; the plane is looked for REACH bins around it.
    """
    offset = (round(float(shift_yx[0]) / BIN), round(float(shift_yx[1]) / BIN))
    rows, columns = (slice(0, size) for size in plane.shape)
    moved = moved_part(stack, rows, columns, offset)
    plane = plane.astype(np.float32)
    spectra = spectra_of(moved, plane.shape) * np.conj(spectra_of(plane, plane.shape))
    values = images_of(spectra, plane.shape)
    near = [np.arange(-REACH, REACH + 1) % size for size in plane.shape]
    highest = values[:, near[0][:, None], near[1]].max(axis=(1, 2))
    energies = np.square(moved).sum(axis=(1, 2))
    best = int(np.argmax(highest / np.sqrt(np.maximum(energies, 1.0))))
    noise = float(STEPS**2 * plane.size)
    own = float(np.square(plane).sum())
    shown = np.maximum(energies - noise, LEAST_SIGNAL * energies)
    shown_own = max(own - noise, LEAST_SIGNAL * own)
    # The transforms are unitary, so that a product of two has to be scaled.
    alike = highest * np.sqrt(plane.size) / np.sqrt(shown * shown_own)
    by_energy = alike * np.sqrt(noise * STEPS**2 / 2 + STEPS**2 * energies) / shown
    unsure = np.hypot(STEPS * np.sqrt((energies + own) / (shown * shown_own)), by_energy)
    weight = np.exp(-0.5 * ((alike[best] - alike) / np.hypot(unsure, unsure[best])) ** 2)
    weight[alike >= alike[best]] = 1.0
    away = np.arange(len(stack)) - best
    return best, float(np.sqrt(weight @ away**2 / weight.sum()))


def _parts(size: int) -> list[slice]:
    """Return the parts of an axis of `size` bins, in the middle, that are compared."""
    middle = middle_of(size, MIDDLE)
    return evenly_cut(middle, -(-(middle.stop - middle.start) // PART))
