"""How honest sigma is on data of another hand, in one table.

    python tests/benchmarks/calibration.py                       # 24 pairs of each family
    python tests/benchmarks/calibration.py --pairs tuning --number 6

For each family: the errors at random positions (`SmoothField.at`), of measured and of borrowed
blocks, as rms (planes, px, px) and as shares within 1 and beyond 3 sigma. Then real data by
consistency: reference and cycle exchanged, A to B to C against A to C, and two channels that move
alike. Exit status 1 when a share is out of its limits.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from multiprocessing import Pool

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
from consistency import consistency_rows  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from other_pairs import (  # noqa: E402
    BLOCK,
    FAMILIES,
    FIRST_REPORTING_SEED,
    FIRST_TUNING_SEED,
    OtherPair,
    make_other_pair,
)
from other_structure import EASIFISH  # noqa: E402
from ours import register  # noqa: E402
from tables import text_table  # noqa: E402

WITHIN_1_SIGMA, BEYOND_3_SIGMA = (0.58, 0.78), 0.02
LEAST_VALUES = 300  # of one axis, for a verdict
POSITIONS = 300  # random ones in each pair
SAMPLES = (8, 6, 6)  # points along the axes of a block for its mean shift
HEADING = ("family", "where", "values", "rms", "within 1 sigma", "beyond 3 sigma", "largest", "")


@dataclass(frozen=True)
class Errors:
    """Errors and their sigmas (n, 3) in planes, px, px, by where they were taken."""

    error: NDArray[np.float64]
    sigma: NDArray[np.float64]


def errors_of(task: tuple[str, int]) -> dict[str, Errors]:
    """Return the errors of one pair: at `any position`, of `measured` and of `borrowed` blocks."""
    family, seed = task
    pair = make_other_pair(family, seed)
    found = register(pair.reference, pair.cycle, BLOCK)
    if found.local.field is None:
        return {}
    places = _seen_positions(pair, np.random.default_rng(seed))
    shift, sigma = found.local.field.at(places)
    result = {"any position": Errors(shift - pair.motion.shift_at(places), sigma)}
    error = found.total_zyx - _block_truth(pair)
    for status in ("measured", "borrowed"):
        chosen = found.local.status == status
        result[status] = Errors(error[chosen], found.local.sigma_zyx[chosen])
    return result


def _seen_positions(pair: OtherPair, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return random positions of the reference that the cycle shows too."""
    size = np.array(pair.reference.shape)
    places = rng.uniform(-0.5, size - 0.5, (POSITIONS, 3))
    moved = pair.motion.to_cycle(places)
    return places[np.all((moved >= -0.5) & (moved < size - 0.5), axis=1)]


def _block_truth(pair: OtherPair) -> NDArray[np.float64]:
    """Return the mean of the planted shift over each block, (n_i, n_j, 3)."""
    planes, *field = pair.reference.shape
    grid = [size // BLOCK for size in field]
    steps = [(np.arange(count) + 0.5) / count for count in SAMPLES]
    corners = np.stack(
        np.meshgrid(*(np.arange(count) * BLOCK for count in grid), indexing="ij"), -1
    )
    inside = np.stack(
        np.meshgrid(steps[0] * planes, steps[1] * BLOCK, steps[2] * BLOCK, indexing="ij"), -1
    ).reshape(-1, 3)
    at = inside - 0.5 + np.insert(corners.reshape(-1, 1, 2), 0, 0, axis=-1)
    shift = pair.motion.shift_at(at.reshape(-1, 3))
    return shift.reshape(*grid, len(inside), 3).mean(axis=2)


def rows_of(family: str, results: list[dict[str, Errors]]) -> list[tuple[str, ...]]:
    """Return the rows of a family, with its lost cycles."""
    rows = []
    for where in ("any position", "measured", "borrowed"):
        parts = [result[where] for result in results if where in result]
        error = np.concatenate([part.error for part in parts])
        sigma = np.concatenate([part.sigma for part in parts])
        rows.append((family, where, *calibration(error, sigma)))
    lost = sum(not result for result in results)
    rows.append((family, "cycles lost", f"{lost} of {len(results)}", "", "", "", "", ""))
    return rows


def calibration(error: NDArray[np.float64], sigma: NDArray[np.float64]) -> tuple[str, ...]:
    """Return the cells of a row: number, rms, within 1 and beyond 3 sigma, largest, verdict."""
    if not len(error):
        return ("0", "", "", "", "", "")
    ratio = np.abs(error) / sigma
    inside, beyond = np.mean(ratio <= 1, axis=0), np.mean(ratio > 3, axis=0)
    low, high = WITHIN_1_SIGMA
    passed = np.all((inside >= low) & (inside <= high)) and np.all(beyond <= BEYOND_3_SIGMA)
    verdict = ("pass" if passed else "FAIL") if len(error) >= LEAST_VALUES else ""
    texts = (
        " ".join(f"{value:.3f}" for value in values)
        for values in (np.sqrt(np.mean(error**2, axis=0)), inside, beyond)
    )
    return (str(len(error)), *texts, f"{np.abs(error).max():.2f}", verdict)


def main() -> int:
    """Run the pairs, print the tables; return 1 when a share is out of its limits."""
    options = parser().parse_args()
    first = FIRST_REPORTING_SEED if options.pairs == "reporting" else FIRST_TUNING_SEED
    families = [name for name in FAMILIES if name != "volumes" or EASIFISH.is_dir()]
    tasks = [(family, first + n) for family in families for n in range(options.number)]
    with Pool(options.processes) as pool:
        results = pool.map(errors_of, tasks, chunksize=1)
    rows = []
    for family in families:
        mine = [found for task, found in zip(tasks, results, strict=True) if task[0] == family]
        rows += rows_of(family, mine)
    print(text_table(HEADING, rows), end="\n\n")
    print(text_table(("real data, by consistency", *HEADING[2:7]), consistency_rows(calibration)))
    return int(any(row[-1] == "FAIL" for row in rows))


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--pairs", choices=("reporting", "tuning"), default="reporting")
    options.add_argument(
        "--number", type=int, default=24, help="pairs of each family (default: 24)"
    )
    options.add_argument("--processes", type=int, default=1, help="pairs at a time (default: 1)")
    return options


if __name__ == "__main__":
    sys.exit(main())
