"""What a user's commands cost: whole runs of Snakemake, tables alone and with pictures.

    python tests/benchmarks/whole_runs.py                      # all cases
    python tests/benchmarks/whole_runs.py --case medium        # one: many, medium or large
    python tests/benchmarks/whole_runs.py --repository OTHER   # another version, to compare

Each case is an experiment of one ROI. CPU seconds count all processes of the run, on one core; a
busy machine changes wall seconds more than them. Python may keep compiled modules, as it does for
users. By rule: what Snakemake's benchmarks say of the jobs, which look at them now and then only,
so that CPU seconds of short jobs are too low. "Snakemake itself" is what its process takes, its
jobs are the rest of the run. Start-up is what a job takes to say its version, reading what it takes
to read the kept planes; computing and writing are the rest.
The limit (reading, and three float32 FFTs per block) and the peer's sequence, on a crop of at most
512 x 512 px scaled by the number of voxels, stand beside.

A cycle costs two things. "The run over its cycles" is the whole run divided by the number of its
cycles: what starts Snakemake twice, prepares the reference and merges tables is in it, on so few
cycles more than in an experiment of 20 to 100. "One more cycle" is the difference between the runs
of this experiment and of one with a tenth of its cycles (1 at least), over the cycles between: the
start-up of a cycle's own jobs, and what they add to Snakemake's work, are in it, the rest is not.
The peer's figure is that of one more cycle, too, and less: one process that has imported its
libraries and prepared the reference beforehand. Goals are those of the run over its cycles. Exit
status 1 when one is missed.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tifffile
from planted_pairs import PairSpecification, make_pair
from speed import PEER_EDGE, job
from tables import text_table

REPOSITORY = Path(__file__).resolve().parents[2]
PIXEL_NM, PLANE_NM = 100, 250
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}
OWN_CPU = "own_cpu.txt"
SNAKEMAKE = f"""
import atexit, pathlib, resource, runpy
place = pathlib.Path("{OWN_CPU}").absolute()
used = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
atexit.register(lambda: place.write_text(str(used())))
runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
"""
JOBS_OF_A_CYCLE = ("register_global", "register_local", "picture_cycle")


@dataclass(frozen=True)
class Case:
    """An experiment of `cycles` stacks of `planes` x `edge` x `edge` beside its reference."""

    cycles: int
    planes: int
    edge: int
    block: int
    most_cpu_with_pictures: float = float("inf")
    least_over_peer: tuple[float, float] = (0.0, 0.0)
    most_over_limit: tuple[float, float] = (float("inf"), float("inf"))

    @property
    def fewer(self) -> "Case":
        """Return the same experiment with a tenth of the cycles, 1 at least."""
        return replace(self, cycles=max(self.cycles // 10, 1))

    @property
    def name(self) -> str:
        """Return the case in words."""
        return f"{self.cycles} cycles of {self.planes} x {self.edge} x {self.edge}"


CASES = {
    "many": Case(200, 1, 128, 64, most_cpu_with_pictures=1.0),
    "medium": Case(8, 60, 512, 128, (float("inf")), (11.0, 0.0), (16.0, 32.0)),
    "large": Case(3, 60, 2048, 128, (float("inf")), (30.0, 20.0)),
}


def plant(case: Case, folder: Path) -> None:
    """Write images, parameters and configuration of an experiment; one cycle is linked as many."""
    images = folder / "images"
    images.mkdir(parents=True)
    pair = make_pair(
        PairSpecification(
            "whole", shape=(-(-case.planes // 2), case.edge, case.edge), block_size_xy=case.block,
            shift_zyx=(0.0, 3.3, -4.6), drift_amplitude=1.0,
        ),
        seed=0,
    )  # fmt: skip
    doubled = 2 if case.planes > 1 else 1
    for number, stack in enumerate((pair.reference, pair.cycle)):
        planes = np.repeat(stack, doubled, axis=0)[: case.planes]
        tifffile.imwrite(images / name_of(number), planes, photometric="minisblack")
    configure(case, folder)


def plant_fewer(case: Case, folder: Path, planted: Path) -> None:
    """Write the same experiment with another number of cycles; its images are links."""
    images = folder / "images"
    images.mkdir(parents=True)
    for number in (0, 1):
        (images / name_of(number)).hardlink_to(planted / "images" / name_of(number))
    configure(case, folder)


def configure(case: Case, folder: Path) -> None:
    """Write parameters and configuration of an experiment, and the links to its cycle."""
    images = folder / "images"
    for number in range(2, case.cycles + 1):
        (images / name_of(number)).hardlink_to(images / name_of(1))
    parameters = {
        "acquisition": {"zBinning": 2 if case.planes > 1 else 1, "pixelSizeXY": PIXEL_NM / 1000,
                        "pixelSizeZ": PLANE_NM / 1000},
        "alignImages": {"referenceFiducial": "RT0", "blockSizeXY": case.block,
                        "blockSize": min(256, case.edge)},
    }  # fmt: skip
    (folder / "parameters.json").write_text(json.dumps({"common": parameters}))
    (folder / "config.yaml").write_text("images: images\nparameters: parameters.json\n")


def name_of(number: int) -> str:
    """Return the file name of a cycle."""
    return f"scan_001_RT{number}_001_ROI_converted_decon_ch00.tif"


@dataclass(frozen=True)
class Seconds:
    """What runs of Snakemake take: CPU and wall seconds, and CPU seconds of Snakemake itself."""

    cpu: float
    wall: float
    own_cpu: float

    def __add__(self, other: "Seconds") -> "Seconds":
        """Return the seconds of both."""
        return Seconds(self.cpu + other.cpu, self.wall + other.wall, self.own_cpu + other.own_cpu)


@dataclass(frozen=True)
class Runs:
    """What an experiment takes for its tables, and with its pictures."""

    tables: Seconds
    whole: Seconds


def run(folder: Path, repository: Path, targets: list[str]) -> Seconds:
    """Return what a run of Snakemake takes with all its jobs; raise if it fails."""
    options = ["--snakefile", str(repository / "Snakefile"), "--cores", "1"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", SNAKEMAKE, *options, *targets, "--configfile", "config.yaml"],
        cwd=folder, capture_output=True, text=True, check=False, env=ENVIRONMENT,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Seconds(cpu, wall, float((folder / OWN_CPU).read_text()))


def both_runs(folder: Path, repository: Path) -> Runs:
    """Return what the tables of an experiment take, and then what they take with pictures."""
    tables = run(folder, repository, ["tables"])
    return Runs(tables, tables + run(folder, repository, ["all"]))


def jobs_by_rule(results: Path) -> dict[str, dict[str, float]]:
    """Return jobs, CPU and wall seconds and peak memory (MB) by rule, from the benchmarks."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for path in (results / "benchmarks").rglob("*.tsv"):
        rule = found[path.relative_to(results / "benchmarks").parts[0]]
        with path.open() as file:
            for row in csv.DictReader(file, delimiter="\t"):
                rule["jobs"] += 1
                rule["wall"] += _number(row["s"])
                rule["cpu"] += _number(row["cpu_time"])
                rule["peak"] = max(rule["peak"], _number(row["max_rss"]))
    return found


def _number(text: str) -> float:
    return float(text) if text.replace(".", "").isdigit() else 0.0


def cpu_of(command: list[str]) -> float:
    """Return the CPU seconds of a command, the least of three."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True, env=ENVIRONMENT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def reading(case: Case, repository: Path, image: Path) -> float:
    """Return the CPU seconds of reading the kept planes, beyond the start-up for it."""
    path = repository / "workflow" / "scripts"
    start = f"import sys; sys.path.insert(0, {str(path)!r});"
    start += "from crossreg.io.read_stacks import read_kept_planes;"
    read = f"read_kept_planes({str(image)!r}, {2 if case.planes > 1 else 1})"
    return cpu_of([sys.executable, "-c", start + read]) - cpu_of([sys.executable, "-c", start])


def measure(case: Case, repository: Path, with_peer: bool) -> bool:
    """Measure a case, print its tables; return whether its goals are met."""
    with tempfile.TemporaryDirectory() as name:
        folder, fewer = Path(name) / "experiment", Path(name) / "fewer"
        plant(case, folder)
        runs = both_runs(folder, repository)
        of_fewer = None
        if case.fewer.cycles < case.cycles:
            plant_fewer(case.fewer, fewer, folder)
            of_fewer = both_runs(fewer, repository)
        rules = jobs_by_rule(folder / "results")
        read = reading(case, repository, folder / "images" / name_of(1))
    print(f"\n{case.name}\n")
    print(
        text_table(("rule", "jobs", "CPU s per job", "wall s per job", "peak MB"), by_rule(rules))
    )
    lines = parts(case, repository, runs.whole, read)
    print("\n" + text_table(("part, CPU s per cycle", ""), lines))
    lines, passed = comparison(case, runs, of_fewer, with_peer)
    print("\n" + text_table(("a cycle", "tables", "with pictures", ""), lines))
    return passed


def by_rule(rules: dict[str, dict[str, float]]) -> list[list[str]]:
    """Return a line per rule."""
    return [
        [name, f"{one['jobs']:.0f}", f"{one['cpu'] / one['jobs']:.2f}",
         f"{one['wall'] / one['jobs']:.2f}", f"{one['peak']:.0f}"]
        for name, one in sorted(rules.items())
    ]  # fmt: skip


def parts(case: Case, repository: Path, whole: Seconds, read: float) -> list[list[str]]:
    """Return where the CPU seconds of a cycle go."""
    scripts = repository / "workflow" / "scripts"
    start_up = sum(
        cpu_of([sys.executable, str(scripts / f"{name}.py"), "--version"])
        for name in JOBS_OF_A_CYCLE
    )
    jobs = (whole.cpu - whole.own_cpu) / case.cycles
    # The global step reads all planes for its projection, the local step those that are kept.
    reads = read * (3 if case.planes > 1 else 2)
    return [
        ["start-up of its three jobs", f"{start_up:.2f}"],
        ["reading", f"{reads:.2f}"],
        ["computing, writing; jobs of a ROI and of the experiment",
         f"{max(jobs - start_up - reads, 0):.2f}"],
        ["Snakemake itself, two runs", f"{whole.own_cpu / case.cycles:.2f}"],
        ["all", f"{whole.cpu / case.cycles:.2f}"],
    ]  # fmt: skip


def comparison(
    case: Case, runs: Runs, fewer: Runs | None, with_peer: bool
) -> tuple[list[list[str]], bool]:
    """Return lines that compare a cycle with the goals, the limit and the peer; and the verdict.

    `fewer` are the runs of `case.fewer`, None where that is no other experiment.
    """
    both = runs.tables, runs.whole
    costs = {"the run over its cycles": [one.cpu / case.cycles for one in both]}
    if fewer:
        between = case.cycles - case.fewer.cycles
        costs["one more cycle"] = [
            (one.cpu - other.cpu) / between
            for one, other in zip(both, (fewer.tables, fewer.whole), strict=True)
        ]
    lines = [
        [f"CPU s, {name}", *(f"{seconds:.2f}" for seconds in cost), ""]
        for name, cost in costs.items()
    ]
    lines.append(
        ["wall s, the run over its cycles", *(f"{one.wall / case.cycles:.2f}" for one in both), ""]
    )
    a_cycle = costs["the run over its cycles"]
    passed = [a_cycle[1] <= case.most_cpu_with_pictures]
    if case.planes > 1:
        limit, peer = limit_and_peer(case, with_peer)
        passed += [
            seconds <= most * limit
            for seconds, most in zip(a_cycle, case.most_over_limit, strict=True)
        ]
        for name, cost in costs.items():
            ratios = [f"{seconds / limit:.1f}" for seconds in cost]
            lines.append([f"over the limit ({limit:.3f} s), {name}", *ratios, ""])
        if peer:
            passed += [
                peer >= least * seconds
                for seconds, least in zip(a_cycle, case.least_over_peer, strict=True)
            ]
            for name, cost in costs.items():
                ratios = [f"{peer / seconds:.1f}" for seconds in cost]
                lines.append([f"faster than the peer ({peer:.1f} s), {name}", *ratios, ""])
    lines[0][-1] = "pass" if all(passed) else "FAIL"
    return lines, all(passed)


def limit_and_peer(case: Case, with_peer: bool) -> tuple[float, float | None]:
    """Return the CPU seconds of the limit and of the peer (None where it is left out)."""
    edge = min(case.edge, PEER_EDGE)
    with tempfile.TemporaryDirectory() as folder:
        job("make", folder, case.planes, edge, case.block)
        scale = (case.edge / edge) ** 2
        limit = job("limit", folder, case.block, 1, 2)["cpu"] * scale
        return limit, job("peer", folder, case.block)["cpu"] * scale if with_peer else None


def main() -> int:
    """Measure the cases; return 1 when a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--case", choices=CASES, action="append", help="one case; all if absent")
    parser.add_argument("--cycles", type=int, help="as many cycles instead of the case's own")
    parser.add_argument("--no-peer", action="store_true", help="leave the peer out")
    parser.add_argument(
        "--repository", type=Path, default=REPOSITORY, help="the version to measure (default: this)"
    )
    options = parser.parse_args()
    met = []
    for name in options.case or CASES:
        values = vars(CASES[name])
        case = Case(**values | ({"cycles": options.cycles} if options.cycles else {}))
        met.append(measure(case, options.repository, not options.no_peer))
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
