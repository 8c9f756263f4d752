"""How far spots at random positions are from their place in 3D, by the way they are corrected.

    python tests/benchmarks/spots.py [--pairs 8] [--no-peer]

Pairs of planted stacks with a smooth drift, a small turn and a z scale. Spots lie anywhere in the
cycle. They are corrected by the field; by the shift of the block that they lie in, as pyHiM does
with a table of blocks; and as pyHiM would do it all by itself (`peer.py`), with its own tolerance,
beyond which it deletes spots.
"""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from planted_pairs import Pair, PairSpecification, make_pair

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))

import crossreg

FIRST_SEED = 9100
SHAPE, BLOCK = (30, 512, 512), 128
SPOTS = 2000
MARGIN = (2, 8, 8)
"""Planes and px from the edges within which spots are not looked at: they may not be seen."""
TOLERANCE_ZYX = (3, 1, 1)
"""pyHiM's toleranceDrift: spots whose residual shift is larger are deleted."""


@dataclass(frozen=True)
class Errors:
    """Differences (n, 3) of the spots that are kept from their places (planes, px), of `count`."""

    difference_zyx: NDArray[np.float64]
    count: int

    @property
    def rms_zyx(self) -> NDArray[np.float64]:
        """Return the root of the mean of squares along each axis."""
        return np.sqrt((self.difference_zyx**2).mean(axis=0))


def together(parts: Iterable[Errors]) -> Errors:
    """Return the errors of all parts as one."""
    parts = list(parts)
    differences = np.concatenate([one.difference_zyx for one in parts])
    return Errors(differences, sum(one.count for one in parts))


def specification(rng: np.random.Generator, shape: tuple[int, int, int]) -> PairSpecification:
    """Return a pair with a field that bends in 3D."""
    return PairSpecification(
        "spots",
        shape=shape,
        block_size_xy=BLOCK,
        shift_zyx=tuple(rng.uniform(-1, 1, 3) * (2, 20, 20)),
        drift_amplitude=rng.uniform(1, 3),
        rotation_degrees=rng.uniform(-0.5, 0.5),
        tilt_yx=tuple(rng.uniform(-1, 1, 2)),
        z_scale=rng.uniform(-0.02, 0.02),
    )


def planted_spots(pair: Pair, count: int, seed: int) -> tuple[NDArray, NDArray]:
    """Return random places (n, 3) in the reference, and where the cycle shows them."""
    size = np.array(pair.reference.shape)
    places = np.random.default_rng(seed).uniform(MARGIN, size - 1 - MARGIN, (count, 3))
    seen = pair.motion.to_cycle(places)
    inside = ((seen >= MARGIN) & (seen <= size - 1 - MARGIN)).all(axis=1)
    return places[inside], seen[inside]


def by_blocks(
    seen: NDArray, shift_zyx: NDArray, global_yx: NDArray, tolerance_zyx: tuple[float, ...]
) -> NDArray:
    """Return spots corrected by the residual (n_i, n_j, 3) of their block; NaN beyond tolerance."""
    moved = seen + np.array([0, *global_yx])
    last = np.array(shift_zyx.shape[:2]) - 1
    i, j = np.clip(moved[:, 1:] // BLOCK, 0, last).astype(int).T
    residual = shift_zyx[i, j]
    kept = (np.abs(residual) < tolerance_zyx).all(axis=1)
    return np.where(kept[:, None], moved + residual, np.nan)


def errors_of(pair: Pair, seed: int, with_peer: bool) -> dict[str, Errors]:
    """Return the errors of the spots of a pair, by the way of correcting them."""
    places, seen = planted_spots(pair, SPOTS, seed)
    found = crossreg.register(pair.reference, pair.cycle, block_size=BLOCK)
    table, global_yx = found.table(), np.array(found.cycle_field.global_shift_yx)
    total = np.column_stack([table[f"shift_{axis}"] for axis in ("z", "row", "column")])
    grid = total.reshape(*found.cycle_field.status.shape, 3) - (0, *global_yx)
    corrected = {
        "the field": found.to_reference(seen),
        "the nearest block": by_blocks(seen, grid, global_yx, 3 * (np.inf,)),
    }
    if with_peer:
        import peer

        shift_yx = peer.global_shift(pair.reference.max(axis=0), pair.cycle.max(axis=0))
        prepared = peer.prepare(pair.reference)
        own = peer.local_shifts(prepared, pair.cycle, shift_yx, BLOCK, with_quality=False)
        corrected["pyHiM's own way"] = by_blocks(seen, own.shift_zyx, shift_yx, TOLERANCE_ZYX)
    return {
        name: Errors((spots - places)[np.isfinite(spots).all(axis=1)], len(places))
        for name, spots in corrected.items()
    }


def main() -> None:
    """Plant, register, correct, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=8, help="how many pairs (default: 8)")
    parser.add_argument("--no-peer", action="store_true", help="leave pyHiM's own way out")
    options = parser.parse_args()
    all_errors: dict[str, list[Errors]] = {}
    for seed in range(FIRST_SEED, FIRST_SEED + options.pairs):
        pair = make_pair(specification(np.random.default_rng(seed), SHAPE), seed)
        for name, errors in errors_of(pair, seed, not options.no_peer).items():
            all_errors.setdefault(name, []).append(errors)
    print(f"{options.pairs} pairs of {SHAPE}: rms of spots, z in planes, rows and columns in px")
    for name, found in all_errors.items():
        everything = together(found)
        rms = ", ".join(f"{value:.3f}" for value in everything.rms_zyx)
        kept = len(everything.difference_zyx) / everything.count
        print(
            f"{name:<20} {rms}   worst pair {max(one.rms_zyx[1:].max() for one in found):.3f} px"
            f"   {100 * kept:.1f} % of {everything.count} spots kept"
        )


if __name__ == "__main__":
    main()
