"""What the sub-blocks of a cycle say."""

from dataclasses import dataclass, replace

import numpy as np

from crossreg.fiducial.even_choice import evenly_chosen
from crossreg.fiducial.evidence.plane_spacing import is_layer
from crossreg.fiducial.field.domain import Domain
from crossreg.fiducial.field.own_motion import OwnMotion
from crossreg.fiducial.field.smooth_field import SmoothField
from crossreg.fiducial.local_shift.confidence import confidence_threshold
from crossreg.fiducial.local_shift.known_depth import Change
from crossreg.fiducial.local_shift.moved_by_itself import Moved
from crossreg.fiducial.local_shift.sub_block_shift import NO_DEPTH

USEFUL_SIGMA = 2.0
"""Uncertainty (px) above which a sub-block says nothing about the field."""
LEAST_SPREAD = 0.1
"""Standard deviation (planes) of the depths of structure at least."""
MOSTLY = 0.5
"""Part of what a block shows from which on it moved by itself, and says nothing of the field."""


@dataclass(frozen=True)
class SubBlockShifts:
    """Shifts of m sub-blocks: `shift_zyx`, `sigma_zyx` and `position_zyx` where they hold (m, 3).

    A sub-block without structure has the position NaN; `spread_zyx` (m, 3) are the
    standard deviations (planes, px) of where the structure lies, of which a shift is the mean.
    """

    shift_zyx: np.ndarray
    sigma_zyx: np.ndarray
    position_zyx: np.ndarray
    spread_zyx: np.ndarray

    @property
    def useful(self) -> np.ndarray:
        """Return which sub-blocks (m,) say something about the field."""
        placed = np.isfinite(self.position_zyx).all(axis=1)
        return np.asarray(placed & (self.sigma_zyx.max(axis=1) < USEFUL_SIGMA))

    @property
    def useful_ones(self) -> "SubBlockShifts":
        """Return the shifts of the useful sub-blocks alone."""
        return SubBlockShifts(*(part[self.useful] for part in vars(self).values()))

    @property
    def shows_no_depth(self) -> bool:
        """Return whether no useful sub-block shows a shift along z."""
        return bool((self.useful_ones.sigma_zyx[:, 0] >= NO_DEPTH).all())

    @property
    def depth(self) -> tuple[float, float]:
        """Return where structure lies: its mean depth and the standard deviation (planes)."""
        depths, weights = self.position_zyx[:, 0], self.sigma_zyx[:, 0] ** -2
        middle = np.average(depths, weights=weights)
        squares = (depths - middle) ** 2 + self.spread_zyx[:, 0] ** 2
        return float(middle), float(np.sqrt(np.average(squares, weights=weights)))

    def to_fit(self, domain: Domain) -> "SubBlockShifts":
        """Return the useful ones, as a field in a domain is to go through them.

        A layer is about as thick as depths in it are unsure, which would look as if nothing changed
        with the depth: it is taken as flat, so that it says nothing of that.
        """
        used = self.useful_ones
        if not self.is_layer(domain):
            return used
        flat = used.position_zyx.copy()
        flat[:, 0] = used.depth[0]
        return replace(used, position_zyx=flat)

    def without(self, change: Change) -> "SubBlockShifts":
        """Return the same without a change of the shift along z with the depth.

        A sub-block has the mean over its structure. What fills as much of the depth as the
        structure of all sub-blocks has the mean of all, wherever its light has its middle.
        """
        spread = self.spread_zyx[:, 0]
        own = np.maximum(1 - np.square(spread / max(change.spread, LEAST_SPREAD)), 0)
        middle = change.mean + own * (self.position_zyx[:, 0] - change.mean)
        shift = self.shift_zyx.copy()
        shift[:, 0] -= np.mean([change.at(middle + far)[0] for far in (spread, -spread)], axis=0)
        return replace(self, shift_zyx=shift)

    def is_layer(self, domain: Domain) -> bool:
        """Return whether the useful ones show one layer of a domain of one level."""
        used = self.useful_ones
        is_seen = domain.levels == 1 and len(used.spread_zyx) > 0
        return is_seen and is_layer(used.depth[1], domain.planes)

    def some(self, most: int) -> "SubBlockShifts":
        """Return the shifts of `most` sub-blocks at most, spread over all."""
        chosen = evenly_chosen(len(self.spread_zyx), most)
        return SubBlockShifts(*(part[chosen] for part in vars(self).values()))

    @staticmethod
    def joined(parts: list["SubBlockShifts"]) -> "SubBlockShifts":
        """Return the shifts of several lists of sub-blocks as one."""
        values = (vars(part).values() for part in parts)
        return SubBlockShifts(*map(np.concatenate, zip(*values, strict=True)))


@dataclass(frozen=True)
class Measurements:
    """What the sub-blocks say: their shifts, and the smooth field through them.

    `sub_blocks_of_block` are the numbers of the sub-blocks of each of n blocks, `confidence` (n,)
    how sure it is that they match, and `null` (k,) the confidences of blocks that cannot match.
    `moved` is what of the structure does not follow the field, `moved_share` (n,) its part in what
    each block shows, and `own_motion` where that is.
    A block's shift is the mean over the planes `depths` (d,), where the structure lies.
    """

    sub_blocks: SubBlockShifts
    depths: np.ndarray
    sub_blocks_of_block: list[np.ndarray]
    field: SmoothField
    confidence: np.ndarray
    null: np.ndarray
    moved: Moved
    moved_share: np.ndarray
    own_motion: OwnMotion

    @property
    def threshold(self) -> float:
        """Return the confidence above which a block is measured."""
        return confidence_threshold(self.null)

    @property
    def matching(self) -> np.ndarray:
        """Return which blocks (n,) are measured: most of what they show follows the field.

        None is where no sub-block shows a shift: the field then is that of the wide search.
        """
        follows = (self.confidence > self.threshold) & (self.moved_share < MOSTLY)
        return np.asarray(follows & self.sub_blocks.useful.any())

    def own_shifts(self, field_zyx: np.ndarray) -> np.ndarray:
        """Return the shift (n, 3) of each block from its own sub-blocks only.

        The sub-blocks' mean deviation from the field, weighted by their certainty, is added to the
        field's value in the block (n, 3); NaN for a block without a useful sub-block.
        """
        useful = self.sub_blocks.useful
        weights, deviation = np.zeros((2, *self.sub_blocks.shift_zyx.shape))
        weights[useful] = self.sub_blocks.sigma_zyx[useful] ** -2
        deviation[useful] = self.sub_blocks.shift_zyx[useful] - self.field.shift_at(
            self.sub_blocks.position_zyx[useful]
        )
        own = np.full(field_zyx.shape, np.nan)
        for number, mine in enumerate(self.sub_blocks_of_block):
            total = weights[mine].sum(axis=0)
            if np.all(total > 0):
                mean = (weights * deviation)[mine].sum(axis=0) / total
                own[number] = field_zyx[number] + mean
        return own
