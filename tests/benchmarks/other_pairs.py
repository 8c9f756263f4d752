"""Pairs of stacks of another hand: nothing of them was used to choose methods or constants.

Three families, each with a motion, a structure and a camera that `planted_pairs` does not have:

| family | structure | motion |
|---|---|---|
| beads | rings, or astigmatic spots | drift rough at 50 to 90 px |
| volumes | parts of real volumes (`../shared/data`) | bent and walking along z, smooth drift |
| filaments | curves through the stack | rotation, twist along z, drift |

Every second pair shows nothing in a part of the field, so that blocks have to borrow.
"""

from dataclasses import dataclass

import numpy as np
import other_structure as structure
from numpy.typing import NDArray
from other_motion import OtherMotion, drift_waves

FAMILIES = ("beads", "volumes", "filaments")
FIRST_TUNING_SEED, FIRST_REPORTING_SEED = 1000, 5000
BLOCK = 64
GAIN, OFFSET, BACKGROUND = (
    0.46,
    100.0,
    60.0,
)  # grey values a photoelectron; grey values; photoelectrons
READ_NOISE = (1.6, 0.5)  # median over the pixels, and the spread of its logarithm
BLANKED = 0.45  # largest part of the field that shows nothing


@dataclass(frozen=True)
class OtherPair:
    """A pair, and what is planted in it.

    `reference` and `cycle` (Z, Y, X) uint16; `shown` says of positions (n, 3) of the reference
    whether there is structure.
    """

    reference: NDArray[np.uint16]
    cycle: NDArray[np.uint16]
    motion: OtherMotion
    blanked_from: float

    def shows(self, positions_zyx: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return whether there is structure at positions (n, 3) of the reference."""
        return positions_zyx[:, 1] < self.blanked_from


def make_other_pair(family: str, seed: int) -> OtherPair:
    """Return the pair of a family that a seed draws."""
    rng = np.random.default_rng([seed, FAMILIES.index(family)])
    shape = {"beads": (20, 320, 320), "volumes": (40, 192, 192), "filaments": (32, 256, 256)}[
        family
    ]
    motion = _motion(family, shape, rng)
    blanked_from = shape[1] * (1 - rng.uniform(0.25, BLANKED)) if seed % 2 else np.inf
    signals = _signals(family, shape, motion, blanked_from, rng)
    snr = rng.uniform(5, 12)
    variances = READ_NOISE[0] ** 2 * np.exp(2 * READ_NOISE[1] * rng.standard_normal(shape[1:]))
    light = snr * np.sqrt(BACKGROUND + READ_NOISE[0] ** 2)
    reference, cycle = (
        _recorded(light * signal * bright, variances, rng)
        for signal, bright in zip(signals, (1.0, rng.uniform(0.5, 1.0)), strict=True)
    )
    return OtherPair(reference, cycle, motion, blanked_from)


def _motion(family: str, shape: tuple[int, int, int], rng: np.random.Generator) -> OtherMotion:
    rough = family == "beads"
    deep = family != "beads"
    length = rng.uniform(50, 90) if rough else rng.uniform(110, 200)
    waves, phases = drift_waves(length, rng)
    turn = {"beads": 0.3, "volumes": 0.5, "filaments": 1.5}[family]
    return OtherMotion(
        shape=shape,
        shift_zyx=(rng.uniform(-2, 2), rng.uniform(-10, 10), rng.uniform(-10, 10)),
        rotation_degrees=rng.uniform(-turn, turn),
        twist_degrees=rng.uniform(-0.4, 0.4) if family == "filaments" else 0.0,
        bend=(rng.uniform(-1, 1), rng.uniform(-0.5, 0.5)) if family == "volumes" else (0.0, 0.0),
        walk_yx=(rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.8)) if deep else (0.0, 0.0),
        waves=waves,
        phases=phases,
        drift=rng.uniform(0.2, 0.8) if rough else rng.uniform(0.1, 0.6),
    )


def _signals(
    family: str,
    shape: tuple[int, int, int],
    motion: OtherMotion,
    blanked_from: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the noise-free reference and cycle."""
    if family == "volumes":
        reference, cycle = structure.real_volume(shape, motion, rng)
        rows = motion.to_reference()[1]
        reference[:, np.arange(shape[1]) >= blanked_from] = 0
        cycle[rows >= blanked_from] = 0
        return reference, cycle
    if family == "beads":
        draw = (structure.draw_rings, structure.draw_astigmatic)[rng.integers(2)]
        positions = structure.scattered(shape, rng.uniform(12, 30), rng)
    else:
        draw = structure.draw_filament_points
        positions = structure.filaments(shape, rng.uniform(2, 4), rng)
    positions = positions[positions[:, 1] < blanked_from]
    height = structure.heights(len(positions), rng)
    lone = rng.random(len(positions)) < rng.uniform(0, 0.2)
    first = rng.random(len(positions)) < 0.5
    images = np.zeros((2, *shape), np.float32)
    for image, at, kept in (
        (images[0], positions, ~lone | first),
        (images[1], motion.to_cycle(positions), ~lone | ~first),
    ):
        draw(image, at[kept], height[kept])
    return images[0], images[1]


def _recorded(
    signal: NDArray[np.float32], variances: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Return what an sCMOS camera records, each of whose pixels has a noise of its own."""
    rows, columns = (np.linspace(-1, 1, size) for size in signal.shape[1:])
    tilt_y, tilt_x, dome = rng.uniform(-0.2, 0.2, 3)
    light = 1 + tilt_y * rows[:, None] + tilt_x * columns + dome * (rows[:, None] ** 2 + columns**2)
    counts = rng.poisson(np.maximum((signal + BACKGROUND) * light, 0)).astype(float)
    counts += np.sqrt(variances) * rng.standard_normal(signal.shape)
    return np.clip(np.rint(GAIN * counts + OFFSET), 0, 65535).astype(np.uint16)
