"""Time and memory of reading a stack in every format, beside a plain read of as many bytes.

    .venv/bin/python tests/benchmarks/formats.py

Each read has a process of its own. Ratios are of one run: CPU time to that of `numpy.fromfile` of
the kept planes' bytes, memory (the growth of the process while it reads) to the kept planes.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "workflow" / "scripts")]
SHAPE_TCZYX = (1, 1, 40, 512, 512)
Z_BINNING = 2
REPEATS = 3
PLAIN = "plain bytes"


def main() -> None:
    """Write a stack in every format, read each, print a table."""
    from image_formats import MANY, ONE

    noise = np.random.default_rng(0).normal(300, 20, SHAPE_TCZYX)
    images = noise.astype("uint16")
    with tempfile.TemporaryDirectory() as folder:
        images[:, :, ::Z_BINNING].tofile(Path(folder, "plain"))
        rows = {PLAIN: measured(Path(folder, "plain"))}
        for name, (suffix, write) in (ONE | MANY).items():
            path = Path(folder, f"stack{suffix}")
            write(path, images, ["beads"])
            rows[name] = measured(path)
    print(
        "| format | CPU time, times a plain read | memory, times the kept planes |\n|---|---|---|"
    )
    for name, (seconds, memory) in rows.items():
        print(f"| {name} | {seconds / rows[PLAIN][0]:.1f} | {memory:.2f} |")


def measured(path: Path) -> tuple[float, float]:
    """Return the least CPU time, and the memory as a multiple of the kept planes, of reading."""
    command = [sys.executable, __file__, str(path)]
    runs = [json.loads(subprocess.check_output(command)) for _ in range(REPEATS)]
    return min(run[0] for run in runs), min(run[1] for run in runs)


def read(path: Path) -> tuple[float, float]:
    """Read the kept planes of one file in this process; return CPU seconds and memory ratio."""
    from crossreg.io.images.which_stack import Choice
    from crossreg.io.read_stacks import read_header, read_kept_planes

    if path.suffix:
        read_header(path)  # so that libraries are loaded
    before, start = peak_memory(), time.process_time()
    stack = (
        read_kept_planes(path, Z_BINNING, choice=Choice())
        if path.suffix
        else np.fromfile(path, "uint16")
    )
    seconds = time.process_time() - start
    return seconds, (peak_memory() - before) / stack.nbytes


def peak_memory() -> int:
    """Return the most bytes that this process has held so far."""
    (line,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line
    )
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(read(Path(sys.argv[1]))))
    else:
        main()
