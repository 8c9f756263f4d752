"""Noise-free structure of a pair, drawn so that no interpolation favours a motion.

Spots and blobs are Gaussians placed analytically: in the reference at r, in the cycle at
r - S(r). Everything else is a continuous function F(z, y, x) of the reference position, and the
cycle shows F at the reference position of each of its voxels. Textures from real data are
smoothed below the pixel frequency before their splines are evaluated, and at fractional
positions in both stacks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from pair_specification import PairSpecification
from planted_motion import Motion
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PROJECTIONS = (
    "scan_001_RT27_005_ROI_converted_decon_ch00_2d.npy",
    "scan_001_RT26_005_ROI_converted_decon_ch00_2d.npy",
    "scan_001_DAPI_005_ROI_converted_decon_ch01_2d.npy",
)
VOLUME = "scan_001_RT1_001_ROI_converted_decon_ch00.tif"

POINT_SPREAD_ZYX = (1.3, 1.5, 1.5)  # standard deviation of a spot: planes, px, px
WINDOW = 4.5  # half width of a drawn Gaussian, standard deviations: the rest is below 5e-5
HEIGHT_SPREAD = 0.4  # of the logarithm of the heights
SATURATING_BRIGHTNESS = 10.0
FIELD_MARGIN = 0.45  # structure around the field: a third of it, plus rotation and drift
TEXTURE_BLOBS_PER_SPOT = 15  # dense texture: 300 blobs a block at 20 spots per block
TEXTURE_SIZES = (1.0, 3.0)  # of the blobs, relative to the point spread
NUCLEI_PER_BLOCK = 2
NUCLEUS_RADIUS = (0.16, 0.3)  # of a block
NUCLEUS_EDGE = 0.12  # width of the edge, relative to the radius
CHROMATIN_PER_NUCLEUS = 25
CHROMATIN_HEIGHT = 0.6
DIRT_HEIGHT, DIRT_SIZE = 8.0, 2.5  # typical heights; relative to the point spread
AUTOFLUORESCENCE_HEIGHT, AUTOFLUORESCENCE_SIZE = 1.0, 12.0
TEXTURE_SMOOTHING = 1.0  # px: 0.7 % is left at the Nyquist frequency
SPLINE_ORDER = 3
DEPTH_SCALE = 15.0  # px over which the depth given to a projection varies
DEPTH_SPREAD = 0.15  # standard deviation of that depth, in stack heights
BACKGROUND_PERCENTILE = 75  # of a real image; what lies below is not structure
TILE = 32  # px; a typical height is the median of the tiles' brightest values

Volume = Callable[[NDArray, NDArray, NDArray], NDArray]


@dataclass(frozen=True)
class Blobs:
    """Gaussian blobs: positions (n, 3), heights (n,), standard deviations (n, 3)."""

    positions_zyx: NDArray[np.float64]
    heights: NDArray[np.float64]
    sigmas_zyx: NDArray[np.float64]

    def select(self, keep: NDArray[np.bool_]) -> "Blobs":
        """Return the blobs where keep (n,) is true."""
        return Blobs(self.positions_zyx[keep], self.heights[keep], self.sigmas_zyx[keep])

    def moved(self, motion: Motion) -> "Blobs":
        """Return the blobs where the cycle shows them."""
        return Blobs(motion.to_cycle(self.positions_zyx), self.heights, self.sigmas_zyx)


def draw(blobs: Blobs, image: NDArray[np.float32]) -> None:
    """Add the blobs to the image (Z, Y, X)."""
    for position, height, sigma in zip(
        blobs.positions_zyx, blobs.heights, blobs.sigmas_zyx, strict=True
    ):
        first = np.maximum(np.ceil(position - WINDOW * sigma).astype(int), 0)
        last = np.minimum(np.floor(position + WINDOW * sigma).astype(int) + 1, image.shape)
        if np.any(first >= last):
            continue
        z, y, x = (
            np.exp(-(((np.arange(first[a], last[a]) - position[a]) / sigma[a]) ** 2) / 2)
            for a in range(3)
        )
        image[first[0] : last[0], first[1] : last[1], first[2] : last[2]] += (
            height * z[:, None, None] * y[:, None] * x
        )


def scattered(
    specification: PairSpecification, per_block: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return positions (n, 3): as many in every block, and as dense around the stack.

    A number a block, not a chance a block, so that no block is empty unless that is planted.
    """
    planes, *field = specification.shape
    block = specification.block_size_xy
    around = [int(np.ceil(FIELD_MARGIN * length / block)) for length in field]
    corners = np.stack(
        np.meshgrid(
            *(
                np.arange(-margin, length // block + margin) * block
                for margin, length in zip(around, field, strict=True)
            ),
            indexing="ij",
        ),
        axis=-1,
    ).reshape(-1, 1, 2)
    positions = []
    for start, end in ((-FIELD_MARGIN, 0), (0, 1), (1, 1 + FIELD_MARGIN)):
        count = round(per_block * (end - start))
        yx = corners + rng.uniform(0, block, (len(corners), count, 2)) - 0.5
        z = rng.uniform(start * planes, end * planes, (len(corners), count, 1)) - 0.5
        positions.append(np.concatenate([z, yx], axis=-1).reshape(-1, 3))
    return np.concatenate(positions)


def _heights(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return heights (count,) spread around a median of 1."""
    return np.exp(HEIGHT_SPREAD * rng.standard_normal(count))


def spots(specification: PairSpecification, rng: np.random.Generator) -> Blobs:
    """Return sparse spots of the size of the point spread; some of them very bright."""
    positions = scattered(specification, specification.spots_per_block, rng)
    heights = _heights(len(positions), rng)
    bright = rng.random(len(heights)) < specification.saturated_share
    heights[bright] *= SATURATING_BRIGHTNESS
    return Blobs(positions, heights, np.tile(POINT_SPREAD_ZYX, (len(heights), 1)))


def texture(specification: PairSpecification, rng: np.random.Generator) -> Blobs:
    """Return overlapping blobs of many sizes."""
    per_block = TEXTURE_BLOBS_PER_SPOT * specification.spots_per_block
    positions = scattered(specification, per_block, rng)
    sizes = rng.uniform(*TEXTURE_SIZES, (len(positions), 1))
    return Blobs(positions, _heights(len(positions), rng), sizes * POINT_SPREAD_ZYX)


def nuclei(specification: PairSpecification, rng: np.random.Generator) -> tuple[Blobs, Volume]:
    """Return the chromatin of the nuclei and, as a volume, their bodies."""
    block, planes = specification.block_size_xy, specification.shape[0]
    centres = scattered(specification, NUCLEI_PER_BLOCK, rng)
    radii = np.empty_like(centres)
    radii[:, 1:] = rng.uniform(*NUCLEUS_RADIUS, (len(centres), 2)) * block
    radii[:, 0] = rng.uniform(0.15, 0.3, len(centres)) * planes

    def bodies(z: NDArray, y: NDArray, x: NDArray) -> NDArray:
        image = np.zeros(z.shape[:1] + y.shape)
        z = np.broadcast_to(z, image.shape)
        for centre, radius in zip(centres, radii, strict=True):
            reach = radius * (1 + 6 * NUCLEUS_EDGE)
            near = (np.abs(y - centre[1]) < reach[1]) & (np.abs(x - centre[2]) < reach[2])
            if not near.any():
                continue
            rows, columns = np.nonzero(near)
            box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            distance = np.sqrt(
                ((z[:, *box] - centre[0]) / radius[0]) ** 2
                + ((y[box] - centre[1]) / radius[1]) ** 2
                + ((x[box] - centre[2]) / radius[2]) ** 2
            )
            image[:, *box] += 1 / (1 + np.exp((distance - 1) / NUCLEUS_EDGE))
        return image

    directions = rng.standard_normal((len(centres), CHROMATIN_PER_NUCLEUS, 3))
    directions *= rng.random((*directions.shape[:2], 1)) / np.linalg.norm(
        directions, axis=-1, keepdims=True
    )
    positions = (centres[:, None] + directions * radii[:, None]).reshape(-1, 3)
    sizes = rng.uniform(*TEXTURE_SIZES, (len(positions), 1))
    heights = CHROMATIN_HEIGHT * _heights(len(positions), rng)
    return Blobs(positions, heights, sizes * POINT_SPREAD_ZYX), bodies


def projection(specification: PairSpecification, rng: np.random.Generator) -> Volume:
    """Return a real fiducial projection given a depth that varies from place to place."""
    image = np.load(SHARED_DATA / "pyhim-2d" / PROJECTIONS[rng.integers(len(PROJECTIONS))])
    image = _structure_of(np.rot90(image, rng.integers(4)))
    depth = gaussian_filter(rng.standard_normal(image.shape), DEPTH_SCALE, mode="wrap")
    planes = specification.shape[0]
    depth = planes * (0.5 + DEPTH_SPREAD * depth / depth.std())
    coefficients = spline_filter(image, SPLINE_ORDER)
    origin = _random_origin(image.shape, specification.shape[1:], rng)

    def volume(z: NDArray, y: NDArray, x: NDArray) -> NDArray:
        at = [y + origin[0], x + origin[1]]
        flat = map_coordinates(coefficients, at, order=SPLINE_ORDER, mode="mirror", prefilter=False)
        height = map_coordinates(depth, at, order=SPLINE_ORDER, mode="mirror")
        return flat * np.exp(-(((z - height) / POINT_SPREAD_ZYX[0]) ** 2) / 2)

    return volume


def easifish(specification: PairSpecification, rng: np.random.Generator) -> Volume:
    """Return a part of the reference volume of the EASI-FISH data."""
    image = _structure_of(tifffile.imread(SHARED_DATA / "easifish" / VOLUME))
    coefficients = spline_filter(image, SPLINE_ORDER)
    origin = _random_origin(image.shape, specification.shape, rng)

    def volume(z: NDArray, y: NDArray, x: NDArray) -> NDArray:
        at = np.broadcast_arrays(z + origin[0], y + origin[1], x + origin[2])
        return map_coordinates(coefficients, at, order=SPLINE_ORDER, mode="mirror", prefilter=False)

    return volume


def _structure_of(image: NDArray) -> NDArray[np.float64]:
    """Return a real image without its background and smoothed for interpolation."""
    image = image.astype(float) - np.percentile(image, BACKGROUND_PERCENTILE)
    return gaussian_filter(np.maximum(image, 0), TEXTURE_SMOOTHING, mode="mirror")


def _random_origin(
    source: tuple[int, ...], shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return where the stack begins in its source: fractional, so that both are interpolated."""
    room = np.maximum(np.array(source) - np.array(shape), 0)
    return np.floor(room * rng.uniform(0.3, 0.7, len(room))) + rng.uniform(0.2, 0.8, len(room))


def without_blocks(
    volume: Volume, specification: PairSpecification, empty: NDArray[np.bool_]
) -> Volume:
    """Return the volume with nothing in the empty blocks; a point spread wide at their edges."""
    block, width = specification.block_size_xy, POINT_SPREAD_ZYX[1]

    def emptied(z: NDArray, y: NDArray, x: NDArray) -> NDArray:
        values = volume(z, y, x)
        for i, j in np.argwhere(empty):
            centre_y, centre_x = (np.array([i, j]) + 0.5) * block - 0.5
            outside = np.maximum(np.abs(y - centre_y), np.abs(x - centre_x)) - block / 2
            values = values / (1 + np.exp(-(outside - 3 * width) / width))
        return values

    return emptied


def outside_blocks(
    blobs: Blobs, specification: PairSpecification, empty: NDArray[np.bool_]
) -> Blobs:
    """Return the blobs of which nothing reaches into an empty block (3 standard deviations)."""
    keep = np.ones(len(blobs.heights), bool)
    block = specification.block_size_xy
    for corner in np.argwhere(empty) * block - 0.5:
        y, x = (blobs.positions_zyx[:, 1:] - corner).T
        reach = 3 * blobs.sigmas_zyx[:, 1]
        keep &= (y < -reach) | (y > block + reach) | (x < -reach) | (x > block + reach)
    return blobs.select(keep)


def unmatched(specification: PairSpecification, rng: np.random.Generator) -> Blobs:
    """Return dirt and autofluorescence of one stack, anywhere in it."""
    count = specification.dirt + specification.autofluorescence
    is_dirt = np.arange(count) < specification.dirt
    sizes = np.where(is_dirt, DIRT_SIZE, AUTOFLUORESCENCE_SIZE)
    sigmas = sizes[:, None] * POINT_SPREAD_ZYX
    sigmas[:, 0] = np.minimum(sigmas[:, 0], specification.shape[0] / 4)
    heights = np.where(is_dirt, DIRT_HEIGHT, AUTOFLUORESCENCE_HEIGHT) * _heights(count, rng)
    return Blobs(rng.uniform(0, specification.shape, (count, 3)), heights, sigmas)


def typical_height(signal: NDArray) -> float:
    """Return the median of the brightest values of 32 px tiles of a signal (Z, Y, X)."""
    flat = signal.max(axis=0)
    rows, columns = (length // TILE for length in flat.shape)
    tiles = flat[: rows * TILE, : columns * TILE].reshape(rows, TILE, columns, TILE)
    return float(np.median(tiles.max(axis=(1, 3))))
