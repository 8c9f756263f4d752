"""Structure unlike that of `planted_structure`: rings, astigmatic spots, curves, real volumes."""

from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from other_motion import OtherMotion
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

EASIFISH = Path(__file__).resolve().parents[3] / "shared" / "data" / "easifish"
ROUNDS = ("RT1", "RT2")
MARGIN = np.array([6.0, 24.0, 24.0])  # structure around the stack
DEPTH_SIGMA = 1.4  # planes: how fast a ring or an astigmatic spot fades out of focus
RING_RADIUS, RING_GROWTH, RING_WIDTH = 2.6, 0.9, 0.9  # px; px per plane; px
SPOT_SIGMA, ASTIGMATISM = 1.5, 0.22  # px; relative change per plane
HALF_WINDOW = np.array([5, 9, 9])
FILAMENT_POINTS, FILAMENT_STEP, FILAMENT_BEND = 120, 1.6, 0.12  # points; px; radians a step
FILAMENT_SIGMA = np.array([1.2, 1.3, 1.3])
HEIGHT_SPREAD = 0.5  # of the logarithm of the heights


def scattered(
    shape: tuple[int, int, int], density: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return positions (n, 3) in and around a stack, `density` for 64 x 64 px of full height."""
    size = np.array(shape) + 2 * MARGIN
    count = rng.poisson(density * np.prod(size) / (64 * 64 * shape[0]))
    return rng.uniform(-MARGIN, np.array(shape) + MARGIN, (count, 3))


def heights(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return heights (count,) around 1."""
    return np.exp(HEIGHT_SPREAD * rng.standard_normal(count))


def draw_rings(
    image: NDArray[np.float32], positions: NDArray[np.float64], height: NDArray[np.float64]
) -> None:
    """Add beads that are rings, wider out of focus."""

    def ring(z: NDArray, y: NDArray, x: NDArray) -> NDArray:
        radius = RING_RADIUS + RING_GROWTH * np.abs(z)
        away = (np.hypot(y, x) - radius) / RING_WIDTH
        return np.exp(-(away**2) / 2 - (z / DEPTH_SIGMA) ** 2 / 2)

    _draw(image, positions, height, ring)


def draw_astigmatic(
    image: NDArray[np.float32], positions: NDArray[np.float64], height: NDArray[np.float64]
) -> None:
    """Add spots that are long along y above the focus and along x below it."""

    def spot(z: NDArray, y: NDArray, x: NDArray) -> NDArray:
        along_y = SPOT_SIGMA * np.maximum(1 + ASTIGMATISM * z, 0.4)
        along_x = SPOT_SIGMA * np.maximum(1 - ASTIGMATISM * z, 0.4)
        squares = (y / along_y) ** 2 + (x / along_x) ** 2 + (z / DEPTH_SIGMA) ** 2
        return np.exp(-squares / 2)

    _draw(image, positions, height, spot)


def draw_filament_points(
    image: NDArray[np.float32], positions: NDArray[np.float64], height: NDArray[np.float64]
) -> None:
    """Add small Gaussians, which along curves make filaments."""

    def blob(z: NDArray, y: NDArray, x: NDArray) -> NDArray:
        sigma = FILAMENT_SIGMA
        return np.exp(-((z / sigma[0]) ** 2 + (y / sigma[1]) ** 2 + (x / sigma[2]) ** 2) / 2)

    _draw(image, positions, height, blob)


def filaments(
    shape: tuple[int, int, int], count: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return points (n, 3) along curves that wander through the stack, `count` for 64 x 64 px."""
    starts = scattered(shape, count, rng)
    angle = rng.uniform(0, 2 * np.pi, len(starts))
    slope = rng.normal(0, 0.12, len(starts))
    points = [starts]
    for _ in range(FILAMENT_POINTS - 1):
        angle = angle + rng.normal(0, FILAMENT_BEND, len(starts))
        step = np.column_stack([slope, np.sin(angle), np.cos(angle)])
        points.append(points[-1] + FILAMENT_STEP * step)
    return np.concatenate(points)


def real_volume(
    shape: tuple[int, int, int], motion: OtherMotion, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (reference, cycle) made of a part of a real volume, the cycle moved."""
    name = f"scan_001_{ROUNDS[rng.integers(len(ROUNDS))]}_001_ROI_converted_decon_ch00.tif"
    image = tifffile.imread(EASIFISH / name).astype(float)
    image = np.rot90(image, rng.integers(4), axes=(1, 2))
    image = gaussian_filter(np.maximum(image - np.percentile(image, 70), 0), (0.7, 1, 1))
    room = np.array(image.shape) - shape
    origin = rng.uniform(0.2, 0.8, 3) * np.maximum(room, 0)
    coefficients = spline_filter(image, order=3)

    def seen(at: NDArray[np.float64]) -> NDArray[np.float32]:
        places = at + origin[:, None, None, None]
        found = map_coordinates(coefficients, places, order=3, mode="mirror", prefilter=False)
        return np.maximum(found, 0).astype(np.float32)

    reference, cycle = seen(np.indices(shape, dtype=float)), seen(motion.to_reference())
    typical = np.quantile(reference.max(axis=0), 0.9)
    return reference / typical, cycle / typical


def _draw(image: NDArray[np.float32], positions: NDArray, height: NDArray, shape_of) -> None:
    for position, size in zip(positions, height, strict=True):
        first = np.maximum(np.ceil(position - HALF_WINDOW).astype(int), 0)
        last = np.minimum(np.floor(position + HALF_WINDOW).astype(int) + 1, image.shape)
        if np.any(first >= last):
            continue
        axes = (np.arange(a, b) - at for a, b, at in zip(first, last, position, strict=True))
        z, y, x = np.ix_(*axes)
        where = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
        image[where] += size * shape_of(z, y, x)
