"""How often planes that are missing or doubled are named, and how often such a thing is made up.

    python tests/benchmarks/plane_jumps.py                  # 8 pairs of each family
    python tests/benchmarks/plane_jumps.py --pairs 2 --first 9000

The pairs are those of `other_pairs`, of which the volumes bend along z. Of each cycle a plane is
dropped, one is doubled, or two to five are dropped as by a stage that slipped, at a place that the
seed draws. Prints, family by family, of how many cycles the right plane was named, another one, or
none.
"""

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

# One thread, set before NumPy is loaded
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.append(str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from other_pairs import BLOCK, FAMILIES, make_other_pair  # noqa: E402
from ours import register  # noqa: E402
from tables import text_table  # noqa: E402

FIRST_SEED = 1100
END = 5  # planes from the ends of the stack, at least
SLIPPED = (2, 5)  # planes
NAMED = re.compile(r"plane (\d+) of the cycle")
HEADING = ("family", "planted", "cycles", "right plane", "another plane", "none")


def changed(
    cycle: NDArray[np.uint16], rng: np.random.Generator
) -> Iterator[tuple[str, NDArray[np.uint16], int | None]]:
    """Yield what is planted, the cycle (Z, Y, X) with it, and the plane before which it is."""
    yield "nothing", cycle, None
    plane, other, third = (int(at) for at in rng.integers(END, len(cycle) - END, 3))
    yield "dropped", np.delete(cycle, plane, axis=0), plane
    yield "doubled", np.insert(cycle, other, cycle[other], axis=0)[: len(cycle)], other + 1
    count = int(rng.integers(SLIPPED[0], SLIPPED[1] + 1))
    first = min(third, len(cycle) - END - count)
    yield "slipped", np.delete(cycle, range(first, first + count), axis=0), first


def outcome(reference: NDArray, cycle: NDArray, plane: int | None) -> str:
    """Return which plane the verdict names: one of the last three of HEADING."""
    named = NAMED.search(register(reference, cycle, BLOCK).local.verdict.reason)
    if named is None:
        return "none"
    return "right plane" if int(named[1]) == plane else "another plane"


def main() -> int:
    """Register all pairs, print the table; return 1 if a plane was named where none is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=8, help="pairs of a family (default: 8)")
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="first seed")
    options = parser.parse_args()
    counts: dict[tuple[str, str], Counter[str]] = {}
    for family in FAMILIES:
        for seed in range(options.first, options.first + options.pairs):
            pair = make_other_pair(family, seed)
            for planted, cycle, plane in changed(pair.cycle, np.random.default_rng(seed)):
                found = outcome(pair.reference, cycle, plane)
                counts.setdefault((family, planted), Counter())[found] += 1
    rows = [
        (*key, str(count.total()), *(str(count[name]) for name in HEADING[3:]))
        for key, count in counts.items()
    ]
    print(text_table(HEADING, rows))
    return int(
        any(count["another plane"] for (_, what), count in counts.items() if what == "nothing")
    )


if __name__ == "__main__":
    sys.exit(main())
