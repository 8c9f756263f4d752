"""A first estimate of the global shift, from parts of the reference looked for in the whole cycle.

Every part, a probe, offers its highest peaks; the shift and turn that most probes can agree on
wins, as in a generalised Hough transform (Ballard 1981). Other than the peak of the whole images,
it survives rotation, and bright things that only one image shows.
"""

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from crossreg.fiducial.block_grid import Block, block_grid, centre_yx
from crossreg.fiducial.correlation.band_pass import band_pass, window
from crossreg.fiducial.correlation.box_mean import box_mean
from crossreg.fiducial.correlation.transforms import images_of, spectra_of
from crossreg.fiducial.field.consensus import affine_fit
from crossreg.fiducial.quantiles import median

PROBES = 6
"""Probes along the longer axis of an image."""
SMALLEST = 64
"""Edge (px) of the smallest probe."""
BIN = 2
"""Edge (px) of a binned pixel: probes need not be precise."""
PEAKS = 10
"""Peaks that a probe offers: bright dirt may hide what it shares with the cycle."""
CELL = 8
"""Edge (bins) of the cells of which each offers one peak at most."""
LEAST_HEIGHT = 4.0
"""Height of a peak (standard deviations) from which on it is offered."""
TURNS = np.deg2rad(np.arange(-3.0, 3.01, 0.5))
"""Turns that are tried."""
NEAR = 5.0
"""How far (px) peaks that agree may lie apart, for drift and the steps between turns."""
CHANCE = 0.1
"""Probability at which as many unrelated probes agree as have to."""
ENOUGH = 0.75
"""Part of every second probe that agree, as on a chessboard, from which on the others are not
asked."""


@dataclass(frozen=True)
class _Peaks:
    """Peaks (n) of all probes: shifts (n, 2), heights (n,), and the probe (n,) of each."""

    shifts: np.ndarray
    heights: np.ndarray
    probe: np.ndarray

    @classmethod
    def of(cls, offered: dict[int, tuple[np.ndarray, np.ndarray]]) -> "_Peaks":
        """Return the peaks that probes offer: shifts (n, 2) in bins and heights (n,) of each."""
        shifts, heights = zip(*offered.values(), strict=True)
        numbers = np.repeat(list(offered), list(map(len, heights)))
        return cls(BIN * np.concatenate(shifts), np.concatenate(heights), numbers)


def probed_shift(reference: np.ndarray, cycle: np.ndarray, pool: Executor) -> np.ndarray | None:
    """Return the shift (px) at the middle of two flattened images (Y, X) that most probes see.

    None if no more probes agree than unrelated ones would.
    """
    size = max(SMALLEST, -(-max(reference.shape) // PROBES))
    reference, cycle = _binned(reference), _binned(cycle)
    shape = reference.shape
    probes = block_grid(shape, size // BIN)
    weights = band_pass(shape, float(BIN))
    target = spectra_of(cycle * window(shape), shape) * weights
    energy = np.square(images_of(target, shape))
    energy = box_mean(energy, size // BIN, "wrap")
    floor = max(median(energy) / 2, float(np.finfo(np.float32).tiny))
    # what a correlation is divided by: the structure that the cycle has in the same place
    over_energy = 1 / np.sqrt(np.maximum(energy, floor))[::-1, ::-1]
    target = np.conj(target) * weights

    @lru_cache
    def over_energy_of(size: tuple[int, int]) -> np.ndarray:
        return np.roll(over_energy, [(edge - 1) // 2 + 1 for edge in size], axis=(0, 1))

    def one(probe: Block) -> tuple[np.ndarray, np.ndarray]:
        where = (probe.rows, probe.columns)
        part = reference[where] * window(reference[where].shape)
        spectrum = spectra_of(part, shape)  # moved to the corner of the map
        spectrum *= target
        correlation = images_of(spectrum, shape)
        correlation *= over_energy_of(part.shape)
        shifts, heights = _highest(correlation)
        shifts = shifts + [edge.start for edge in where]
        # the map is circular: of all shifts that a peak may mean, one puts the probe into the cycle
        centre = np.array(centre_yx(*where))
        return centre - (centre - shifts) % shape, heights

    centres = BIN * np.array([centre_yx(probe.rows, probe.columns) for probe in probes])
    centres -= BIN * (np.array(shape) - 1) / 2
    halves = [
        [number for number, probe in enumerate(probes) if (probe.i + probe.j) % 2 == colour]
        for colour in (0, 1)
    ]
    offered: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for half in halves:
        offered |= zip(half, pool.map(one, [probes[number] for number in half]), strict=True)
        peaks = _Peaks.of({number: offered[number] for number in sorted(offered)})
        chosen = _agreeing(peaks, centres, BIN**2 * reference.size)
        if chosen is not None and len(chosen) >= ENOUGH * len(offered):
            break
    if chosen is None:
        return None
    shift_yx: np.ndarray = affine_fit(centres[peaks.probe[chosen]], peaks.shifts[chosen])[0]
    return shift_yx


def _binned(image: np.ndarray) -> np.ndarray:
    """Return an image (Y, X) summed in bins of BIN px; what is left at its ends is cut off."""
    rows, columns = (size // 2 * 2 for size in image.shape)
    inside = image[:rows, :columns]
    pairs = inside[::2] + inside[1::2]
    return np.asarray(pairs[:, ::2] + pairs[:, 1::2])


def _highest(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (shifts (n, 2) in bins, heights (n,)) of the highest peaks of a circular map.

    The shifts lie in 0..size: what they are modulo the size is not known here.
    """
    spread = float(np.sqrt(np.vdot(correlation, correlation) / correlation.size)) or 1.0
    padding = [(0, -size % CELL) for size in correlation.shape]
    padded = (
        np.pad(correlation, padding, constant_values=-np.inf) if np.any(padding) else correlation
    )
    rows, columns = (size // CELL for size in padded.shape)
    highest = padded.reshape(rows, CELL, -1).max(axis=1).reshape(rows, columns, CELL).max(axis=2)
    heights = highest.ravel() / spread
    high = np.flatnonzero(heights > LEAST_HEIGHT)
    best = high[np.argsort(-heights[high], kind="stable")[:PEAKS]]
    place = np.column_stack([best // columns, best % columns]) * CELL
    inside = [padded[y : y + CELL, x : x + CELL].argmax() for y, x in place]
    return place + np.column_stack(np.divmod(inside, CELL)), heights[best]


def _agreeing(peaks: _Peaks, centres: np.ndarray, area: float) -> np.ndarray | None:
    """Return the numbers of the peaks, one a probe, that most probes agree on.

    `centres` (m, 2) px are relative to the middle, `area` (px) is that of the image. None if
    unrelated probes would agree as well.
    """
    if not len(peaks.probe):
        return None
    place = centres[peaks.probe]
    first = np.flatnonzero(np.diff(peaks.probe, prepend=-1))  # peak of each probe
    best, chosen = 0.0, np.zeros(0, dtype=int)
    for turn in TURNS:
        # a turn moves what lies at (y, x) by turn * (-x, y)
        straight = peaks.shifts - turn * np.column_stack([-place[:, 1], place[:, 0]])
        near = (np.abs(straight[:, None] - straight) <= NEAR).all(axis=2)
        votes = np.logical_or.reduceat(near, first, axis=1).sum(axis=1)
        if votes.max() > best:
            best = votes.max()
            chosen = np.flatnonzero(near[votes.argmax()])
    expected = len(peaks.probe) * (2 * NEAR) ** 2 / area
    if len(peaks.probe) * len(TURNS) * _at_least(best - 1, expected) > CHANCE:
        return None
    order = chosen[np.argsort(-peaks.heights[chosen], kind="stable")]
    return order[np.unique(peaks.probe[order], return_index=True)[1]]


def _at_least(count: float, expected: float) -> float:
    """Return the probability that a Poisson variable of this mean is at least `count`."""
    if count <= 0:
        return 1.0
    shares = np.cumprod([1.0, *(expected / np.arange(1, int(count)))])
    return float(1 - np.exp(-expected) * shares.sum())
