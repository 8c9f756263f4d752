"""The workflow on a real SLURM: same bytes as a local run, whatever happens to single jobs."""

import fcntl
import shutil
import tempfile
from pathlib import Path

import pytest

from slurm_cluster import PROFILE, Cluster, reason_against, wait_until
from snakemake_runs import copy_of_the_repository, snakemake, start_snakemake

# Its jobs last seconds. With fewer places than jobs that are ready, none may be forgotten.
QUICK = ["--slurm-init-seconds-before-status-checks", "7", "--jobs", "5"]
TABLES = (
    "register_global.ecsv",
    "register_global.json",
    "register_local_block3D.ecsv",
)


@pytest.fixture(scope="module")
def cluster():
    """Return a running cluster; only one at a time on a machine."""
    reason = reason_against()
    if reason:
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="crossreg-slurm-"))
    with (Path(tempfile.gettempdir()) / "crossreg-slurm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = Cluster(folder)
        yield running
        running.stop()
    shutil.rmtree(folder)


def test_cancelled_and_too_large_jobs_are_repeated_and_the_demo_equals_a_local_run(
    cluster, demo, tmp_path
):
    folder = copy_of_the_repository(tmp_path / "on_slurm")
    place = {"folder": folder, "snakefile": folder / "Snakefile"}
    # The first attempt of the local steps gets less memory than Python itself needs.
    little = "register_local:mem_mb=100 if attempt == 1 else 1000"
    process = start_snakemake(
        *PROFILE, *QUICK, "--set-resources", little, "--", *TABLES, **place, env=cluster.environment
    )
    cancelled = cancel_one(cluster, "rule_register_global")
    printed = process.communicate(timeout=600)[0]
    assert process.returncode == 0, printed
    local, _ = demo
    for name in TABLES:
        assert (folder / "results" / name).read_bytes() == (local / "results" / name).read_bytes()
    assert cancelled in printed
    repeated = printed.count("Trying to restart job")
    # One cancelled cycle, and six over their memory.
    assert repeated == 7, printed
    # First attempts ask for little, repeated ones for more. How many share a submission depends on
    # how many are ready at once: the cycle of the cancelled job comes later than the others.
    memory = submitted_memory(cluster, "rule_register_local")
    assert memory[0] == 100
    assert memory[-1] == 1000
    assert set(memory) == {100, 1000}
    # 2 times images, 2 + 2 references, 6 + 6 cycles, 2 merges; 7 of them twice: 27 jobs, some of
    # which share an array. How many do with so few places is a matter of time.
    assert len(cluster.submissions.read_text().splitlines()) < 27
    assert list(folder.rglob(".unfinished-*")) == []
    # Without SLURM there is nothing left to do: it recorded what a local run records.
    assert "Nothing to be done" in snakemake("--", *TABLES, **place).stdout


@pytest.mark.slow
def test_a_run_that_was_killed_ends_well_beside_jobs_it_left_in_the_queue(cluster, demo, tmp_path):
    folder = copy_of_the_repository(tmp_path / "killed")
    place = {"folder": folder, "snakefile": folder / "Snakefile", "env": cluster.environment}
    arguments = [*PROFILE, *QUICK, "--", *TABLES]
    killed = start_snakemake(*arguments, **place)
    first_running(cluster, "rule_register_global")
    killed.kill()
    killed.communicate()
    left = cluster.run("squeue", "--noheader").splitlines()
    process = start_snakemake(*arguments, **place)
    printed = process.communicate(timeout=600)[0]
    assert left
    assert process.returncode == 0, printed
    local, _ = demo
    for name in TABLES:
        assert (folder / "results" / name).read_bytes() == (local / "results" / name).read_bytes()
    wait_until(lambda: not cluster.run("squeue", "--noheader"), 60)
    for name in TABLES:
        assert (folder / "results" / name).read_bytes() == (local / "results" / name).read_bytes()
    assert list(folder.rglob(".unfinished-*")) == []


def first_running(cluster, comment) -> str:
    """Return the number of the first job with this comment that runs, once there is one."""
    found = []

    def running():
        for line in cluster.run("squeue", "--noheader", "--format=%i %t %k").splitlines():
            number, state, told = line.split(maxsplit=2)
            if state == "R" and comment in told:
                found.append(number)
                return True
        return False

    wait_until(running, 120)
    return found[0]


def cancel_one(cluster, comment) -> str:
    """Cancel the first job with this comment that runs; return its number."""
    number = first_running(cluster, comment)
    cluster.run("scancel", number)
    return number.split("_")[0]


def submitted_memory(cluster, comment) -> list[int]:
    """Return the MB asked for in the submissions with this comment, without the array's own few."""
    lines = [line for line in cluster.submissions.read_text().splitlines() if comment in line]
    asked = [int(line.partition(" --mem ")[2].split()[0]) for line in lines]
    return [megabytes // 100 * 100 for megabytes in asked]
