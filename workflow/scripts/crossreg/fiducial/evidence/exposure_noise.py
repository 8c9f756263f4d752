"""The noise of an exposure, by which a copy of it is known wherever it was moved to.

A copy shares the noise of the camera with its original, also if it was moved by whole pixels, cut,
padded, or given other grey values; two exposures of one specimen share but what both show. Noise is
seen in second differences (Immerkaer 1996, doi:10.1006/cviu.1996.0060), of which the signs alone
are kept: they do not depend on grey values, and a few bright spots do not count for more.
"""

import base64
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EDGE = 32
"""Edge (px) of a place where noise is looked at: the middle of each quarter of the image."""
PLACES = 4
REACH = 2
"""Shift (px) by which two cycles may have been matched otherwise."""
FEWEST_SIGNS = 400
"""Signs below which nothing is said: where images are empty or clipped, there are none."""
ONE_EXPOSURE, ONE_EXPOSURE_COARSER = 0.92, 0.6
"""How far the signs of one exposure agree at least, from 0 to 1; the second where one of the two
has less than 1 / COARSER of the other's grey levels, as in 8 bits. Repeated exposures of real beads
reach 0.1, planted ones 0.5, real images of which each photon went to one of two 0.9; copies of real
stacks and of planted ones in other 16 bits 0.94 to 1, in 8 bits mostly 0.6 to 1, less where these
are too coarse to show noise."""
COARSER = 2


@dataclass(frozen=True)
class Noise:
    """The noise of a stack at PLACES in the reference, as far as a copy has it too.

    `signs` (PLACES, EDGE, EDGE) of second differences, 0 where none shows; `levels` is how many
    different grey values there are.
    """

    signs: NDArray[np.int8]
    levels: int

    def as_text(self) -> str:
        """Return the noise as a short text, for the head of a table."""
        bits = np.packbits([self.signs > 0, self.signs < 0])
        return f"{self.levels} {base64.b64encode(bits.tobytes()).decode()}"


def from_text(text: str) -> Noise:
    """Return the noise that `Noise.as_text` made a text of; ValueError if it is another text."""
    levels, signs = text.split()
    bits = np.unpackbits(np.frombuffer(base64.b64decode(signs, validate=True), np.uint8))
    positive, negative = bits.astype(np.int8).reshape(2, PLACES, EDGE, EDGE)
    return Noise(positive - negative, int(levels))


def noise_of(stack: NDArray[np.number], shift_yx: Sequence[float] = (0.0, 0.0)) -> Noise:
    """Return the noise of a stack (Z, Y, X) that `shift_yx` (px) brings to the reference.

    Planes count for and against in turns: what they share, as a camera's pattern, is no noise.
    """
    size = EDGE + 2
    starts = [
        [round(quarter * edge / 4 - size / 2) - round(shift) for quarter in (1, 3)]
        for edge, shift in zip(stack.shape[1:], shift_yx, strict=True)
    ]
    turns = 1.0 - 2.0 * (np.arange(len(stack)) % 2)
    if len(stack) > 1:
        turns -= turns.mean()
    places = np.full((PLACES, size, size), np.nan)
    seen = []
    for place, start in zip(places, itertools.product(*starts), strict=True):
        edges = list(zip(start, stack.shape[1:], strict=True))
        there = tuple(slice(max(first, 0), max(min(first + size, n), 0)) for first, n in edges)
        here = tuple(slice(max(-first, 0), max(min(n - first, size), 0)) for first, n in edges)
        place[here] = np.tensordot(turns, stack[:, *there], 1)
        seen.append(stack[:, *there].ravel())
    # Sorted, as `np.unique` loads a library for masked arrays.
    values = np.sort(np.concatenate(seen))
    levels = min(len(values), 1) + np.count_nonzero(values[1:] > values[:-1])
    noise = np.diff(np.diff(places, 2, axis=1), 2, axis=2)
    return Noise(np.sign(np.nan_to_num(noise)).astype(np.int8), int(levels))


def are_one_exposure(noises: Sequence[Noise]) -> NDArray[np.bool_]:
    """Return which (n, n) of several stacks are one exposure, whatever was made of it since."""
    levels = np.array([noise.levels for noise in noises])
    is_coarser = COARSER * np.minimum.outer(levels, levels) < np.maximum.outer(levels, levels)
    shared = shared_noise([noise.signs for noise in noises])
    return np.asarray(shared > np.where(is_coarser, ONE_EXPOSURE_COARSER, ONE_EXPOSURE))


def shared_noise(signs: Sequence[NDArray[np.int8]]) -> NDArray[np.float32]:
    """Return how far the signs of each (n, n) of several agree with those of each other.

    From 1 for one and the same exposure to 0 for two, or where there are too few signs to tell.
    """
    inside = slice(REACH, EDGE - REACH)
    all_signs = np.array(signs, np.float32).reshape(-1, PLACES, EDGE, EDGE)
    middle = all_signs[..., inside, inside].reshape(len(signs), PLACES * (EDGE - 2 * REACH) ** 2)
    best = np.zeros((len(signs), len(signs)), np.float32)
    for row, column in np.ndindex(2 * REACH + 1, 2 * REACH + 1):
        window = slice(row, row + EDGE - 2 * REACH), slice(column, column + EDGE - 2 * REACH)
        moved = all_signs[..., *window].reshape(middle.shape)
        known = np.abs(moved) @ np.abs(middle).T
        # Planes moved by an odd number count for what they counted against before.
        agree = np.abs(moved @ middle.T) / np.maximum(known, 1)
        np.maximum(best, np.where(known < FEWEST_SIGNS, 0, agree), out=best)
    return np.maximum(best, best.T)
