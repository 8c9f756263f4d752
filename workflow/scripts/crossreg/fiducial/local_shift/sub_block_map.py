"""The second look: the correlation of small sub-blocks near their predicted shift.

It is computed on binned stacks, at shifts of whole pixels: the band-pass leaves nothing that
finer sampling would show. All sub-blocks of a block are computed at once.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from crossreg.fiducial.correlation.band_pass import taper
from crossreg.fiducial.correlation.binned_stacks import STEPS
from crossreg.fiducial.local_shift.levels import SHALLOW
from crossreg.fiducial.local_shift.small_transforms import (
    low_passed_spectra,
    near_zero,
    sums_of_squares,
)
from crossreg.fiducial.local_shift.sub_block_parts import SAMPLE, SubBlockParts, shared_structure

NOISE_PASSED, NOISE_PASSED_ALONG_Z = 0.24, 0.28
"""Parts of the energy of noise freed of its background that the low-pass leaves: in the plane, and
along z."""
UNTAPERED = 0.5
"""Part of the energy of noise that the tapers leave."""
REACH = (3, 4, 4)
"""How far (planes, px, px) around the prediction the correlation is computed."""
FAR_REACH = (3, 16, 16)
"""The same where structure that moved by itself is looked for."""
WHOLE_SAMPLES = np.ones(3, dtype=int)
"""Steps a sample of correlations that need not be finer."""

FINE = 8
"""Steps a sample in which the overlap of two tapers is known."""


@dataclass(frozen=True)
class SubBlockMaps:
    """Normalised correlations of m sub-blocks around `middle_zyx` (m, 3) (planes, px, px).

    `values` (m, 2 * reach + 1 an axis) lie in -1..1. `overlap`, of the same shape, is the part of
    them that the tapers leave: it would pull a peak to the shift that is expected. `noise` (m,) is
    the standard deviation that unrelated sub-blocks would show, from the sum of squares over all
    shifts (Bartlett's formula); 0 where the stacks show nothing of the sub-block. `energy` (m,) is
    what the correlations were divided by. `position_zyx` (m, 3) (planes, px) is where the
    sub-block's structure lies in the reference, NaN where there is none, `spread_zyx` (m, 3) the
    standard deviations of where it lies, and `structure` (m,) how much there is.
    """

    middle_zyx: np.ndarray
    values: np.ndarray
    overlap: np.ndarray
    noise: np.ndarray
    energy: np.ndarray
    position_zyx: np.ndarray
    spread_zyx: np.ndarray
    structure: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Return which sub-blocks (m,) have a map."""
        return self.noise > 0

    def __getitem__(self, sub_blocks: slice | np.ndarray) -> "SubBlockMaps":
        """Return the maps of some sub-blocks."""
        return SubBlockMaps(*(value[sub_blocks] for value in vars(self).values()))

    @staticmethod
    def joined(parts: list["SubBlockMaps"]) -> "SubBlockMaps":
        """Return the maps of several lists of sub-blocks as one."""
        values = (vars(part).values() for part in parts)
        return SubBlockMaps(*map(np.concatenate, zip(*values, strict=True)))

    def replaced(self, sub_blocks: np.ndarray, new: "SubBlockMaps") -> "SubBlockMaps":
        """Return the maps with those of some sub-blocks (k,) replaced by new ones (k)."""
        values = [value.copy() for value in vars(self).values()]
        for old, value in zip(values, vars(new).values(), strict=True):
            old[sub_blocks] = value
        return SubBlockMaps(*values)


@dataclass(frozen=True)
class SubBlockSpectra:
    """The low-passed spectra (m, Z, y, x // 2 + 1) of the tapered parts of m sub-blocks.

    Those of the cycle are conjugated: this is what a correlation takes.
    """

    parts: SubBlockParts
    reference: np.ndarray
    cycle: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape (Z, y, x) of the images."""
        return self.parts.shape


def sub_block_spectra(parts: SubBlockParts, is_freed: bool = True) -> SubBlockSpectra:
    """Return the spectra of the parts of sub-blocks.

    Of stacks that have been freed of what all their planes share, it is taken off here too: it was
    taken off all planes of each, which are not those that both show.
    """
    reference = _spectra(parts.reference, parts, parts.reference_tapers, is_freed)
    cycle = _spectra(parts.cycle, parts, parts.cycle_tapers, is_freed)
    return SubBlockSpectra(parts, reference, np.conj(cycle, out=cycle))


def _spectra(
    values: np.ndarray, parts: SubBlockParts, tapers: list[np.ndarray], is_freed: bool
) -> np.ndarray:
    """Return the spectra of parts (m, Z, y, x) under tapers (m, length) along z, y, x."""
    z, y, x = tapers
    m, planes, rows, columns = values.shape
    # Equal weights free it best of what is not the specimen, but draw peaks to whole planes.
    is_there = np.arange(planes) < parts.seen[:, :1]
    weights = is_there if parts.depth < SHALLOW else z[:, :planes]
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1).astype(np.float32)
    weights[(parts.edges[:, 0] == 0) | (not is_freed)] = 0
    shared = np.matmul(weights[:, None], values.reshape(m, planes, rows * columns))
    shared = shared.reshape(m, rows, columns)
    tapered = values - shared[:, None]
    tapered *= (y[..., None] * x[:, None])[:, None]
    tapered *= z[..., None, None]
    return low_passed_spectra(tapered, parts.shape)


def sub_block_maps(spectra: SubBlockSpectra) -> SubBlockMaps:
    """Return the correlations of sub-blocks near the shifts that are expected."""
    parts, shape = spectra.parts, spectra.shape
    cross = spectra.reference * spectra.cycle
    energy, spread = _energy(spectra), np.sqrt(sums_of_squares(cross, shape))
    known = energy > 0
    energy = np.where(known, energy, 1.0)
    values = near_zero(cross, shape, _reach(parts.depth))
    values /= energy.astype(np.float32)[:, None, None, None]
    z, y, x = (along_axis(_overlaps(parts, axis), axis) for axis in range(3))
    overlap = z * y * x
    values[overlap == 0] = 0
    noise = np.where(known, spread / np.sqrt(np.maximum(parts.voxels, 1)) / energy, 0.0)
    middle = parts.moved * SAMPLE.astype(float)
    energy = np.where(known, energy, 0.0)
    structure = vars(shared_structure(parts)).values()
    return SubBlockMaps(middle, values, overlap, noise, energy, *structure)


def noise_energy(sizes: np.ndarray) -> np.ndarray:
    """Return the energy (m,) of sub-blocks of sizes (m, 3) samples that show nothing but noise.

    White noise, freed of its background and tapered, of which the low-pass leaves a part.
    """
    passed = NOISE_PASSED * np.where(sizes[:, 0] > 1, NOISE_PASSED_ALONG_Z, 1.0)
    return np.asarray(STEPS**2 * passed * UNTAPERED * np.prod(sizes, axis=1))


def far_shifts(spectra: SubBlockSpectra) -> np.ndarray:
    """Return the shifts (m, 3) (planes, px, px), in whole samples, of the highest correlations.

    They lie within FAR_REACH of the shifts that are expected.
    """
    cross = spectra.reference * spectra.cycle
    reach = [
        min(far // int(sample), (size - 1) // 2)
        for far, sample, size in zip(FAR_REACH, SAMPLE, spectra.shape, strict=True)
    ]
    values = near_zero(cross, spectra.shape, tuple(reach), WHOLE_SAMPLES)
    place = np.unravel_index(values.reshape(len(values), -1).argmax(axis=1), values.shape[1:])
    found: np.ndarray = (spectra.parts.moved + np.column_stack(place) - reach) * SAMPLE
    return found.astype(float)


def unrelated_height(spectra: SubBlockSpectra, partner: SubBlockSpectra) -> float | None:
    """Return how high the correlation of a block with another block's cycle rises by chance.

    The sub-blocks' correlations in units of their noise are added; the highest sum over the square
    root of their number is standard normal for a single shift. None where the blocks differ in
    shape or both show little.
    """
    if spectra.reference.shape != partner.cycle.shape:
        return None
    shape = spectra.shape
    cross = spectra.reference * partner.cycle
    spread = np.sqrt(sums_of_squares(cross, shape))
    known = np.flatnonzero(spread)
    if 2 * len(known) <= len(cross):
        return None
    weights = np.zeros(len(cross), dtype=np.float32)
    weights[known] = np.sqrt(spectra.parts.voxels[known]) / spread[known]
    total = np.tensordot(weights, cross, axes=(0, 0))[None]
    values = near_zero(total, shape, _reach(spectra.parts.depth))
    return float(values.max()) / float(np.sqrt(len(known)))


def along_axis(values: np.ndarray, axis: int) -> np.ndarray:
    """Return values (m, n) along axis 0, 1 or 2 of the shifts of maps, to be broadcast."""
    return np.expand_dims(values, [other + 1 for other in range(3) if other != axis])


def _reach(depth: int) -> tuple[int, ...]:
    return (min(REACH[0], (depth - 1) // 2), *REACH[1:])


def _energy(spectra: SubBlockSpectra) -> np.ndarray:
    one, two = (sums_of_squares(part, spectra.shape) for part in (spectra.reference, spectra.cycle))
    result: np.ndarray = np.sqrt(one * two)
    return result


def _overlaps(parts: SubBlockParts, axis: int) -> np.ndarray:
    """Return the overlap (m, 2 * reach + 1) of the tapers at each shift, 1 where it is expected.

    0 where it is less than half of what both stacks show: such a shift is not looked at.
    """
    reach = _reach(parts.depth)[axis]
    steps = np.arange(-reach, reach + 1) / SAMPLE[axis]
    lags = steps - parts.rest[:, axis, None]
    overlaps = np.ones(lags.shape, dtype=np.float32)
    sizes, edges = parts.seen[:, axis], parts.edges[:, axis]
    for size in set(sizes.tolist()) - {0}:
        same = sizes == size
        overlaps[same] = np.interp(lags[same], *_overlap(size, int(edges[same][0])))
    overlaps[2 * np.abs(steps) > np.maximum(sizes[:, None] - 1, 0)] = 0
    return overlaps


@lru_cache(maxsize=256)
def _overlap(size: int, edge: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (shifts, overlap of a taper with itself there), 1 at shift 0, in steps of 1 / FINE.

    Sampled at whole shifts alone, it would be straight between them, and draw peaks to these.
    """
    length = size + 1
    moved = [taper(size, edge, step / FINE, length).astype(float) for step in range(FINE)]
    full = np.array([np.correlate(moved[0], window, mode="full") for window in moved])
    shifts = np.arange(1 - length, length) + np.arange(FINE)[:, None] / FINE
    overlap = full.T.ravel() / full[0, length - 1]
    return shifts.T.ravel(), overlap
