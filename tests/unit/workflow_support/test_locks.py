"""A run holds its results alone, its jobs share them, and those of an earlier run stay away."""

import errno
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crossreg.io.errors import UserError
from crossreg.workflow_support.one_run import locks
from crossreg.workflow_support.one_run.locks import RUNS, hold_results, jobs_lock, share_results

HOLD = f"""
import sys
sys.path.insert(0, {str(Path(locks.__file__).parents[3])!r})
from crossreg.workflow_support.one_run.locks import hold_results, share_results
with hold_results(*sys.argv[1:], print) if sys.argv[1:] else share_results():
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


@pytest.fixture(autouse=True)
def no_job(monkeypatch):
    """Let what this process holds be forgotten after a test."""
    monkeypatch.setenv(RUNS, "{}")


def test_results_are_held_by_one_run_until_it_dies(tmp_path, another):
    first = another(tmp_path)
    with pytest.raises(UserError, match=rf"another run \(process {first.pid} on .*\) works on"):
        hold_results(tmp_path, print)
    first.kill()
    first.wait()
    with hold_results(tmp_path, print):
        pass


def test_a_run_waits_for_the_jobs_of_a_killed_one_that_still_work(tmp_path, another):
    hold_results(tmp_path, print).close()
    job = another()
    told, begin = [], time.monotonic()

    def tell(sentence):
        told.append(sentence)
        time.sleep(0.5)
        job.kill()

    with hold_results(tmp_path, tell):
        assert time.monotonic() - begin > 0.5
    assert len(told) == 1
    assert "jobs of a run that was killed are still at work here; waiting" in told[0]


def test_a_job_of_a_killed_run_that_starts_late_does_nothing(tmp_path, monkeypatch):
    hold_results(tmp_path, print).close()
    killed = os.environ[RUNS]
    with share_results():
        pass
    with hold_results(tmp_path, print):
        with share_results():
            pass
        monkeypatch.setenv(RUNS, killed)
        with (
            pytest.raises(UserError, match="another run works on these results by now"),
            share_results(),
        ):
            pytest.fail("the job of the killed run is at work")


def test_a_script_that_no_run_has_started_shares_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv(RUNS)
    with share_results():
        pass
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_locks_holds_nobody_up(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert hold_results(tmp_path, print) is None
    monkeypatch.setenv(RUNS, json.dumps({str(jobs_lock(tmp_path)): "first"}))
    with share_results():
        pass


def test_jobs_of_two_runs_at_once_belong_to_both(tmp_path):
    """As where a Snakefile imports the workflow twice."""
    with hold_results(tmp_path / "a", print), hold_results(tmp_path / "b", print):
        locks_of_run = json.loads(os.environ[RUNS])
        assert set(locks_of_run) == {str(jobs_lock(tmp_path / name)) for name in "ab"}
        with share_results():
            pass
