"""Weak sub-blocks measured together: with their column, or with what is weak in their block.

A correlation whose peak hardly stands out of the noise has its top almost anywhere. The maps of
such sub-blocks, each around the shift that is expected there, are added: what remains is one
measurement of how far all of them lie from what is expected, at the centre of their structure.
As few numbers are taken from a faint cycle as its light supports.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from crossreg.fiducial.local_shift.sub_block_map import SubBlockMaps
from crossreg.fiducial.local_shift.sub_block_shift import unmatched_noise

Float = TypeVar("Float", np.float32, np.float64)

STRONG = 5.0
"""Height of a peak (standard deviations of the noise) from which on a sub-block stands alone."""


@dataclass(frozen=True)
class Groups:
    """Which sub-blocks are measured together.

    Attributes
    ----------
    group : (m,) number of the group of each sub-block.
    share : (m,) its part in the group's structure; they add up to 1.

    """

    group: NDArray[np.int64]
    share: NDArray[np.float64]

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the means (g, ...) of values (m, ...) of sub-blocks, weighted by their shares."""
        weights = self.share.reshape(-1, *[1] * (values.ndim - 1))
        return _sums(np.where(weights > 0, weights * values, 0.0), self.group)


def pooled(
    maps: SubBlockMaps,
    expected_zyx: NDArray[np.float64],
    column: NDArray[np.int64],
    block: NDArray[np.int64],
) -> tuple[SubBlockMaps, Groups]:
    """Return the maps (g) of the groups, and the groups of m sub-blocks.

    `expected_zyx` (m, 3) are the shifts around which maps are added; `column` and `block` (m,) are
    numbers of what lies above each other, and of what lies in one block.
    """
    around = _recentred(maps, np.rint(expected_zyx - maps.middle_zyx).astype(int))
    label = np.arange(len(block))
    for coarser in (block.max(initial=-1) + 1 + column, block):
        groups = _groups(label, around)
        weak = (_heights(around, groups) < STRONG)[groups.group]
        label = np.where(weak, len(block) + coarser, label)
    groups = _groups(label, around)
    return _added(around, groups), groups


def _recentred(maps: SubBlockMaps, steps: NDArray[np.int64]) -> SubBlockMaps:
    """Return the maps moved by `steps` (m, 3), so that what lay there is in the middle.

    0 where nothing is known.
    """
    values, overlap = np.zeros_like(maps.values), np.zeros_like(maps.overlap)
    sizes = maps.values.shape[1:]
    whole = np.clip(steps, -np.array(sizes), sizes)
    for step in sorted(set(map(tuple, whole.tolist()))):
        alike = np.flatnonzero((whole == step).all(axis=1))
        both = [
            (slice(max(-by, 0), size - max(by, 0)), slice(max(by, 0), size + min(by, 0)))
            for by, size in zip(step, sizes, strict=True)
        ]
        into, source = ((alike, *where) for where in zip(*both, strict=True))
        values[into], overlap[into] = maps.values[source], maps.overlap[source]
    middle = maps.middle_zyx + steps
    return replace(maps, middle_zyx=middle, values=values, overlap=overlap)


def _groups(label: NDArray[np.int64], maps: SubBlockMaps) -> Groups:
    """Return the groups of sub-blocks with the same label."""
    _, group = np.unique(label, return_inverse=True)
    amount = np.where(maps.structure > 0, maps.structure, 1e-6 * maps.energy)
    total = np.bincount(group, amount)[group]
    count = np.bincount(group)[group]
    return Groups(group, np.where(total > 0, amount / np.where(total > 0, total, 1), 1 / count))


def _added(maps: SubBlockMaps, groups: Groups) -> SubBlockMaps:
    """Return the maps (g) of groups: the correlations added, as if they were one."""
    group = groups.group
    energy = np.bincount(group, maps.energy)
    known = energy > 0
    scale = np.where(known, 1 / np.where(known, energy, 1), 0.0)
    values, overlap = (
        _sums(part * maps.energy[:, None, None, None].astype(np.float32), group)
        * scale[:, None, None, None].astype(np.float32)
        for part in (maps.values, maps.overlap)
    )
    noise = np.sqrt(np.bincount(group, (maps.energy * maps.noise) ** 2)) * scale
    structure = np.bincount(group, maps.structure)
    position = groups.mean(maps.position_zyx)
    away = maps.position_zyx - position[group]
    spread = np.sqrt(groups.mean(away**2 + maps.spread_zyx**2))
    position[structure == 0] = np.nan
    return SubBlockMaps(
        groups.mean(maps.middle_zyx), values, overlap, noise, energy, position, spread, structure
    )


def _sums(values: NDArray[Float], group: NDArray[np.int64]) -> NDArray[Float]:
    """Return the sums (g, ...) of values (m, ...) of groups that are numbered without a gap."""
    if not len(group):
        return values
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    total: NDArray[Float] = np.add.reduceat(values[order], starts, axis=0)
    return total


def _heights(maps: SubBlockMaps, groups: Groups) -> NDArray[np.float64]:
    """Return the heights (g,) of the peaks of groups near the middle, over what noise moves them.

    Soft structure correlates by chance over many shifts, so that even the peak of two images that
    are all but equal hardly stands out of the noise; but then nothing is left to move it.
    """
    inner = tuple(
        slice(max(size // 2 - 2, 0), size // 2 + 3) if size > 1 else slice(None)
        for size in maps.values.shape[1:]
    )
    near = maps.values[(slice(None), *inner)].reshape(len(maps.energy), -1)
    top = _sums(near * maps.energy[:, None].astype(np.float32), groups.group).max(axis=1)
    noise = np.sqrt(np.bincount(groups.group, (maps.energy * maps.noise) ** 2))
    energy = np.bincount(groups.group, maps.energy)
    correlation = np.clip(top / np.where(energy > 0, energy, 1), 0, 1)
    noise = unmatched_noise(noise, correlation)
    return np.where(noise > 0, top / np.where(noise > 0, noise, 1), 0.0)
