"""Time and memory of one `register_local` cycle, in one table.

    python tests/benchmarks/speed.py                  # all, with the 2048 x 2048 stacks
    python tests/benchmarks/speed.py --small          # the 512 x 512 stack only
    python tests/benchmarks/speed.py --no-peer

Ours: from the TIFF file and the prepared reference to the table, quality included. The limit:
reading the TIFF and three float32 real FFTs per block on the kept planes. The peer: its sequence on
one thread, on a stack of at most 512 x 512 px, and scaled by the number of voxels. Every run is a
process of its own; peak memory is all that the process held. zBinning is 2 throughout. The
stacks (up to 2.6 GB) are written to the folder of temporary files; planting the large ones takes
4.4 GB of memory. Exit status 1 when a limit is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tables import text_table

JOB = Path(__file__).with_name("speed_job.py")
Z_BINNING = 2
THREADS = (1, 2)
RUNS = 2  # in one process; the first one warms up
PEER_EDGE = 512  # px; the peer is timed on a crop of at most this size
OVER_LIMIT, OVER_PEER = 3.5, 20.0
LEAST_SPEED_UP = 1.5
MEMORY_PER_BYTE, MEMORY_BASE = 3, 250e6
TALL_MEMORY = 2e9
HEADING = (
    "planes x edge / block, threads",
    "ours s",
    "limit s",
    "ours/limit",
    "peer s",
    "peer/ours",
    "peak MB",
    "allowed MB",
    "peer MB",
    "",
)


@dataclass(frozen=True)
class Case:
    """A stack of `planes` x `edge` x `edge` in the file, and its blocks' edge."""

    planes: int
    edge: int
    block: int

    @property
    def kept_bytes(self) -> float:
        """Return the bytes of the kept planes as uint16."""
        return 2.0 * self.planes / Z_BINNING * self.edge**2


SMALL, LARGE, TALL = Case(60, 512, 128), Case(60, 2048, 256), Case(120, 2048, 256)


def job(*words: object, threads: int = 1) -> dict:
    """Return what a job of `speed_job.py` prints."""
    limits = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS", "MKL")}
    done = subprocess.run(
        [sys.executable, JOB, *map(str, words)],
        env={**os.environ, **limits},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure(case: Case, folder: Path, rounds: int) -> dict[tuple[str, int], dict]:
    """Return what ours and the limit take with each number of threads, by (name, threads).

    They take turns, so that what else the machine does hits them alike; the fastest counts.
    """
    turns = [(name, threads) for threads in THREADS for name in ("ours", "limit")]
    found: dict[tuple[str, int], dict] = {}
    for _ in range(rounds):
        for name, threads in turns:
            new = job(name, folder, case.block, threads, RUNS, threads=threads)
            best = found.get((name, threads), new)
            times = {key: min(new[key], best[key]) for key in ("seconds", "reading") if key in new}
            found[name, threads] = {**new, **times, "peak": max(new["peak"], best["peak"])}
    return found


def peer_of(case: Case) -> dict:
    """Return the peer's seconds, scaled by voxels, and its peak memory on what it ran on."""
    edge = min(case.edge, PEER_EDGE)
    with tempfile.TemporaryDirectory() as folder:
        job("make", folder, case.planes, edge, case.block)
        found = job("peer", folder, case.block)
    return {**found, "seconds": found["seconds"] * (case.edge / edge) ** 2, "edge": edge}


def allowed_bytes(case: Case) -> float:
    """Return the peak memory that a cycle may need."""
    allowed = MEMORY_PER_BYTE * case.kept_bytes + MEMORY_BASE
    return min(allowed, TALL_MEMORY) if case == TALL else allowed


def line(case: Case, threads: int, ours: dict, limit: dict, peer: dict | None) -> list[str]:
    """Return the table's line of one case and number of threads, with its verdict."""
    over_limit = ours["seconds"] / limit["seconds"]
    passed = over_limit <= OVER_LIMIT and ours["peak"] <= allowed_bytes(case)
    peer_texts = ["-", "-", "-"]
    if peer is not None:
        ratio = peer["seconds"] / ours["seconds"]
        passed = passed and ratio >= OVER_PEER
        memory = f"{peer['peak'] / 1e6:.0f}" + (" (crop)" if peer["edge"] < case.edge else "")
        peer_texts = [f"{peer['seconds']:.1f}", f"{ratio:.1f}", memory]
    return [
        f"{case.planes} x {case.edge} / {case.block}, {threads}",
        f"{ours['seconds']:.2f}",
        f"{limit['seconds']:.2f}",
        f"{over_limit:.2f}",
        *peer_texts[:2],
        f"{ours['peak'] / 1e6:.0f}",
        f"{allowed_bytes(case) / 1e6:.0f}",
        peer_texts[2],
        "pass" if passed else "FAIL",
    ]


def comparison_lines(found: dict[tuple[Case, int], dict]) -> list[list[str]]:
    """Return how two threads, and a larger stack, compare with one and a smaller."""
    lines = []
    for case in dict.fromkeys(case for case, _ in found):
        one, two = (found[case, threads] for threads in THREADS)
        computing = [run["seconds"] - run["reading"] for run in (one, two)]
        speed_up = computing[0] / computing[1]
        judged = case == LARGE
        name = f"{case.planes} x {case.edge} / {case.block}"
        same = one["table"] == two["table"]
        lines += [
            [f"{name}: 1 thread / 2 threads, without reading", f"{speed_up:.2f}",
             f">= {LEAST_SPEED_UP}" if judged else "-",
             ("pass" if speed_up >= LEAST_SPEED_UP else "FAIL") if judged else ""],
            [f"{name}: same table for 1 and 2 threads", "yes" if same else "no", "yes",
             "pass" if same else "FAIL"],
            [f"{name}: ns a kept voxel, 1 thread, without reading",
             f"{computing[0] / (case.kept_bytes / 2) * 1e9:.0f}", "-", ""],
        ]  # fmt: skip
    return lines


def main() -> int:
    """Measure, print the tables; return 1 when a limit is missed."""
    options = parser().parse_args()
    lines, found = [], {}
    for case in (SMALL,) if options.small else (SMALL, LARGE, TALL):
        peer = None if options.no_peer or case == TALL else peer_of(case)
        with tempfile.TemporaryDirectory() as folder:
            job("make", folder, case.planes, case.edge, case.block)
            measured = measure(case, Path(folder), options.rounds)
        for threads in THREADS:
            ours, limit = measured["ours", threads], measured["limit", threads]
            found[case, threads] = ours
            lines.append(line(case, threads, ours, limit, peer if threads == 1 else None))
    comparisons = comparison_lines(found)
    print(text_table(HEADING, lines), end="\n\n")
    print(text_table(("comparison", "ours", "limit", ""), comparisons))
    print(f"\nlimits: ours/limit <= {OVER_LIMIT}, peer/ours >= {OVER_PEER}, peak <= allowed;")
    print(f"{os.cpu_count()} cores; seconds are the fastest of {RUNS * options.rounds} runs")
    return int(any(entry[-1] == "FAIL" for entry in lines + comparisons))


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--small", action="store_true", help="the 512 x 512 stack only")
    options.add_argument("--no-peer", action="store_true", help="leave the peer out")
    options.add_argument("--rounds", type=int, default=3, help="turns of each (default: 3)")
    return options


if __name__ == "__main__":
    sys.exit(main())
