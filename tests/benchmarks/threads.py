"""How a cycle of 60 x 2048 x 2048 speeds up with threads, in less than three minutes.

    python tests/benchmarks/threads.py --threads 1 2 4 16 --json out.json

Each measurement is a job of the workflow in a process of its own: preparing the reference, and
measuring the local shifts from the file to the table. Wall and CPU seconds are those of the job,
start-up included; the fastest of the rounds counts. The bytes of the tables must be the same.
One small pair is planted and laid out as tiles: the arithmetic is that of a large one.
"""

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from planted_pairs import PairSpecification, make_pair
from tables import text_table

SCRIPTS = Path(__file__).resolve().parents[2] / "workflow" / "scripts"
EDGE, BLOCK, PLANES, PLANTED = 2048, 128, 60, 512
SHIFT_YX = (3.3, -4.6)
GOALS = {2: 1.8, 4: 3.0, 16: 6.0}
REFERENCE, CYCLE = "RT0.tif", "RT1.tif"


def plant(folder: Path) -> None:
    """Write the reference and the cycle, and the table of the cycle's global shift."""
    pair = make_pair(
        PairSpecification(
            "threads", shape=(PLANES // 2, PLANTED, PLANTED), block_size_xy=BLOCK,
            shift_zyx=(0.0, *SHIFT_YX), drift_amplitude=1.0,
        ),
        seed=0,
    )  # fmt: skip
    repeats = EDGE // PLANTED
    for name, stack in ((REFERENCE, pair.reference), (CYCLE, pair.cycle)):
        large = np.repeat(np.tile(stack, (1, repeats, repeats)), 2, axis=0)
        tifffile.imwrite(folder / name, large, photometric="minisblack")
    words = ["--reference", REFERENCE, "--cycle", CYCLE, "--roi", "1", "--label", "RT1"]
    timed("register_global", [*words, "--given", *map(str, SHIFT_YX), "--output", "g.ecsv"], folder)


def timed(script: str, words: list[str], folder: Path) -> dict[str, float]:
    """Return wall and CPU seconds and peak memory (MB) of a script; raise if it fails."""
    limits = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    start = time.perf_counter()
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *words]
    with subprocess.Popen(command, cwd=folder, env=os.environ | limits) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{script} failed")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss / 1024}


def measure(threads: int, folder: Path) -> tuple[dict[str, dict[str, float]], bytes]:
    """Return what the two jobs take with so many threads, and the bytes of the table."""
    common = ["--threads", str(threads), "--zBinning", "2", "--blockSizeXY", str(BLOCK)]
    prepare = ["--reference", REFERENCE, "--output", "blocks.npz", *common]
    local = ["--reference-blocks", "blocks.npz", "--cycle", CYCLE, "--global-shift", "g.ecsv"]
    found = {
        "reference_blocks": timed("reference_blocks", prepare, folder),
        "register_local": timed("register_local", [*local, "--output", "l.ecsv", *common], folder),
    }
    return found, (folder / "l.ecsv").read_bytes()


def fastest(one: dict[str, float] | None, two: dict[str, float]) -> dict[str, float]:
    """Return the faster of two measurements."""
    return two if one is None or two["wall"] < one["wall"] else one


def lines_of(best: dict[int, dict[str, dict[str, float]]]) -> list[list[str]]:
    """Return a line for each job and number of threads, with the goal for `register_local`."""
    lines = []
    for job in ("reference_blocks", "register_local"):
        one = best[min(best)][job]
        for threads, found in best.items():
            ratio = one["wall"] / found[job]["wall"]
            goal = GOALS.get(threads) if job == "register_local" else None
            verdict = "" if goal is None else "pass" if ratio >= goal else "FAIL"
            values = (found[job]["wall"], found[job]["cpu"], ratio)
            text = [*(f"{value:.2f}" for value in values), f"{found[job]['peak']:.0f}"]
            lines.append([job, str(threads), *text, f"{goal or '-'}", verdict])
    return lines


def main() -> int:
    """Measure in turns, print the table; return 1 when a goal is missed or tables differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4, 16])
    parser.add_argument("--rounds", type=int, default=2, help="turns of each (default: 2)")
    parser.add_argument("--json", type=Path, help="also write the measurements here")
    options = parser.parse_args()
    best: dict[int, dict[str, dict[str, float]]] = {threads: {} for threads in options.threads}
    tables = set()
    with tempfile.TemporaryDirectory() as name:
        # In a process of its own: the peak of memory of a job counts that of its parent.
        planting = multiprocessing.get_context("spawn").Process(target=plant, args=(Path(name),))
        planting.start()
        planting.join()
        if planting.exitcode:
            raise SystemExit("the stacks could not be planted")
        for _ in range(options.rounds):
            for threads in options.threads:
                found, table = measure(threads, Path(name))
                tables.add(table)
                for job, new in found.items():
                    best[threads][job] = fastest(best[threads].get(job), new)
    lines = lines_of(best)
    print(text_table(("job", "threads", "wall s", "CPU s", "faster", "peak MB", "goal", ""), lines))
    print(f"bytes of the tables: {'the same' if len(tables) == 1 else 'DIFFERENT'};"
          f" {os.cpu_count()} cores, {platform.processor() or platform.machine()}")  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps({str(key): value for key, value in best.items()}))
    return int(len(tables) > 1 or any(line[-1] == "FAIL" for line in lines))


if __name__ == "__main__":
    sys.exit(main())
