"""How often the verdict is right on few beads, and on large shifts and turns.

    python tests/benchmarks/verdicts.py                  # 50 pairs of each family
    python tests/benchmarks/verdicts.py --pairs 10 --first 9000

Prints, family by family, how many cycles are registered, doubtful and failed, and how many of those
that are not failed are wrong: a block off by more than 1 px and more than three standard errors.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

# One thread, set before NumPy is loaded
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.append(str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from ours import register  # noqa: E402
from tables import text_table  # noqa: E402

from few_beads import WRONG, pair  # noqa: E402
from two_views import CONTENTS, Views, two_views  # noqa: E402

FIRST_SEED = 7000
SHARES = (0.3, 0.5, 0.6)
TURNS = (2, 5, 8, 12, 15)
FAR_AND_TURNED = (0.6, 15.0)
OFF, SIGMAS = 1.0, 3.0
HEADING = ("family", "pairs", "registered", "doubtful", "failed", "wrong, not failed")

ShiftAt = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def outcome(
    reference: NDArray, cycle: NDArray, block: int, right_at: ShiftAt | None
) -> tuple[str, bool]:
    """Return (verdict, whether it is wrong); `right_at` is None where there is nothing right."""
    found = register(reference[None], cycle[None], block)
    name = found.local.verdict.name
    if name == "failed":
        return name, False
    if right_at is None:
        return name, name == "registered"
    n_i, n_j = found.local.status.shape
    centres = (np.indices((n_i, n_j)).reshape(2, -1).T + 0.5) * block - 0.5
    right = right_at(centres)
    error = np.abs(found.total_zyx[..., 1:].reshape(-1, 2) - right)
    wild = (error > OFF) & (error > SIGMAS * found.local.sigma_zyx[..., 1:].reshape(-1, 2))
    seen = np.all((centres - right >= 0) & (centres - right < reference.shape[0]), axis=1)
    return name, bool(wild[seen].any())


def families(seeds: range) -> Iterator[tuple[str, list[tuple[str, bool]]]]:
    """Yield the name of each family and the outcomes of its pairs."""
    pairs = [pair(seed, beads=3 + seed % 10) for seed in seeds]
    yield "few beads", [outcome(*p[:2], 32, lambda at, s=p[2]: s + 0 * at) for p in pairs]
    for wrong in WRONG:
        others = [pair(seed, beads=3 + seed % 10, wrong=wrong) for seed in seeds]
        yield f"few beads, {wrong}", [outcome(*p[:2], 32, None) for p in others]
    for share in SHARES:
        views = [two_views(seed, share=share) for seed in seeds]
        yield f"shift of {share:.0%} along one axis", [_of_views(one) for one in views]
    for degrees in TURNS:
        views = [two_views(seed, degrees=degrees, content=_content(seed)) for seed in seeds]
        yield f"turned by {degrees} degrees", [_of_views(one) for one in views]
    share, degrees = FAR_AND_TURNED
    views = [two_views(seed, share, degrees, _content(seed)) for seed in seeds]
    yield (
        f"shift of {share:.0%}, turned by {degrees:.0f} degrees",
        [_of_views(one) for one in views],
    )
    mirrored = [two_views(seed, content=_content(seed)) for seed in seeds]
    others = [outcome(one.reference, one.cycle[:, ::-1], 64, None) for one in mirrored]
    yield "mirrored", others


def _content(seed: int) -> str:
    return CONTENTS[seed % len(CONTENTS)]


def _of_views(views: Views) -> tuple[str, bool]:
    return outcome(views.reference, views.cycle, 64, views.right_at)


def main() -> int:
    """Run the families, print a line each; return 1 if a registered pair is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=50, help="pairs of a family (default: 50)")
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="first seed")
    options = parser.parse_args()
    rows, wrong = [], 0
    for name, outcomes in families(range(options.first, options.first + options.pairs)):
        count = Counter(verdict for verdict, _ in outcomes)
        verdicts = [str(count[word]) for word in ("registered", "doubtful", "failed")]
        rows.append((name, str(len(outcomes)), *verdicts, str(sum(bad for _, bad in outcomes))))
        wrong += sum(bad and verdict == "registered" for verdict, bad in outcomes)
    print(text_table(HEADING, rows))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
