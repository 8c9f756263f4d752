"""Small images of a stack, from which its pictures are drawn, and their files."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from crossreg.fiducial.block_grid import Block
from crossreg.io.files import whole
from crossreg.io.intermediate_arrays import told_if_damaged

DETAIL_MARGIN = 16
"""Pixels around a block in a detail, which the shifts after the global one move into view."""


@dataclass(frozen=True)
class Preview:
    """Images of a stack as uint8 without uneven background, down-sampled by `factor` in the plane.

    `xy` (Y, X) is the projection along z; `zx` (Z, X) and `zy` (Z, Y) are the projections of one
    row and one column of blocks (`slab` = first row, last row, first column, last column, px).
    Images whose name starts with `moved` take the rows and columns that lie there after the
    global shift, rounded to px. `seen` images are band-passed sums, as the correlation sees them.
    `details` (n, y, x) and `moved_details` show the blocks `detail_blocks` (n, 2: block_i,
    block_j) at full resolution with DETAIL_MARGIN px around; `full_xy` is `xy` at full resolution,
    from which details of the reference are cut. Arrays that were not asked for are empty.
    """

    shape_zyx: np.ndarray
    factor: np.ndarray
    slab: np.ndarray
    xy: np.ndarray
    zx: np.ndarray
    zy: np.ndarray
    moved_zx: np.ndarray
    moved_zy: np.ndarray
    seen_xy: np.ndarray
    seen_zx: np.ndarray
    seen_zy: np.ndarray
    detail_blocks: np.ndarray
    details: np.ndarray
    moved_details: np.ndarray
    full_xy: np.ndarray


NOTHING = np.zeros((0, 0), np.uint8)


def cut_details(
    image: np.ndarray, blocks: Sequence[Block], moved_yx: tuple[int, int] = (0, 0)
) -> np.ndarray:
    """Return what lies in each block after a whole shift, with DETAIL_MARGIN px around, (n, y, x).

    It is 0 outside the image. Blocks at the border of the image may be smaller; all details are
    as large as the largest.
    """
    if not blocks:
        return NOTHING
    sizes = [(b.rows.stop - b.rows.start, b.columns.stop - b.columns.start) for b in blocks]
    height, width = np.max(sizes, axis=0) + 2 * DETAIL_MARGIN
    details = np.zeros((len(blocks), height, width), image.dtype)
    for detail, block in zip(details, blocks, strict=True):
        start = np.array((block.rows.start, block.columns.start)) - DETAIL_MARGIN - moved_yx
        low = np.clip(start, 0, image.shape)
        high = np.clip(start + np.array((height, width)), 0, image.shape)
        part = image[low[0] : high[0], low[1] : high[1]]
        into = tuple(slice(a, a + n) for a, n in zip(low - start, part.shape, strict=True))
        detail[into] = part
    return details


def save_preview(path: Path | str, preview: Preview) -> None:
    """Write a preview to `path` (.npz), whole or not at all.

    Not compressed: noise hardly shrinks, and to try takes longer than all pictures.
    """
    with whole(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **{f.name: getattr(preview, f.name) for f in fields(Preview)})


def load_preview(path: Path | str) -> Preview:
    """Return the preview that `save_preview` wrote to `path`; raise UserError if it is damaged."""
    with told_if_damaged(path), np.load(path) as data:
        return Preview(**{field.name: data[field.name] for field in fields(Preview)})
