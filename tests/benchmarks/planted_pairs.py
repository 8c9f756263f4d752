"""Pairs of stacks with a known motion, for tuning and for reporting.

    for specification, seed in reporting_pairs():
        pair = make_pair(specification, seed)

`pair.reference` and `pair.cycle` are uint16 stacks (Z, Y, X); `pair.truth` says what a perfect
block table holds. The same specification and seed give the same bytes.
"""

from dataclasses import dataclass

import numpy as np
import planted_structure
from numpy.typing import NDArray
from pair_kinds import reporting_pairs, tuning_pairs
from pair_specification import CONTENTS, PairSpecification
from planted_camera import background_deviation, make_camera, record
from planted_motion import Motion, smooth_drift
from planted_structure import SHARED_DATA, Blobs, Volume

__all__ = [
    "CONTENTS",
    "SHARED_DATA",
    "Pair",
    "PairSpecification",
    "Truth",
    "make_pair",
    "reporting_pairs",
    "tuning_pairs",
]

LARGEST_EMPTY_SHARE = 8  # at most one block in 8 is empty


@dataclass(frozen=True)
class Truth:
    """What was planted, block by block of the reference's grid.

    Parameters
    ----------
    shift_zyx : (n_i, n_j, 3) total shift averaged over the block (planes, px, px): what is added
        to a position in the cycle to reach the reference. A block table holds its z, and its y
        and x less the global shift that was applied.
    global_shift_yx : mean shift over the part of the field that both stacks show.
    overlap : (n_i, n_j) share of the block's area that both stacks show. A z drift takes the
        same share of every block and is left out, which counts more blocks, not fewer.
    empty : (n_i, n_j) blocks without any fiducial.
    matches : False where the cycle shows another ROI; then nothing above has a meaning.
    """

    shift_zyx: NDArray[np.float64]
    global_shift_yx: NDArray[np.float64]
    overlap: NDArray[np.float64]
    empty: NDArray[np.bool_]
    matches: bool


@dataclass(frozen=True)
class Pair:
    """A planted pair: two stacks (Z, Y, X) of uint16, the motion between them, and the truth."""

    specification: PairSpecification
    seed: int
    reference: NDArray[np.uint16]
    cycle: NDArray[np.uint16]
    truth: Truth
    motion: Motion


def make_pair(specification: PairSpecification, seed: int) -> Pair:
    """Return the pair that the specification and the seed plant."""
    rng = np.random.default_rng(seed)
    motion = _motion(specification, rng)
    empty = _empty_blocks(specification, rng)
    reference, cycle = _signals(specification, motion, empty, rng)
    if not specification.matches:
        _, cycle = _signals(specification, motion, empty, rng)
    deviation = background_deviation(specification.fixed_pattern)
    height = specification.snr * deviation / specification.remaining_brightness
    camera = make_camera(
        specification.shape[1:],
        specification.fixed_pattern,
        height if specification.saturated_share > 0 else None,
        rng,
    )
    uneven = specification.uneven_background
    return Pair(
        specification,
        seed,
        record(height * reference, camera, uneven, rng),
        record(height * specification.remaining_brightness * cycle, camera, uneven, rng),
        _truth(specification, motion, empty),
        motion,
    )


def _motion(specification: PairSpecification, rng: np.random.Generator) -> Motion:
    drift = smooth_drift(
        specification.shape[1:],
        specification.block_size_xy,
        specification.drift_amplitude,
        rng,
    )
    return Motion(
        specification.shape,
        specification.shift_zyx,
        specification.rotation_degrees,
        specification.tilt_yx,
        specification.z_scale,
        drift,
    )


def _empty_blocks(specification: PairSpecification, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return (n_i, n_j) which blocks are empty: drawn until no two touch, not even at a corner."""
    empty = np.zeros(specification.grid, bool)
    if specification.empty_blocks * LARGEST_EMPTY_SHARE > empty.size:
        raise ValueError(f"at most 1 block in 8 can be empty: {specification}")
    while True:
        chosen = rng.choice(empty.size, specification.empty_blocks, replace=False)
        i, j = np.unravel_index(chosen, empty.shape)
        distance = np.maximum(abs(i[:, None] - i), abs(j[:, None] - j))
        np.fill_diagonal(distance, empty.size)
        if np.all(distance > 1):
            empty[i, j] = True
            return empty


def _structure(
    specification: PairSpecification, rng: np.random.Generator
) -> tuple[Blobs | None, Volume | None]:
    match specification.content:
        case "spots":
            return planted_structure.spots(specification, rng), None
        case "texture":
            return planted_structure.texture(specification, rng), None
        case "nuclei":
            return planted_structure.nuclei(specification, rng)
        case "projection":
            return None, planted_structure.projection(specification, rng)
        case "easifish":
            return None, planted_structure.easifish(specification, rng)
    raise ValueError(f"content must be one of {CONTENTS}, not {specification.content!r}")


def _signals(
    specification: PairSpecification,
    motion: Motion,
    empty: NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the noise-free reference and cycle (Z, Y, X), in typical heights."""
    blobs, volume = _structure(specification, rng)
    reference = np.zeros(specification.shape, np.float32)
    cycle = np.zeros(specification.shape, np.float32)
    if volume is not None:
        volume = planted_structure.without_blocks(volume, specification, empty)
        planes = np.arange(specification.shape[0], dtype=float)[:, None, None]
        rows, columns = np.mgrid[: reference.shape[1], : reference.shape[2]].astype(float)
        reference += volume(planes, rows, columns)
        cycle += volume(*motion.to_reference())
    if blobs is not None:
        blobs = planted_structure.outside_blocks(blobs, specification, empty)
        lone = rng.random(len(blobs.heights)) < specification.missing_share
        first = rng.random(len(blobs.heights)) < 0.5
        planted_structure.draw(blobs.select(~lone | first), reference)
        planted_structure.draw(blobs.select(~lone | ~first).moved(motion), cycle)
    if specification.content != "spots":
        typical = planted_structure.typical_height(reference)
        reference /= typical
        cycle /= typical
    for signal in (reference, cycle):
        planted_structure.draw(planted_structure.unmatched(specification, rng), signal)
    return np.maximum(reference, 0), np.maximum(cycle, 0)


def _truth(specification: PairSpecification, motion: Motion, empty: NDArray[np.bool_]) -> Truth:
    shift = motion.mean_shift_map()
    rows, columns = np.mgrid[: shift.shape[0], : shift.shape[1]]
    position = np.stack([rows, columns], axis=-1) - shift[..., 1:]
    seen = np.all((position >= -0.5) & (position < np.array(shift.shape[:2]) - 0.5), axis=-1)
    return Truth(
        shift_zyx=_block_means(shift, specification),
        global_shift_yx=shift[seen][:, 1:].mean(axis=0),
        overlap=_block_means(seen[..., None].astype(float), specification)[..., 0],
        empty=empty,
        matches=specification.matches,
    )


def _block_means(image: NDArray, specification: PairSpecification) -> NDArray[np.float64]:
    """Return (n_i, n_j, channels), the means of an image (Y, X, channels) over its blocks."""
    (n_i, n_j), block = specification.grid, specification.block_size_xy
    return image.reshape(n_i, block, n_j, block, -1).mean(axis=(1, 3))
