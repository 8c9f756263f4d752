"""Submissions and time of the fiducial chain on a real SLURM, beside a run without it.

    python tests/benchmarks/cluster.py [--rois 10] [--cycles 40]

As root, with SLURM's packages installed (see .ci/run). The cluster is this machine; its stacks are
tiny, so that what is measured is the cost of having many jobs. Tables only, no pictures.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY / "workflow" / "scripts")]

from experiment import CORES, Experiment, make_experiment  # noqa: E402
from slurm_cluster import PROFILE, Cluster, reason_against  # noqa: E402

TABLES = ("register_global.ecsv", "register_local_block3D.ecsv")
WAYS = {
    f"no cluster, {CORES} cores": [],
    "job arrays": PROFILE,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rois", type=int, default=10, help="number of ROIs (default: 10)")
    parser.add_argument("--cycles", type=int, default=40, help="cycles per ROI (default: 40)")
    options = parser.parse_args()
    reason = reason_against()
    if reason:
        raise SystemExit(f"cluster.py: {reason}.")
    # Projection and prepared blocks per ROI, two steps a cycle, two merged tables.
    jobs = options.rois * (2 + 2 * (options.cycles - 1)) + 2
    print(f"{'way':<24}{'jobs':>8}{'submissions':>14}{'s':>8}{'s per job':>10}")
    folder = Path(tempfile.mkdtemp(prefix="crossreg-cluster-"))
    try:
        experiment = make_experiment(
            folder / "images",
            rois=tuple(f"{roi:03d}" for roi in range(1, options.rois + 1)),
            cycles=tuple(f"RT{cycle}" for cycle in range(1, options.cycles)),
        )
        for number, (way, profile) in enumerate(WAYS.items()):
            submissions, seconds = measured(
                experiment.copy(folder / f"way {number}"), folder / f"cluster_{number}", profile
            )
            print(f"{way:<24}{jobs:>8}{submissions:>14}{seconds:>8.0f}{seconds / jobs:>10.2f}")
    finally:
        shutil.rmtree(folder)


def measured(experiment: Experiment, folder: Path, profile: list[str]) -> tuple[int, float]:
    """Return the number of submissions and the seconds of a run, with a cluster of its own."""
    cluster = Cluster(folder)
    start = time.monotonic()
    try:
        run = experiment.start(*profile, "--", *TABLES, env=cluster.environment)
        printed = run.communicate()[0]
        seconds = time.monotonic() - start
    finally:
        cluster.stop()
    if run.returncode:
        raise SystemExit(printed)
    return len(cluster.submissions.read_text().splitlines()), seconds


if __name__ == "__main__":
    main()
