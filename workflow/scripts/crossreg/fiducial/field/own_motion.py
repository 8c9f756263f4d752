"""Where structure moved by itself: the smooth field does not hold there, and sigma says so."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NOWHERE = 2.0
"""Distance, in reaches, from which on nothing is added: exp(-16)."""


@dataclass(frozen=True)
class OwnMotion:
    """Where structure moved otherwise than the field that all the rest follows, and by how much.

    Attributes
    ----------
    position_zyx : (k, 3) in the reference (planes, px, px).
    by_zyx : (k, 3) how far it moved beyond the field (planes, px, px).
    reach_zyx : (3,) how far around each position that may hold; infinite along z where a
        measurement is one of the whole height.

    """

    position_zyx: Floats
    by_zyx: Floats
    reach_zyx: Floats

    def __bool__(self) -> bool:
        """Return whether anything moved by itself."""
        return len(self.position_zyx) > 0

    def added_at(self, positions_zyx: Floats) -> Floats:
        """Return the standard error (n, 3) at positions (n, 3) that comes with the motion."""
        added = np.zeros(positions_zyx.shape)
        for place, by in zip(self.position_zyx, np.abs(self.by_zyx), strict=True):
            away = np.abs(positions_zyx - place) / self.reach_zyx
            near = np.flatnonzero((away < NOWHERE).all(axis=1))
            weight = np.exp(-((away[near] ** 2).sum(axis=1) ** 2))
            added[near] = np.maximum(added[near], weight[:, None] * by)
        return added

    def widened(self, sigma_zyx: Floats, positions_zyx: Floats) -> Floats:
        """Return standard errors (n, 3) at positions (n, 3) with what comes with the motion."""
        if not self:
            return sigma_zyx
        return np.asarray(np.hypot(sigma_zyx, self.added_at(positions_zyx)))


NO_OWN_MOTION = OwnMotion(np.zeros((0, 3)), np.zeros((0, 3)), np.ones(3))
