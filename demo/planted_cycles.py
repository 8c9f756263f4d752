"""The demo's synthetic experiment: stacks of fiducial spots with a planted, smooth 3D drift."""

import zlib
from dataclasses import dataclass

import numpy as np

SHAPE_ZYX = (32, 384, 512)
BLOCK_SIZE_XY = 128
REFERENCE = "RT27"
CYCLES = (REFERENCE, "RT1", "RT2", "DAPI")
# The fiducials of this cycle are bleached to this fraction of their height.
WEAK_CYCLE, WEAK_HEIGHT = "RT2", 0.3
SPOTS_PER_BLOCK = 20
# Standard deviations of the PSF of a typical wide-field microscope, in planes and px.
PSF_ZYX = np.array((2.0, 1.3, 1.3))
# Spots outside of the field enter it when the cycle drifts.
MARGIN_ZYX = np.array((8, 48, 48))
TYPICAL_HEIGHT = 400.0
# Spots in the second channel of a cycle.
TARGETS = 60
OFFSET, UNEVEN_BACKGROUND, READ_NOISE = 120.0, 150.0, 4.0


@dataclass(frozen=True)
class Drift:
    """A smooth drift: the shift that brings a position of the cycle to the reference.

    At a position p of the reference it is `mean` + `slope` . p_yx + `wave` x sin(...), where p_yx
    is counted from the centre in units of the field, all in planes and px (z, y, x).
    """

    mean_zyx: np.ndarray
    slope_zyx: np.ndarray
    wave_zyx: np.ndarray
    phase: float

    def shift_zyx(self, positions_zyx: np.ndarray) -> np.ndarray:
        """Return the shift (..., 3) at positions (..., 3) of the reference, in planes and px."""
        relative = positions_zyx[..., 1:] / np.array(SHAPE_ZYX[1:]) - 0.5
        wave = np.sin(np.pi * relative.sum(axis=-1) + self.phase)
        result: np.ndarray = (
            self.mean_zyx + relative @ self.slope_zyx + wave[..., None] * self.wave_zyx
        )
        return result


def planted_drift(roi: str, cycle: str) -> Drift:
    """Return the drift of a cycle; the reference has none."""
    moved = float(cycle != REFERENCE)
    rng = _random(roi, cycle, "drift")
    return Drift(
        mean_zyx=moved * rng.uniform((-4, -20, -20), (4, 20, 20)),
        slope_zyx=moved * rng.uniform(-1.0, 1.0, (2, 3)),
        wave_zyx=moved * rng.uniform(0.3, 0.8, 3),
        phase=rng.uniform(0, 2 * np.pi),
    )


def demo_stack(roi: str, cycle: str) -> np.ndarray:
    """Return the fiducial stack (Z, Y, X) uint16 of a cycle: spots, uneven background, noise."""
    positions, heights = _spots(roi)
    in_cycle = positions - planted_drift(roi, cycle).shift_zyx(positions)
    height = WEAK_HEIGHT if cycle == WEAK_CYCLE else 1.0
    return _seen(roi, cycle, in_cycle, heights * height)


def second_channel(roi: str, cycle: str) -> np.ndarray:
    """Return the stack (Z, Y, X) uint16 of a cycle's second channel, which shows its targets."""
    _, in_cycle = targets(roi, cycle)
    heights = np.full(len(in_cycle), 2 * TYPICAL_HEIGHT)
    return _seen(roi, f"{cycle} targets", in_cycle, heights)


def targets(roi: str, cycle: str) -> tuple[np.ndarray, np.ndarray]:
    """Return where the spots of a cycle's own targets are: (n, 3) in the reference, in the cycle.

    They are what a user wants to know the place of: another set in each cycle.
    """
    rng = _random(roi, cycle, "targets")
    margin = np.array((6, 30, 30))
    positions = rng.uniform(margin, np.array(SHAPE_ZYX) - margin, (TARGETS, 3))
    return positions, positions - planted_drift(roi, cycle).shift_zyx(positions)


def _seen(roi: str, cycle: str, positions: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Return a stack with spots at positions of the cycle, uneven background and noise."""
    image = _rendered(positions, heights) + _background(roi, cycle)
    rng = _random(roi, cycle, "noise")
    # Shot noise of so many photons is normal for all purposes.
    image += rng.standard_normal(image.shape, np.float32) * np.sqrt(image + READ_NOISE**2)
    result: np.ndarray = np.clip(np.rint(image), 0, 65535).astype(np.uint16)
    return result


def empty_block(roi: str) -> tuple[int, int]:
    """Return (block_i, block_j) of the block that has no spot in any cycle."""
    rows, columns = np.array(SHAPE_ZYX[1:]) // BLOCK_SIZE_XY
    rng = _random(roi, "", "empty block")
    return int(rng.integers(rows)), int(rng.integers(columns))


def planted_blocks(roi: str, cycle: str, z_binning: int) -> np.ndarray:
    """Return the planted shift (n_i, n_j, 3) averaged over each block; z in kept planes, px."""
    edge = BLOCK_SIZE_XY
    rows, columns = (size // edge for size in SHAPE_ZYX[1:])
    yx = np.moveaxis(np.indices(SHAPE_ZYX[1:]), 0, -1).astype(float)
    positions = np.concatenate([np.zeros((*yx.shape[:2], 1)), yx], axis=-1)
    shift = planted_drift(roi, cycle).shift_zyx(positions)
    shift = shift.reshape(rows, edge, columns, edge, 3).mean(axis=(1, 3))
    result: np.ndarray = shift / np.array((z_binning, 1, 1))
    return result


def _random(*seed: str) -> np.random.Generator:
    """Return a generator that depends on the words only, also across versions of Python."""
    return np.random.default_rng([zlib.crc32(word.encode()) for word in seed])


def _spots(roi: str) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (n, 3) in the reference and heights (n,) of a ROI's fiducials."""
    rng = _random(roi, "", "spots")
    low, high = -MARGIN_ZYX, np.array(SHAPE_ZYX) + MARGIN_ZYX
    area = np.prod((high - low)[1:]) / BLOCK_SIZE_XY**2
    depth = (high - low)[0] / SHAPE_ZYX[0]
    positions = rng.uniform(low, high, (int(SPOTS_PER_BLOCK * area * depth), 3))
    heights = TYPICAL_HEIGHT * rng.lognormal(0, 0.4, len(positions))
    in_empty = (positions[:, 1:] // BLOCK_SIZE_XY == empty_block(roi)).all(axis=1)
    return positions[~in_empty], heights[~in_empty]


def _rendered(positions: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Return a stack (Z, Y, X) float32 with a Gaussian PSF of a given height at each position."""
    stack = np.zeros(SHAPE_ZYX, np.float32)
    reach = np.ceil(4 * PSF_ZYX).astype(int)
    for position, height in zip(positions, heights, strict=True):
        start = np.maximum(np.rint(position).astype(int) - reach, 0)
        stop = np.minimum(np.rint(position).astype(int) + reach + 1, SHAPE_ZYX)
        if (start < stop).all():
            profiles = [
                np.exp(-(((np.arange(a, b) - p) / width) ** 2) / 2)
                for a, b, p, width in zip(start, stop, position, PSF_ZYX, strict=True)
            ]
            window = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
            stack[window] += height * np.einsum("i,j,k->ijk", *profiles)
    return stack


def _background(roi: str, cycle: str) -> np.ndarray:
    """Return the uneven background (Y, X) of a stack, float32."""
    rng = _random(roi, cycle, "background")
    centre = rng.uniform(0.2, 0.8, 2) * SHAPE_ZYX[1:]
    y, x = np.indices(SHAPE_ZYX[1:], dtype=np.float32)
    squared = (y - centre[0]) ** 2 + (x - centre[1]) ** 2
    bump = np.exp(-squared / (2 * (0.4 * SHAPE_ZYX[2]) ** 2))
    result: np.ndarray = (OFFSET + UNEVEN_BACKGROUND * bump).astype(np.float32)
    return result
