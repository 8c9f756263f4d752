"""Where the sub-blocks of a stack lie."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.block_grid import Block, widened
from crossreg.fiducial.correlation.binned_stacks import in_bins
from crossreg.fiducial.field.domain import Domain
from crossreg.fiducial.local_shift.levels import depth_cuts

FEW_PLANES = 3
"""Planes below which a sub-block shows so few objects that those at its edges matter."""
FEW_PLANES_MARGIN = 6
"""Margin (px) by which sub-blocks of so few planes overlap: what one of them cuts, another one
holds."""
ONE_OF, FEWEST_PILOTS = 5, 10
"""Of tall stacks one block of so many, spread over all rows and columns, is measured beforehand:
the field through these says where all are looked for. Fewer pilots miss too much of it."""
DEPTHS_OF_LEVEL = 3
"""Depths in each level at which the field is averaged over a block."""
LEAST_SHARE = 0.1
"""Structure, relative to the mean of all levels, from which on a level holds structure."""


@dataclass(frozen=True)
class SubBlockLayout:
    """Where m sub-blocks of n blocks lie, in order of the blocks.

    Attributes
    ----------
    centres : (m, 3) in the reference (planes, px, px).
    first, last : (m, 3) their first and past their last sample (planes, bins, bins).
    block, column : (m,) number of the block, and of what lies above each other in it.
    of_block : the numbers of the sub-blocks of each block.
    pilots : numbers of blocks that are measured beforehand; none where the stack is not tall.

    """

    centres: NDArray[np.float64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    block: NDArray[np.int64]
    column: NDArray[np.int64]
    of_block: list[NDArray[np.int64]]
    pilots: list[int]

    @classmethod
    def of(cls, blocks: list[Block], domain: Domain, planes: tuple[int, int]) -> "SubBlockLayout":
        """Return the sub-blocks of the blocks of an image; (reference, cycle) have some planes."""
        margin = FEW_PLANES_MARGIN if min(planes) < FEW_PLANES else 0
        height, width = domain.image_shape
        columns = [
            (number, widened(rows, margin, height), widened(across, margin, width))
            for number, block in enumerate(blocks)
            for rows, across in block.sub_blocks()
        ]
        cuts = depth_cuts(planes[0], domain.levels)
        pieces = [(cut, rows, across) for _, rows, across in columns for cut in cuts]
        centres = [[(part.start + part.stop - 1) / 2 for part in piece] for piece in pieces]
        bins = np.array(
            [[(cut.start, cut.stop), *map(_ends_in_bins, plane)] for cut, *plane in pieces]
        )
        block_of = np.repeat([number for number, *_ in columns], len(cuts))
        ends = np.flatnonzero(np.diff(block_of)) + 1
        return cls(
            centres=np.array(centres),
            first=bins[..., 0],
            last=bins[..., 1],
            block=block_of,
            column=np.repeat(np.arange(len(columns)), len(cuts)),
            of_block=np.split(np.arange(len(pieces)), ends),
            pilots=_pilots(blocks) if domain.levels > 1 else [],
        )


def filled_depths(domain: Domain, structure: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return planes (k,), evenly spread over the levels that hold structure.

    `structure` (m,) is how much each sub-block shows.
    """
    if domain.levels == 1:
        return np.array([domain.middle_plane])
    amount = structure.reshape(-1, domain.levels).sum(axis=0)
    filled = np.flatnonzero(amount >= LEAST_SHARE * amount.mean())
    edges = np.linspace(-0.5, domain.planes - 0.5, domain.levels + 1)
    parts = (np.arange(DEPTHS_OF_LEVEL) + 0.5) / DEPTHS_OF_LEVEL
    return np.asarray(edges[filled, None] + np.diff(edges)[0] * parts).ravel()


def _pilots(blocks: list[Block]) -> list[int]:
    """Return the numbers of blocks spread over all rows and columns; none where they are few."""
    pilots = [n for n, block in enumerate(blocks) if (2 * block.i + block.j) % ONE_OF == 0]
    return pilots if len(pilots) >= FEWEST_PILOTS else []


def _ends_in_bins(where: slice) -> tuple[int, int]:
    bins = in_bins(where)
    return bins.start, bins.stop
