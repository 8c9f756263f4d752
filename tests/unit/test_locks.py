"""A run holds its results alone, its jobs share them, and those of an earlier run stay away."""

import errno
import fcntl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crossreg.io.errors import UserError
from crossreg.workflow_support import locks
from crossreg.workflow_support.locks import (
    JOBS_LOCK,
    RUN_NAME,
    hold_results,
    jobs_lock,
    remove_stale_locks,
    share_results,
)

HOLD = f"""
import sys
sys.path.insert(0, {str(Path(locks.__file__).parents[2])!r})
from crossreg.workflow_support.locks import hold_results, share_results
file = hold_results(*sys.argv[1:], print) if sys.argv[1:] else share_results()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def another():
    """Start other processes that hold results, or share them as a job, until they are killed."""
    processes = []

    def start(*arguments):
        command = [sys.executable, "-c", HOLD, *map(str, arguments)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def job_of(monkeypatch, tmp_path):
    """Make this process, and those it starts, a job of a run."""

    def become(run):
        monkeypatch.setenv(JOBS_LOCK, str(jobs_lock(tmp_path)))
        monkeypatch.setenv(RUN_NAME, run)

    return become


def test_results_are_held_by_one_run_until_it_dies(tmp_path, another):
    first = another(tmp_path, "first")
    with pytest.raises(UserError, match=rf"another run \(process {first.pid} on .*\) works on"):
        hold_results(tmp_path, "second", print)
    first.kill()
    first.wait()
    with hold_results(tmp_path, "second", print):
        pass


def test_a_run_waits_for_the_jobs_of_a_killed_one_that_still_work(tmp_path, another, job_of):
    hold_results(tmp_path, "killed", print).close()
    job_of("killed")
    job = another()
    told, begin = [], time.monotonic()

    def tell(sentence):
        told.append(sentence)
        time.sleep(0.5)
        job.kill()

    with hold_results(tmp_path, "next", tell):
        assert time.monotonic() - begin > 0.5
    assert len(told) == 1
    assert "jobs of a run that was killed are still at work here; waiting" in told[0]


def test_a_job_of_a_killed_run_that_starts_late_does_nothing(tmp_path, job_of):
    hold_results(tmp_path, "killed", print).close()
    job_of("killed")
    with share_results():
        pass
    with hold_results(tmp_path, "next", print):
        with pytest.raises(UserError, match="another run works on these results by now"):
            share_results()
        job_of("next")
        with share_results():
            pass


def test_a_script_that_no_run_has_started_shares_nothing(monkeypatch):
    monkeypatch.delenv(JOBS_LOCK, raising=False)
    assert share_results() is None


def test_a_file_system_without_locks_holds_nobody_up(tmp_path, job_of, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert hold_results(tmp_path, "first", print) is None
    job_of("first")
    with share_results():
        pass


def test_only_stale_locks_of_these_results_are_removed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "locks"
    folder.mkdir()
    written = {
        "0.input.lock": "images/a.tif\n",
        "0.output.lock": f"{tmp_path}/results/register_global.ecsv\n",
        "1.input.lock": "images/a.tif\nresults/samples.tsv\n",
        "2.input.lock": "images/a.tif\n",
        "2.output.lock": "results of another/register_global.ecsv\n",
    }
    for name, text in written.items():
        (folder / name).write_text(text)
    remove_stale_locks(folder, "results")
    assert sorted(path.name for path in folder.iterdir()) == ["2.input.lock", "2.output.lock"]
