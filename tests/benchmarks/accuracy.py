"""Accuracy of the local registration on planted pairs and real data, in one table.

    python tests/benchmarks/accuracy.py                     # the reporting pairs
    python tests/benchmarks/accuracy.py --pairs tuning      # to choose methods and constants
    python tests/benchmarks/accuracy.py --pairs tuning --kind far --no-peer

Prints each criterion with ours, the peer's sequence and the limit, then a break-down by kind of
pair. Values of three numbers are z (planes), y, x (px). The peer's local step is given the
planted global shift, to compare local steps alike. Exit status 1 when a criterion is missed.
"""

import argparse
import os
import sys
import warnings
from multiprocessing import Pool

# One thread a process, set before NumPy is loaded
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
from accuracy_criteria import Result, breakdown, criteria  # noqa: E402
from ours import register  # noqa: E402
from pair_kinds import pairs_from  # noqa: E402
from planted_pairs import PairSpecification, make_pair, reporting_pairs, tuning_pairs  # noqa: E402
from tables import text_table  # noqa: E402

from real_data import real_data_rows  # noqa: E402

CRITERIA_HEADING = ("criterion", "ours", "peer", "limit", "")
KIND_HEADING = (
    "kind",
    "pairs",
    "blocks",
    "measured",
    "wild",
    "peer wild",
    "rms",
    "largest (seed)",
)
VERDICTS = {True: "pass", False: "FAIL", None: ""}


def evaluate(task: tuple[PairSpecification, int, bool]) -> Result:
    """Return what ours and, if wanted, the peer finds on one pair."""
    specification, seed, with_peer = task
    pair = make_pair(specification, seed)
    block = specification.block_size_xy
    try:
        ours = register(pair.reference, pair.cycle, block)
    except Exception as error:
        error.add_note(f"on the pair of kind {specification.kind} with seed {seed}")
        raise
    peer_shift = peer_global = None
    if with_peer and pair.truth.matches:
        peer_global = _peer_global(pair.reference, pair.cycle)
        peer_shift = _peer_total(pair.reference, pair.cycle, block, pair.truth.global_shift_yx)
    return Result(
        specification=specification,
        seed=seed,
        truth=pair.truth,
        shift_zyx=ours.total_zyx,
        sigma_zyx=ours.local.sigma_zyx,
        status=ours.local.status,
        confidence=ours.local.confidence,
        confidence_threshold=ours.local.confidence_threshold,
        null_pairs=ours.local.null_pairs,
        global_yx=ours.global_shift_yx,
        peer_shift_zyx=peer_shift,
        peer_global_yx=peer_global,
    )


def _peer_global(reference: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    import peer  # only here: its packages are needed for the comparison alone

    return peer.global_shift(reference.max(axis=0), cycle.max(axis=0))


def _peer_total(
    reference: np.ndarray, cycle: np.ndarray, block_size_xy: int, global_yx: np.ndarray
) -> np.ndarray:
    import peer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-image warns of blocks shifted out of the field
        found = peer.local_shifts(
            peer.prepare(reference), cycle, global_yx, block_size_xy, with_quality=False
        )
    return found.shift_zyx + np.array([0.0, *global_yx])


def peer_on_real_data(reference: np.ndarray, cycle: np.ndarray, block_size_xy: int) -> np.ndarray:
    """Return the peer's total shifts (n_i, n_j, 3), after its own global shift."""
    global_yx = _peer_global(reference, cycle)
    return _peer_total(reference, cycle, block_size_xy, global_yx)


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--pairs",
        choices=("reporting", "tuning"),
        default="reporting",
        help="which set of pairs (default: reporting)",
    )
    options.add_argument(
        "--first-seed", type=int, help="instead: pairs of seeds that are in no set, from here on"
    )
    options.add_argument("--kind", action="append", help="only this kind of pairs; repeatable")
    options.add_argument("--number", type=int, help="only so many pairs, spread over the set")
    options.add_argument("--no-peer", action="store_true", help="leave the peer out")
    options.add_argument("--no-real-data", action="store_true", help="planted pairs only")
    options.add_argument("--processes", type=int, default=1, help="pairs at a time (default: 1)")
    return options


def chosen_pairs(options: argparse.Namespace) -> list[tuple[PairSpecification, int]]:
    """Return the specifications and seeds that the options choose."""
    if options.first_seed is not None:
        pairs = pairs_from(options.first_seed)
    else:
        pairs = reporting_pairs() if options.pairs == "reporting" else tuning_pairs()
    if options.kind:
        pairs = [pair for pair in pairs if pair[0].kind in options.kind]
    if options.number is not None and options.number < len(pairs):
        places = np.linspace(0, len(pairs) - 1, options.number).round().astype(int)
        pairs = [pairs[place] for place in places]
    return pairs


def main() -> int:
    """Run the pairs, print the table; return 1 when a criterion is missed."""
    options = parser().parse_args()
    tasks = [(*pair, not options.no_peer) for pair in chosen_pairs(options)]
    if not tasks:
        parser().error("no pair is left by these options")
    with Pool(options.processes) as pool:
        results = pool.map(evaluate, tasks, chunksize=1)
    rows = criteria(results)
    if not options.no_real_data:
        rows += real_data_rows(None if options.no_peer else peer_on_real_data)
    print(f"{len(results)} {options.pairs} pairs\n")
    lines = [(r.criterion, r.ours, r.peer, r.limit, VERDICTS[r.passed]) for r in rows]
    print(text_table(CRITERIA_HEADING, lines), end="\n\n")
    print(text_table(KIND_HEADING, breakdown(results)))
    return int(any(row.passed is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
