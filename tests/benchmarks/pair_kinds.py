"""The sets of pairs: which kinds there are, how many of each, and the seeds.

A seed draws the numbers of a specification within its kind, then everything in the pair. The
seeds for tuning and for reporting are disjoint. Whoever chooses anything by the reporting pairs
moves their seeds to the tuning pairs and reports on new ones.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from pair_specification import PairSpecification
from planted_structure import SHARED_DATA

FIRST_TUNING_SEEDS, FIRST_REPORTING_SEED = (1000, 2000, 3000, 4000), 5000
# (shape, block): more blocks for little computing, and blocks of the usual 128 px
LAYOUTS = (
    ((24, 256, 256), 64),
    ((24, 384, 384), 64),
    ((28, 512, 512), 128),
    ((24, 384, 512), 128),
)
# real images leave room for a shift only where the field is smaller than they are
LAYOUTS_FROM_FILES = {
    "projection": ((24, 384, 384), 128),
    "easifish": ((32, 192, 192), 48),
}

Rng = np.random.Generator


def _either_sign(rng: Rng, low: float, high: float) -> float:
    return float(rng.choice([-1, 1]) * rng.uniform(low, high))


def _near(rng: Rng) -> PairSpecification:
    """Return a pair without any difficulty, a few px and planes apart."""
    shape, block = LAYOUTS[rng.integers(len(LAYOUTS))]
    shift = (rng.uniform(-2, 2), rng.uniform(-12, 12), rng.uniform(-12, 12))
    return PairSpecification(
        kind="", shape=shape, block_size_xy=block, shift_zyx=tuple(map(float, shift))
    )


def _most_empty(specification: PairSpecification) -> int:
    return int(np.prod(specification.grid)) // 8


def _rigid(rng: Rng) -> PairSpecification:
    return replace(_near(rng), drift_amplitude=rng.uniform(0, 0.5))


def _drift(rng: Rng) -> PairSpecification:
    return replace(
        _near(rng),
        drift_amplitude=rng.uniform(1, 3),
        rotation_degrees=rng.uniform(-0.2, 0.2),
        z_scale=rng.uniform(-0.005, 0.005),
        tilt_yx=(rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3)),
    )


def _rotation(rng: Rng) -> PairSpecification:
    return replace(
        _near(rng),
        drift_amplitude=rng.uniform(0, 2),
        rotation_degrees=_either_sign(rng, 0.5, 3),
        z_scale=_either_sign(rng, 0.005, 0.05),
        tilt_yx=(rng.uniform(-2, 2), rng.uniform(-2, 2)),
        empty_blocks=1,
    )


def _far(rng: Rng) -> PairSpecification:
    """Return a pair far apart: at least one of y and x by almost a third of the field."""
    near = _near(rng)
    planes, rows, columns = near.shape
    far = [_either_sign(rng, 0.2, 1 / 3) * rows, rng.uniform(-1 / 3, 1 / 3) * columns]
    if rng.random() < 0.5:
        far = [far[1] * rows / columns, far[0] * columns / rows]
    return replace(
        near,
        shift_zyx=(float(rng.uniform(-1 / 3, 1 / 3) * planes), *map(float, far)),
        drift_amplitude=rng.uniform(0, 2),
        rotation_degrees=rng.choice([0.0, _either_sign(rng, 0.2, 2)]),
    )


def _empty(rng: Rng) -> PairSpecification:
    drifting = replace(_near(rng), drift_amplitude=rng.uniform(0.5, 3), dirt=int(rng.integers(3)))
    return replace(drifting, empty_blocks=_most_empty(drifting))


def _unmatched(rng: Rng) -> PairSpecification:
    return replace(
        _near(rng),
        drift_amplitude=rng.uniform(0, 2),
        missing_share=rng.uniform(0.1, 0.4),
        dirt=int(rng.integers(4, 12)),
        autofluorescence=int(rng.integers(4, 12)),
        uneven_background=rng.uniform(0.2, 0.7),
        empty_blocks=1,
    )


def _faint(rng: Rng) -> PairSpecification:
    return replace(
        _near(rng),
        drift_amplitude=rng.uniform(0, 2),
        snr=rng.uniform(2, 4),
        remaining_brightness=rng.uniform(0.3, 1),
    )


def _camera(rng: Rng) -> PairSpecification:
    return replace(
        _near(rng),
        drift_amplitude=rng.uniform(0, 2),
        snr=rng.uniform(4, 10),
        fixed_pattern=rng.uniform(0.5, 1.5),
        saturated_share=rng.uniform(0.05, 0.3),
        uneven_background=rng.uniform(0.2, 0.7),
        remaining_brightness=rng.uniform(0.3, 1),
    )


def _sparse(rng: Rng) -> PairSpecification:
    sparse = replace(
        _near(rng),
        spots_per_block=int(rng.integers(5, 9)),
        drift_amplitude=rng.uniform(0, 2),
        rotation_degrees=rng.uniform(-1, 1),
        missing_share=rng.uniform(0, 0.15),
    )
    return replace(sparse, empty_blocks=_most_empty(sparse))


def _of_content(content: str) -> Callable[[Rng], PairSpecification]:
    def draw(rng: Rng) -> PairSpecification:
        near = _near(rng)
        shape, block = LAYOUTS_FROM_FILES.get(content, (near.shape, near.block_size_xy))
        return replace(
            near,
            content=content,
            shape=shape,
            block_size_xy=block,
            drift_amplitude=rng.uniform(0, 2),
            rotation_degrees=rng.choice([0.0, _either_sign(rng, 0.2, 2)]),
            snr=rng.uniform(4, 12),
            remaining_brightness=rng.uniform(0.3, 1),
            uneven_background=rng.uniform(0, 0.5),
            empty_blocks=1,
        )

    return draw


def _everything(rng: Rng) -> PairSpecification:
    near = _near(rng)
    planes, rows, columns = near.shape
    return replace(
        near,
        spots_per_block=int(rng.integers(10, 25)),
        shift_zyx=tuple(float(rng.uniform(-0.2, 0.2) * n) for n in (planes, rows, columns)),
        drift_amplitude=rng.uniform(0, 3),
        rotation_degrees=rng.uniform(-2, 2),
        tilt_yx=(rng.uniform(-1, 1), rng.uniform(-1, 1)),
        z_scale=rng.uniform(-0.03, 0.03),
        empty_blocks=_most_empty(near),
        missing_share=rng.uniform(0, 0.3),
        dirt=int(rng.integers(0, 6)),
        autofluorescence=int(rng.integers(0, 6)),
        remaining_brightness=rng.uniform(0.3, 1),
        uneven_background=rng.uniform(0, 0.5),
        snr=rng.uniform(3, 8),
        fixed_pattern=rng.uniform(0, 0.5),
        saturated_share=rng.uniform(0, 0.1),
    )


def _gaps(rng: Rng) -> PairSpecification:
    """Return a pair with many blocks that have to borrow: empty ones, and some out of sight."""
    near = replace(_near(rng), shape=(24, 512, 512), block_size_xy=64)
    planes, rows, columns = near.shape
    return replace(
        near,
        shift_zyx=(
            float(rng.uniform(-0.1, 0.1) * planes),
            *(float(rng.uniform(-0.25, 0.25) * n) for n in (rows, columns)),
        ),
        drift_amplitude=rng.uniform(0.5, 3),
        rotation_degrees=rng.choice([0.0, _either_sign(rng, 0.2, 2)]),
        empty_blocks=_most_empty(near),
    )


def _mismatch(rng: Rng) -> PairSpecification:
    return replace(
        _near(rng),
        content=str(rng.choice(["spots", "texture", "nuclei"])),
        spots_per_block=int(rng.integers(5, 25)),
        snr=rng.uniform(3, 20),
        fixed_pattern=rng.uniform(0, 1),
        uneven_background=rng.uniform(0, 0.5),
        matches=False,
    )


# kind: (how to draw one, pairs for reporting)
KINDS: dict[str, tuple[Callable[[Rng], PairSpecification], int]] = {
    "rigid": (_rigid, 6),
    "drift": (_drift, 6),
    "rotation": (_rotation, 8),
    "far": (_far, 14),
    "empty": (_empty, 12),
    "unmatched": (_unmatched, 6),
    "faint": (_faint, 6),
    "camera": (_camera, 6),
    "sparse": (_sparse, 8),
    "texture": (_of_content("texture"), 3),
    "nuclei": (_of_content("nuclei"), 4),
    "projection": (_of_content("projection"), 4),
    "easifish": (_of_content("easifish"), 3),
    "everything": (_everything, 8),
    "mismatch": (_mismatch, 6),
    "gaps": (_gaps, 12),
}


def pairs_from(first_seed: int) -> list[tuple[PairSpecification, int]]:
    """Return specifications and seeds of pairs of every kind, with seeds from the first on."""
    pairs = []
    for place, (kind, (draw, count)) in enumerate(KINDS.items()):
        for number in range(count):
            # a seed per kind and number, so that a new kind leaves the others as they are
            seed = first_seed + 20 * place + number
            if kind not in LAYOUTS_FROM_FILES or SHARED_DATA.is_dir():
                pairs.append((replace(draw(np.random.default_rng(seed)), kind=kind), seed))
    return pairs


def tuning_pairs() -> list[tuple[PairSpecification, int]]:
    """Return specifications and seeds to choose methods and constants with."""
    return [pair for seed in FIRST_TUNING_SEEDS for pair in pairs_from(seed)]


def reporting_pairs() -> list[tuple[PairSpecification, int]]:
    """Return specifications and seeds to report with; nothing is chosen by them."""
    return pairs_from(FIRST_REPORTING_SEED)
