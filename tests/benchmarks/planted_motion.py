"""Where a planted motion takes every position of a reference stack, and back.

The shift S(r) belongs to a position r = (z, y, x) of the reference: the cycle shows there what
the reference shows at r, displaced to c = r - S(r). So S(r) is what is added to a position in
the cycle to reach the reference, the sign convention of the block table.

S = translation + rotation about z + tilt + z scale + smooth drift. Only its z part depends on z,
and linearly, so that the way back (from c to r) needs a search in two dimensions only.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

DRIFT_SCALE_BLOCKS = 1.5  # standard deviation of the Gaussian that smooths the drift
DRIFT_NODES_PER_BLOCK = 4  # grid of the drift: 6 nodes a standard deviation, cubic in between
Z_DRIFT_SHARE = 0.5  # drift along z in planes, relative to the drift in pixels
# S changes by at most 0.1 px a px (3 degrees, and a drift of 3 px over 64 px blocks), so that each
# step of the search makes the error at least 10 times smaller: from 170 px to below 1e-7 px.
INVERSION_STEPS = 10


@dataclass(frozen=True)
class SmoothDrift:
    """Smooth random displacement as a function of (y, x), with mean 0 over the field."""

    nodes: NDArray[np.float64]
    origin: float
    spacing: float

    def at(self, y: NDArray, x: NDArray) -> NDArray[np.float64]:
        """Return the drift (3, ...) in z, y, x at positions y, x (px)."""
        coordinates = [(y - self.origin) / self.spacing, (x - self.origin) / self.spacing]
        return np.stack(
            [
                map_coordinates(component, coordinates, order=3, mode="nearest", prefilter=False)
                for component in self.nodes
            ]
        )


def smooth_drift(
    shape_yx: tuple[int, int], block_size_xy: int, amplitude: float, rng: np.random.Generator
) -> SmoothDrift:
    """Return a drift whose largest value on the field is `amplitude` px (half of it in z).

    It reaches half a field beyond the field's border, where structure enters with a shift.
    """
    spacing = block_size_xy / DRIFT_NODES_PER_BLOCK
    margin = max(shape_yx) / 2
    count = [int(np.ceil((length + 2 * margin) / spacing)) + 1 for length in shape_yx]
    sigma = DRIFT_SCALE_BLOCKS * DRIFT_NODES_PER_BLOCK
    inside = tuple(
        slice(int(margin / spacing), int((margin + length) / spacing) + 1) for length in shape_yx
    )
    nodes = []
    for share in (Z_DRIFT_SHARE, 1.0, 1.0):
        component = gaussian_filter(rng.standard_normal(count), sigma, mode="wrap")
        component -= component[inside].mean()
        component *= share * amplitude / np.abs(component[inside]).max()
        nodes.append(spline_filter(component, order=3, mode="nearest"))
    return SmoothDrift(np.stack(nodes), -margin, spacing)


@dataclass(frozen=True)
class Motion:
    """Shift S(r) of every reference position; see the module.

    Parameters
    ----------
    shape : planes, rows, columns of both stacks.
    shift_zyx : translation (planes, px, px).
    rotation_degrees : rotation about the z axis through the middle of the stack.
    tilt_yx : planes gained over the whole height and the whole width of the field.
    z_scale : relative change of the distance between planes (0.05 is 5 %).
    drift : smooth drift.
    """

    shape: tuple[int, int, int]
    shift_zyx: tuple[float, float, float]
    rotation_degrees: float
    tilt_yx: tuple[float, float]
    z_scale: float
    drift: SmoothDrift
    _centre: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_centre", (np.array(self.shape) - 1) / 2)

    def _columns(self, y: NDArray, x: NDArray) -> NDArray[np.float64]:
        """Return the shift (3, ...) at (y, x) in the middle plane."""
        y_off, x_off = y - self._centre[1], x - self._centre[2]
        angle = np.deg2rad(self.rotation_degrees)
        cos, sin = np.cos(angle), np.sin(angle)
        tilt = self.tilt_yx[0] * y_off / self.shape[1] + self.tilt_yx[1] * x_off / self.shape[2]
        shift = self.drift.at(y, x)
        shift[0] += self.shift_zyx[0] + tilt
        shift[1] += self.shift_zyx[1] + (1 - cos) * y_off - sin * x_off
        shift[2] += self.shift_zyx[2] + (1 - cos) * x_off + sin * y_off
        return shift

    def shift_at(self, positions_zyx: NDArray) -> NDArray[np.float64]:
        """Return S (n, 3) at reference positions (n, 3)."""
        shift = self._columns(positions_zyx[:, 1], positions_zyx[:, 2]).T
        shift[:, 0] += self.z_scale * (positions_zyx[:, 0] - self._centre[0])
        return shift

    def to_cycle(self, positions_zyx: NDArray) -> NDArray[np.float64]:
        """Return where reference positions (n, 3) lie in the cycle."""
        return positions_zyx - self.shift_at(positions_zyx)

    def to_reference(self) -> tuple[NDArray, NDArray, NDArray]:
        """Return z (Z, Y, X), y (Y, X), x (Y, X): the reference position of each cycle voxel."""
        planes = np.arange(self.shape[0], dtype=float)[:, None, None]
        rows, columns = np.mgrid[: self.shape[1], : self.shape[2]].astype(float)
        y, x = rows, columns
        for _ in range(INVERSION_STEPS):
            shift = self._columns(y, x)
            y, x = rows + shift[1], columns + shift[2]
        shift_z = self._columns(y, x)[0]
        z = self._centre[0] + (planes - self._centre[0] + shift_z) / (1 - self.z_scale)
        return z, y, x

    def mean_shift_map(self) -> NDArray[np.float64]:
        """Return S averaged over all planes, (Y, X, 3): the z scale cancels out."""
        rows, columns = np.mgrid[: self.shape[1], : self.shape[2]].astype(float)
        return np.moveaxis(self._columns(rows, columns), 0, -1)
