"""Time and memory of Snakemake itself for large experiments: discovery, dry run, nothing to do.

No job is run: images are empty files, results are touched. Run it with

    python tests/benchmarks/scale.py [--rois 50] [--cycles 40 100] [--files 50000]

and read the table. Limits: 20 s and 500 MB for 50 ROIs x 40 cycles, 60 s and 800 MB for 50 x 100,
10 s for the discovery of 50,000 files.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY / "workflow" / "scripts")]

from crossreg.fiducial.experiment.parameters import read_parameters  # noqa: E402
from crossreg.workflow_support.inputs.discovery import select_fiducials  # noqa: E402
from crossreg.workflow_support.inputs.found_files import find_files  # noqa: E402
from experiment import Experiment, image_name, make_experiment  # noqa: E402


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rois", type=int, default=50, help="number of ROIs (default: 50)")
    parser.add_argument("--cycles", type=int, nargs="+", default=[40, 100], help="cycles per ROI")
    parser.add_argument("--files", type=int, default=50_000, help="files to discover")
    options = parser.parse_args()
    print(f"{'experiment':<24}{'step':<24}{'s':>8}{'CPU s':>8}{'MB':>8}")
    for cycles in options.cycles:
        for step, seconds, cpu, megabytes in measured(options.rois, cycles):
            name = f"{options.rois} ROIs x {cycles}"
            print(f"{name:<24}{step:<24}{seconds:>8.1f}{cpu:>8.1f}{megabytes:>8.0f}", flush=True)
    print(f"{options.files} files{'':<13}{'discovery':<24}{discovery(options.files):>8.1f}")


def measured(rois: int, cycles: int):
    """Yield (step, seconds, CPU seconds, MB) of Snakemake for an experiment of this size."""
    folder = Path(tempfile.mkdtemp(prefix="crossreg-scale-"))
    try:
        experiment = large_experiment(folder / "experiment", rois, cycles)
        yield "dry run", *cost(experiment.command("--dry-run"), experiment.folder)
        for output in planned_outputs(experiment):
            output.parent.mkdir(parents=True, exist_ok=True)
            output.touch()
        cost(experiment.command("--touch"), experiment.folder)
        yield (
            "nothing to be done",
            *cost(experiment.command(), experiment.folder, "Nothing to be done"),
        )
    finally:
        shutil.rmtree(folder)


def large_experiment(folder: Path, rois: int, cycles: int) -> Experiment:
    """Return an experiment whose images are empty files."""
    experiment = make_experiment(folder, rois=(), cycles=())
    for roi in range(1, rois + 1):
        place = folder / "images" / f"{roi:03d}"
        place.mkdir()
        for cycle in range(cycles):
            (place / image_name(f"{roi:03d}", f"RT{cycle}")).touch()
    return experiment


def planned_outputs(experiment: Experiment) -> list[Path]:
    """Return the files that a run would make."""
    command = experiment.command("--summary")
    lines = subprocess.run(
        command, cwd=experiment.folder, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [experiment.results / line.split("\t")[0] for line in lines[1:]]


def cost(command: list[str], folder: Path, expected: str = "") -> tuple[float, float, float]:
    """Return wall-clock s, CPU s and MB at most of a command, which must succeed and say so."""
    start = time.monotonic()
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status or expected not in told:
        raise SystemExit(told)
    seconds = time.monotonic() - start
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def discovery(files: int) -> float:
    """Return the seconds to find and judge so many files in folders of a thousand."""
    folder = Path(tempfile.mkdtemp(prefix="crossreg-scale-"))
    try:
        for index in range(files):
            place = folder / f"{index // 1000:03d}"
            place.mkdir(exist_ok=True)
            (place / image_name(f"{index:06d}", "RT1")).touch()
        parameters = read_parameters(REPOSITORY / "config" / "parameters.json")
        start = time.monotonic()
        found = select_fiducials(find_files(folder), parameters)
        seconds = time.monotonic() - start
        if len(found.samples) != files:
            raise SystemExit(f"{len(found.samples)} of {files} files were found")
        return seconds
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
