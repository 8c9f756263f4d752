"""Which planes of two stacks show the same, and what that says of their z steps."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from crossreg.fiducial.correlation.binned import BIN, moved_part

Similarities = NDArray[np.floating]

MIDDLE = 512
"""Edge (bins) of the middle of the image that is looked at: enough structure, little work."""
REACH = 8
"""Bins around the expected shift in which a single plane is looked for in a stack."""
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
CERTAIN = 6.0
"""Standard deviations of chance that the similarities along a line exceed where it is believed."""

HALF_NORMAL = 0.6028
"""Standard deviation of the lower half of a normal variable of standard deviation 1."""


@dataclass(frozen=True)
class _Line:
    """How alike the planes along a line are: `score` is their sum over the root of their number."""

    ratio: float
    score: float


def plane_similarities(
    stacks: tuple[NDArray[np.int16], NDArray[np.int16]], shift_yx: NDArray[np.floating]
) -> Similarities:
    """Return the cosine (Z, Z') between each plane of a binned stack and each of another.

    The second one, the cycle, is moved by `shift_yx` (px); the middle of the image is compared.
    """
    reference, cycle = stacks
    inside = [_middle(size) for size in reference.shape[1:]]
    offset = (round(float(shift_yx[0]) / BIN), round(float(shift_yx[1]) / BIN))
    one = reference[:, inside[0], inside[1]].reshape(len(reference), -1).astype(np.float32)
    two = moved_part(cycle, inside[0], inside[1], offset).reshape(len(cycle), -1)
    energies = np.outer(np.square(one).sum(axis=1), np.square(two).sum(axis=1))
    result: np.ndarray = (one @ two.T) / np.sqrt(np.maximum(energies, 1.0))
    return result


def ratio_of_z_steps(similarities: Similarities) -> float:
    """Return how many planes of the cycle follow each other for one plane of the reference.

    1 where nothing else explains the similarities (Z, Z') clearly better; negative where the planes
    of the cycle run the other way.
    """
    if min(similarities.shape) < FEWEST_PLANES:
        return 1.0
    lines = [_best_line(similarities, sign * ratio) for ratio in RATIOS for sign in (1, -1)]
    best = max(lines, key=lambda line: line.score)
    usual = max(line.score for line in lines if abs(line.ratio - 1) <= USUAL)
    chance = float(np.std(similarities[similarities < np.median(similarities)])) / HALF_NORMAL
    believed = best.score > CERTAIN * chance and best.score > CLEARLY * usual
    return best.ratio if believed else 1.0


def _best_line(similarities: Similarities, ratio: float) -> _Line:
    """Return the line of a slope along which the planes are most similar, over all offsets."""
    rows, columns = similarities.shape
    offsets = np.arange(-0.6 * columns, 0.6 * columns, OFFSET_STEP)[:, None]
    row = np.arange(rows)
    column = ratio * (row - (rows - 1) / 2) + (columns - 1) / 2 + offsets
    inside = (column >= 0) & (column <= columns - 1)
    values = scipy.ndimage.map_coordinates(
        similarities, [np.broadcast_to(row, column.shape), column], order=1, mode="nearest"
    )
    count = inside.sum(axis=1)
    enough = count >= LEAST_OVERLAP * min(rows, columns / abs(ratio))
    scores = np.where(enough, (values * inside).sum(axis=1) / np.sqrt(np.maximum(count, 1)), 0.0)
    return _Line(ratio, float(scores.max()))


def matching_plane(
    plane: NDArray[np.int16], stack: NDArray[np.int16], shift_yx: NDArray[np.floating]
) -> int:
    """Return which plane of a binned stack (Z, y, x) a single binned plane (y, x) resembles most.

    `shift_yx` (px) brings the stack to the plane; the plane is looked for REACH bins around it.
    """
    offset = (round(float(shift_yx[0]) / BIN), round(float(shift_yx[1]) / BIN))
    rows, columns = (slice(0, size) for size in plane.shape)
    moved = moved_part(stack, rows, columns, offset)
    spectra = scipy.fft.rfft2(moved) * np.conj(scipy.fft.rfft2(plane.astype(np.float32)))
    values = scipy.fft.irfft2(spectra, s=plane.shape)
    near = [np.arange(-REACH, REACH + 1) % size for size in plane.shape]
    highest = values[:, near[0][:, None], near[1]].max(axis=(1, 2))
    energies = np.square(moved).sum(axis=(1, 2))
    return int(np.argmax(highest / np.sqrt(np.maximum(energies, 1.0))))


def _middle(size: int) -> slice:
    """Return the range of at most MIDDLE bins in the middle of an axis."""
    start = max(0, (size - MIDDLE) // 2)
    return slice(start, min(size, start + MIDDLE))
