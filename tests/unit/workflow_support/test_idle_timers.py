"""Timers of Snakemake's scheduler: ended with the main thread; others are left alone."""

import subprocess
import sys
import time
from pathlib import Path

import yaml
from snakemake.settings.types import MaxJobsPerTimespan

from crossreg.workflow_support.one_run.idle_timers import TIMESPAN_S

REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAM = f"""
import sys, threading
sys.path.insert(0, {str(REPOSITORY / "workflow" / "scripts")!r})
from crossreg.workflow_support.one_run.idle_timers import TIMESPAN_S, end_idle_timers
end_idle_timers()
for _ in range(3):
    threading.Timer(TIMESPAN_S, print, ["woke"]).start()
threading.Timer(0.5, print, ["another"]).start()
END
"""
LONGEST_S = TIMESPAN_S - 10


def run(end: str) -> subprocess.CompletedProcess:
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("END", end)],
        capture_output=True, text=True, timeout=LONGEST_S, check=False,
    )  # fmt: skip
    assert time.monotonic() - begun < LONGEST_S
    return done


def test_process_ends_without_waiting_for_idle_timers_but_for_others():
    done = run("pass")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["another"]


def test_process_that_fails_ends_as_well():
    done = run("raise RuntimeError('fault')")
    assert done.returncode == 1
    assert "fault" in done.stderr
    assert done.stdout.split() == ["another"]


def test_profile_asks_for_timers_of_that_time_span():
    profile = yaml.safe_load((REPOSITORY / "profiles/default/config.yaml").read_text())
    limit = MaxJobsPerTimespan.parse_choice(profile["max-jobs-per-timespan"])
    assert limit.timespan == TIMESPAN_S
    # More than a scheduler can hand over in that time.
    assert limit.max_jobs >= 100 * limit.timespan
