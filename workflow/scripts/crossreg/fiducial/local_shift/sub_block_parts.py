"""What two binned stacks show of the sub-blocks of a block, and where its structure lies."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crossreg.fiducial.block_grid import common_range
from crossreg.fiducial.correlation.band_pass import taper
from crossreg.fiducial.correlation.binned_stacks import BIN, STEPS

SAMPLE = np.array([1, BIN, BIN])
"""Shifts (planes, px, px) in one sample of a binned stack."""
LEAST_SIZE = 6
"""Edge (bins) below which what both stacks show of a sub-block holds too little."""
TAPERED_PLANES = 2
"""Planes of the taper at both ends of a stack."""
PLANES_A_TAPERED = 4
"""Planes for each plane of the taper: more of it would leave too little of thin stacks."""
THIN = 16
"""Planes below which the ends of a stack are kept apart: what the one cuts must not meet the other
in a circular correlation."""
TAPERED = 4
"""The cosine edge of a sub-block takes one part in so many of its length."""
STRUCTURE = 2.0
"""Standard deviations of the noise that structure exceeds in both stacks."""


@dataclass(frozen=True)
class SubBlockParts:
    """What both binned stacks show of m sub-blocks, the cycle moved to where it is expected.

    `reference` and `cycle` (m, Z, y, x) float32 hold each part in their first corner and 0
    elsewhere; they are transformed in the larger `shape` (Z, y, x). `seen` (m, 3) are the parts'
    sizes and `start` (m, 3) their first samples in the reference; the cycle is moved by `moved`
    (m, 3) samples, and `rest` (m, 3) samples is the shift that is expected to remain. A sub-block
    of which both show too little has the size 0.
    `depth` are the planes of the stack that has fewer.
    """

    reference: np.ndarray
    cycle: np.ndarray
    shape: tuple[int, ...]
    seen: np.ndarray
    start: np.ndarray
    moved: np.ndarray
    rest: np.ndarray
    depth: int
    cut: bool

    @cached_property
    def voxels(self) -> np.ndarray:
        """Return the number (m,) of samples of each sub-block that count under the tapers.

        Tapered noise of this many samples correlates as noise of so many without a taper.
        """
        voxels = np.ones(len(self.seen))
        for one, two in zip(self.reference_tapers, self.cycle_tapers, strict=True):
            one, two = np.square(one), np.square(two)
            shared = np.maximum((one * two).sum(axis=1), np.finfo(np.float32).tiny)
            voxels *= one.sum(axis=1) * two.sum(axis=1) / shared
        return voxels

    @cached_property
    def edges(self) -> np.ndarray:
        """Return the lengths (m, 3) of the tapers along z, y, x."""
        edges = self.seen // TAPERED
        edges[:, 0] = np.minimum(self.seen[:, 0] // PLANES_A_TAPERED, TAPERED_PLANES + self.cut)
        return edges

    @property
    def reference_tapers(self) -> list[np.ndarray]:
        """Return the reference's tapers (m, length) along z, y, x."""
        return self._tapers[0]

    @property
    def cycle_tapers(self) -> list[np.ndarray]:
        """Return the cycle's tapers: they cover the structure that the reference's cover.

        What the cycle shows of it lies at minus the shift that is expected to remain.
        """
        return self._tapers[1]

    @cached_property
    def _tapers(self) -> list[list[np.ndarray]]:
        """Return the tapers of both, all of which are computed at once: they are short."""
        lengths = self.reference.shape[1:]
        offsets = np.array([np.zeros(self.rest.shape), -self.rest])
        tapers = taper(self.seen, self.edges, offsets, max(lengths))
        return [[of[:, axis, :length] for axis, length in enumerate(lengths)] for of in tapers]


def sub_block_parts(
    reference: np.ndarray,
    cycle: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    expected_zyx: np.ndarray,
    shown: tuple[tuple[int, int], tuple[int, int]] | None = None,
) -> SubBlockParts:
    """Return what two binned stacks (Z, y, x) show of sub-blocks from `first` to before `last`.

    Both are (m, 3) samples (planes, bins, bins); `expected_zyx` (m, 3) (planes, px, px) is the
    shift that each sub-block is expected to show. Of both stacks, planes from the first to before
    the last that are `shown` have an image; what lies beyond is as if the stack ended there.
    """
    expected = expected_zyx / SAMPLE
    moved = np.rint(expected).astype(int)
    sizes_zyx = [np.array(stack.shape) for stack in (reference, cycle)]
    start, stop = common_range(first, last, sizes_zyx[0], sizes_zyx[1], moved)
    if shown is not None:
        (first_here, last_here), (first_there, last_there) = shown
        start[:, 0] = np.maximum(start[:, 0], np.maximum(first_here, first_there + moved[:, 0]))
        stop[:, 0] = np.minimum(stop[:, 0], np.minimum(last_here, last_there + moved[:, 0]))
        stop = np.maximum(start, stop)
    seen = stop - start
    enough = (seen[:, 1:] >= LEAST_SIZE).all(axis=1) & (seen[:, 0] >= min(2, len(reference)))
    seen = np.where(enough[:, None], seen, 0)
    heights = (last - first)[:, 0]
    cut = bool(heights.max() < len(reference))
    depths = (int(heights.min()),) * 2 if cut else (len(reference), len(cycle))
    planes = int(heights.max()) if cut else max(depths)
    if planes < THIN:
        planes += min(depths) // 2
    shape = (planes, *(last - first)[:, 1:].max(axis=0).tolist())
    parts = np.zeros((2, len(seen), *seen.max(axis=0)), dtype=np.float32)
    sizes = seen.tolist()
    for stack, into, origin in ((reference, parts[0], start), (cycle, parts[1], start - moved)):
        places = zip(into, origin.tolist(), sizes, strict=True)
        for sub_block, (z, y, x), (depth, height, width) in places:
            source = stack[z : z + depth, y : y + height, x : x + width]
            sub_block[:depth, :height, :width] = source
    rest = expected - moved
    return SubBlockParts(parts[0], parts[1], shape, seen, start, moved, rest, min(depths), cut)


@dataclass(frozen=True)
class Structure:
    """The structure that both stacks show of m sub-blocks.

    Attributes
    ----------
    position_zyx : (m, 3) where it lies in the reference (planes, px), NaN where there is none. A
        sub-block's shift is that of its structure, which is rarely in the middle.
    spread_zyx : (m, 3) standard deviations (planes, px) of where it lies.
    amount : (m,) how much there is.

    """

    position_zyx: np.ndarray
    spread_zyx: np.ndarray
    amount: np.ndarray


def shared_structure(parts: SubBlockParts) -> Structure:
    """Return where the structure of sub-blocks lies.

    The product of both stacks, where it exceeds the noise, under the sub-block's tapers.
    """
    weights = np.maximum(parts.reference, 0)
    weights *= np.maximum(parts.cycle, 0)
    weights -= (STRUCTURE * STEPS) ** 2
    np.maximum(weights, 0, out=weights)
    m, planes, rows, columns = weights.shape
    z, y, x = (np.square(window) for window in parts.reference_tapers)
    flat = weights.reshape(m, planes, rows * columns)
    face = np.matmul(z[:, None], flat).reshape(m, rows, columns) * y[..., None] * x[:, None]
    window = (y[..., None] * x[:, None]).reshape(m, rows * columns, 1)
    profiles = np.matmul(flat, window)[..., 0] * z, face.sum(axis=2), face.sum(axis=1)
    total = face.sum(axis=(1, 2), dtype=float)
    known = total > 0
    scale = np.where(known, total, 1.0)
    middle = np.stack([profile @ np.arange(profile.shape[1]) / scale for profile in profiles], 1)
    squares = np.stack(
        [profile @ np.square(np.arange(profile.shape[1])) / scale for profile in profiles], 1
    )
    spread = np.sqrt(np.maximum(squares - middle**2, 0)) * SAMPLE
    position = (middle + parts.start) * SAMPLE + (SAMPLE - 1) / 2
    return Structure(np.where(known[:, None], position, np.nan), spread, total)
