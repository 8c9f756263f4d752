"""Blocks of two images vote for their shifts: those that agree give a smooth field."""

import itertools
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossreg.fiducial.block_grid import Block, block_grid, centre_yx
from crossreg.fiducial.field import smooth_field
from crossreg.fiducial.field.consensus import agreeing_blocks
from crossreg.fiducial.field.domain import Domain
from crossreg.fiducial.field.smooth_field import SmoothField
from crossreg.fiducial.global_shift.image_correlation import (
    Correlation,
    Peak,
    all_correlated,
    moved_by,
)


@dataclass(frozen=True)
class Voters:
    """The blocks that vote: their largest edge (px), and when their vote counts.

    A peak of `least_height` (standard deviations) is a vote, the heavier the higher; `quorum`
    blocks have to agree, with `majority` of all votes.
    """

    edge: int
    least_height: float
    quorum: int
    majority: float


VOTERS = (Voters(64, 8.0, 8, 0.6), Voters(128, 5.0, 4, 0.0))
"""In the order in which they are asked. Rotation blurs the peak of a larger block, so larger blocks
are cut into parts that vote; of many small ones some agree by chance, or are but little sure."""
EXPECTED_HEIGHT = 4.0
"""Height (standard deviations) from which on a peak counts within PROBE_REACH of where a field
expects it: noise reaches it in 1 of 1,000 such places."""
PEAK_WIDTH = 1.5
"""Width (px) of a peak: over its height (standard deviations) it is the peak's uncertainty."""
VOTER_FLOOR = 0.05
"""Uncertainty (px) that a voter's shift has at least: its structure is rarely in its middle."""


def voted_field(
    reference: np.ndarray,
    cycle: np.ndarray,
    whole_yx: np.ndarray,
    pattern: float,
    block_size: int,
    pool: Executor,
) -> SmoothField | None:
    """Return a smooth field through the shifts of the blocks that agree; None if too few do.

    The images (Y, X) are flattened ones, `whole_yx` (2,) is the shift of the whole (px), `pattern`
    the variance of the camera's pattern in it, and `block_size` the largest edge of a block (px).
    Where too few of the smallest blocks agree, larger ones are asked: their peaks stand out from
    more noise.
    """
    base = np.rint(whole_yx).astype(int)
    images = reference, moved_by(cycle, base)
    for voters in VOTERS:
        size = -(-block_size // -(-block_size // voters.edge))
        field = _field_of_voters(images, base, size, voters, pattern, pool)
        if field is not None:
            return field
    return None


def _field_of_voters(
    images: tuple[np.ndarray, np.ndarray],
    base: np.ndarray,
    size: int,
    voters: Voters,
    pattern: float,
    pool: Executor,
) -> SmoothField | None:
    """Return the field through the shifts of blocks of `size` px; None if the vote fails.

    The cycle has been moved by `base` (2,) px beforehand. Blocks that agree give a first field;
    the field that is returned goes through all blocks with a peak where the first one expects it.
    """
    reference, moved = images
    blocks = block_grid(reference.shape, size)
    centres = in_the_plane([centre_yx(block.rows, block.columns) for block in blocks])

    def correlations_of(alike: list[Block]) -> list[Correlation]:
        one, two = (
            np.stack([image[block.rows, block.columns] for block in alike])
            for image in (reference, moved)
        )
        return all_correlated(one, two, (int(base[0]), int(base[1])), pattern)

    def fitted(peaks: list[Peak], chosen: np.ndarray) -> SmoothField:
        shifts = in_the_plane([peak.shift_yx for peak in peaks])[chosen]
        heights = np.array([peak.height for peak in peaks])[chosen]
        sigma = np.hypot(PEAK_WIDTH / heights, VOTER_FLOOR)
        sigmas = np.repeat(sigma[:, None], 3, axis=1)
        domain = Domain(reference.shape, planes=1)
        return smooth_field.fit(domain, centres[chosen], shifts, sigmas, pool, rough=True)

    correlations = list(itertools.chain(*pool.map(correlations_of, _alike(blocks))))
    peaks = [correlation.peak() for correlation in correlations]
    votes = np.array([max(peak.height - voters.least_height, 0) for peak in peaks])
    shifts = in_the_plane([peak.shift_yx for peak in peaks])
    agree = agreeing_blocks(centres[:, 1:] - centres[:, 1:].mean(axis=0), shifts, votes)
    if agree.sum() < voters.quorum or votes[agree].sum() < voters.majority * votes.sum():
        return None
    first = fitted(peaks, agree)
    expected = first.shift_at(centres)[:, 1:] - base
    peaks = [one.peak(near) for one, near in zip(correlations, expected, strict=True)]
    found = np.array([peak.height >= EXPECTED_HEIGHT for peak in peaks])
    return fitted(peaks, found) if found.sum() >= voters.quorum else first


def _alike(blocks: list[Block]) -> list[list[Block]]:
    """Return blocks in lists of one row and one size: what is transformed at once."""

    def size(block: Block) -> tuple[int, int, int]:
        width = block.columns.stop - block.columns.start
        return block.i, block.rows.stop - block.rows.start, width

    return [list(alike) for _, alike in itertools.groupby(blocks, size)]


def in_the_plane(values_yx: np.ndarray | list[Any]) -> np.ndarray:
    """Return values (n, 2) as (n, 3) with z = 0."""
    return np.column_stack([np.zeros(len(values_yx)), values_yx])
