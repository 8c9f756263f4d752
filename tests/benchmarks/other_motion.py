"""Motions unlike those of `planted_motion`: rough in the plane, bent and twisted along z.

S(r) is what is added to a position in the cycle to reach the position r of the reference that
shows the same. Every part is an explicit function of (z, y, x), so that the truth is known at any
position, and the way back is found by iteration.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

WAVES = 150  # plane waves of the drift: many, so that it is nearly Gaussian
INVERSION_STEPS = 25  # gradients below 0.3: each step makes the error three times smaller
NODE_SPACING = np.array([3.0, 6.0, 6.0])  # planes, px, px: of the map of the way back
BEYOND = 1.5  # half stacks from the middle from where on the shift stays what it is along z
NODES_AROUND = 5  # nodes beyond the stack: splines are poor at the ends of their nodes
Z_SHARE = 0.5  # drift along z in planes, relative to the drift in px


@dataclass(frozen=True)
class OtherMotion:
    """A shift S as a function of the position in the reference.

    Parameters
    ----------
    shape : planes, rows, columns.
    shift_zyx : translation.
    rotation_degrees : about z, in the middle plane.
    twist_degrees : how much more the top is turned than the bottom.
    bend : planes by which S_z is bent over the height, as a parabola and a sine.
    walk_yx : px by which y and x walk from bottom to top.
    waves : (3, n, 2) wave vectors (radians per px) of the drift along z, y, x.
    phases : (3, n).
    drift : standard deviation of the drift, px.
    """

    shape: tuple[int, int, int]
    shift_zyx: tuple[float, float, float]
    rotation_degrees: float
    twist_degrees: float
    bend: tuple[float, float]
    walk_yx: tuple[float, float]
    waves: NDArray[np.float64]
    phases: NDArray[np.float64]
    drift: float

    def shift_at(self, positions_zyx: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return S (n, 3) at positions (n, 3)."""
        middle = (np.array(self.shape) - 1) / 2
        z, y, x = (positions_zyx - middle).T
        depth = np.clip(z / max(middle[0], 1), -BEYOND, BEYOND)
        angle = np.deg2rad(self.rotation_degrees + self.twist_degrees * depth / 2)
        cos, sin = np.cos(angle), np.sin(angle)
        shift = np.tile(np.array(self.shift_zyx, float), (len(z), 1))
        shift[:, 0] += self.bend[0] * (2 * depth**2 - 1) + self.bend[1] * np.sin(np.pi * depth)
        shift[:, 1] += (1 - cos) * y - sin * x + self.walk_yx[0] * depth / 2
        shift[:, 2] += (1 - cos) * x + sin * y + self.walk_yx[1] * depth / 2
        plane = np.column_stack([y, x])
        size = self.drift * np.sqrt(2 / self.phases.shape[1])
        for axis, share in enumerate((Z_SHARE, 1.0, 1.0)):
            argument = plane @ self.waves[axis].T + self.phases[axis]
            shift[:, axis] += share * size * np.cos(argument).sum(axis=1)
        return shift

    def to_cycle(self, positions_zyx: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where positions (n, 3) of the reference lie in the cycle."""
        return positions_zyx - self.shift_at(positions_zyx)

    def to_reference(self) -> NDArray[np.float64]:
        """Return (3, Z, Y, X): the reference position of each voxel of the cycle."""
        counts = np.ceil((np.array(self.shape) - 1) / NODE_SPACING).astype(int) + 1
        axes = [
            np.arange(-NODES_AROUND, count + NODES_AROUND) * step
            for count, step in zip(counts, NODE_SPACING, strict=True)
        ]
        nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        flat = nodes.reshape(-1, 3)
        found = flat.copy()
        for _ in range(INVERSION_STEPS):
            found = flat + self.shift_at(found)
        away = np.moveaxis((found - flat).reshape(nodes.shape), -1, 0)
        voxels = np.indices(self.shape, dtype=float)
        at = voxels / NODE_SPACING[:, None, None, None] + NODES_AROUND
        return voxels + np.stack([map_coordinates(part, at, order=3) for part in away])


def drift_waves(
    length: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (waves (3, n, 2), phases (3, n)) of a drift with a correlation length (px)."""
    waves = rng.standard_normal((3, WAVES, 2)) / length
    return waves, rng.uniform(0, 2 * np.pi, (3, WAVES))
