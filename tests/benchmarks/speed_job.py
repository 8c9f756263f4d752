"""One measurement of the speed run, in a process of its own; prints a line of JSON.

    python tests/benchmarks/speed_job.py make  FOLDER PLANES EDGE BLOCK
    python tests/benchmarks/speed_job.py ours  FOLDER BLOCK THREADS REPEATS
    python tests/benchmarks/speed_job.py limit FOLDER BLOCK THREADS REPEATS
    python tests/benchmarks/speed_job.py peer  FOLDER BLOCK

`make` writes the stacks and what a job of the workflow finds ready: the prepared reference and
the table of the global shift. The others time one cycle; interpreter start and imports are not
timed, but count for the peak of memory.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import ours
import scipy.fft
import tifffile
from numpy.typing import NDArray
from planted_pairs import PairSpecification, make_pair

Z_BINNING = 2
PLANTED_PLANES = 30  # drawn; taller stacks repeat them upside down
SHIFT_ZYX = (0.0, 7.3, -11.6)
TRANSFORMS_PER_BLOCK = 3
SCRIPTS = ours.REPOSITORY / "workflow" / "scripts"
REFERENCE, CYCLE = "scan_001_RT0_000_ROI_ch00.tif", "scan_001_RT1_000_ROI_ch00.tif"
PREPARED, GLOBAL, TABLE = "prepared_reference", "global.ecsv", "table.ecsv"


def make(folder: Path, planes: int, edge: int, block: int) -> dict:
    """Write the inputs of one cycle of `planes` x `edge` x `edge`."""
    import reference_blocks
    import register_global

    pair = make_pair(
        PairSpecification(
            "speed",
            shape=(PLANTED_PLANES, edge, edge),
            block_size_xy=block,
            shift_zyx=SHIFT_ZYX,
            drift_amplitude=1.0,
            uneven_background=0.3,
        ),
        seed=0,
    )
    for name, stack in ((REFERENCE, pair.reference), (CYCLE, pair.cycle)):
        tifffile.imwrite(folder / name, _taller(stack, planes), photometric="minisblack")
    parameters = [f"--zBinning={Z_BINNING}", f"--blockSizeXY={block}"]
    arguments = ["--reference", folder / REFERENCE, "--output", folder / PREPARED, *parameters]
    reference_blocks.main(reference_blocks.parser().parse_args([str(word) for word in arguments]))
    arguments = ["--reference", folder / REFERENCE, "--cycle", folder / CYCLE, "--roi", 0]
    arguments += ["--label", "RT1", "--output", folder / GLOBAL]
    arguments += ["--given", *pair.truth.global_shift_yx]
    register_global.main(register_global.parser().parse_args([str(word) for word in arguments]))
    return {}


def _taller(stack: NDArray, planes: int) -> NDArray:
    """Return a stack of `planes` planes, every plane twice: binning by 2 leaves one of them."""
    kept = -(-planes // Z_BINNING)
    there_and_back = np.concatenate([stack, stack[::-1]])
    order = np.arange(kept) % len(there_and_back)
    return np.repeat(there_and_back[order], Z_BINNING, axis=0)[:planes]


def time_ours(folder: Path, block: int, threads: int, repeats: int) -> dict:
    """Time `register_local` from the file to the table, and its reading alone."""
    import register_local
    from crossreg.fiducial.reference import load_reference
    from crossreg.io.read_stacks import read_kept_planes

    arguments = ["--reference-blocks", folder / PREPARED, "--cycle", folder / CYCLE]
    arguments += ["--global-shift", folder / GLOBAL, "--output", folder / TABLE]
    arguments += [f"--threads={threads}", f"--zBinning={Z_BINNING}", f"--blockSizeXY={block}"]
    options = register_local.parser().parse_args([str(word) for word in arguments])
    times = _fastest(lambda: register_local.main(options), repeats)
    peak = _peak_bytes()

    def read() -> None:
        load_reference(folder / PREPARED)
        read_kept_planes(folder / CYCLE, Z_BINNING, threads)

    return {
        **times,
        "reading": _fastest(read, repeats)["seconds"],
        "peak": peak,
        "table": (folder / TABLE).read_text(encoding="utf-8"),
    }


def time_limit(folder: Path, block: int, threads: int, repeats: int) -> dict:
    """Time the reading of the kept planes and three float32 real FFTs per block."""

    def run() -> None:
        stack = _kept_planes(folder / CYCLE).astype(np.float32)
        for i, j in np.ndindex(stack.shape[1] // block, stack.shape[2] // block):
            rows, columns = (slice(k * block, (k + 1) * block) for k in (i, j))
            for _ in range(TRANSFORMS_PER_BLOCK):
                scipy.fft.rfftn(stack[:, rows, columns], workers=threads)

    return {**_fastest(run, repeats), "peak": _peak_bytes()}


def time_peer(folder: Path, block: int) -> dict:
    """Time the peer's sequence from the file to the shifts, its reference prepared before."""
    import peer

    prepared = peer.prepare(_kept_planes(folder / REFERENCE))

    def run() -> None:
        peer.local_shifts(prepared, _kept_planes(folder / CYCLE), np.array(SHIFT_ZYX[1:]), block)

    return {**_fastest(run, 1), "peak": _peak_bytes()}


def _kept_planes(path: Path) -> NDArray[np.uint16]:
    return tifffile.imread(path, key=slice(None, None, Z_BINNING))


def _fastest(run: Callable[[], None], repeats: int) -> dict[str, float]:
    """Return the wall and CPU seconds of the fastest of so many runs."""
    seconds, cpu = [], []
    for _ in range(repeats):
        start, cpu_start = time.perf_counter(), time.process_time()
        run()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    return {"seconds": min(seconds), "cpu": min(cpu)}


def _peak_bytes() -> int:
    """Return the peak resident memory of this process so far (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


JOBS = {"make": make, "ours": time_ours, "limit": time_limit, "peer": time_peer}

if __name__ == "__main__":
    sys.path.insert(0, str(SCRIPTS))
    print(json.dumps(JOBS[sys.argv[1]](Path(sys.argv[2]), *map(int, sys.argv[3:]))))
