"""What a run tells: its jobs, its progress now and then, failed jobs with their log, a table."""

import logging
from types import SimpleNamespace

import pytest

import planted_tables
from crossreg.workflow_support import progress


@pytest.fixture
def told():
    """Return (filter, lines told, function that sets the clock)."""
    now, lines = [0.0], []
    log = progress.RunLog(lambda level, text: lines.append((level, text)), clock=lambda: now[0])
    return log, lines, lambda seconds: now.__setitem__(0, seconds)


def record(message: str | None = None, event: str = "", **values) -> logging.LogRecord:
    extra = {"msg": message, "event": SimpleNamespace(name=event)} | values
    return logging.makeLogRecord(extra)


def test_progress_is_told_now_and_then_and_at_the_end(told) -> None:
    log, lines, set_clock = told
    for done in range(1, 101):
        set_clock(done)
        log.filter(record(event="PROGRESS", done=done, total=100))
    assert len(lines) == 10
    assert lines[0][1].endswith("10 of 100 jobs done (10 %), about 2 min to go")
    assert lines[-1][1].endswith("100 of 100 jobs done (100 %)")


def test_progress_counts_cycles_and_no_job_that_only_gathers_others() -> None:
    lines, done = [], [0]
    log = progress.RunLog(
        lambda _, text: lines.append(text), targets=lambda: 1, cycles=lambda: (min(done[0], 3), 3)
    )
    for number in range(1, 7):
        done[0] = number
        log.filter(record(event="PROGRESS", done=number, total=6))
    assert len(lines) == 1
    assert lines[0].endswith("3 of 3 cycles registered, 5 of 5 jobs done (100 %)")


def test_a_failed_job_is_told_with_its_log() -> None:
    lines = []
    jobs = {7: {"roi": "001", "cycle": "RT2"}}
    log = progress.RunLog(lambda *told: lines.append(told), wildcards=jobs.get)
    values = {"rule_name": "register_local", "jobid": 7, "log": ["results/a.log"]}
    log.filter(record("Error in rule", "JOB_ERROR", **values))
    text = "FAILED: register_local of ROI 001, cycle RT2; log: results/a.log"
    assert lines == [(logging.ERROR, text)]


def test_remarks_about_scheduling_are_dropped_and_everything_else_is_shown(told) -> None:
    log, _, _ = told
    assert not log.filter(record("Select jobs to execute..."))
    assert not log.filter(record("Execute 2 jobs...", "JOB_STARTED"))
    assert not log.filter(record("Finished jobid: 3", "JOB_FINISHED"))
    assert not log.filter(record("RuleException:\nCalledProcessError in file x", "ERROR"))
    assert log.filter(record("WorkflowError: no space left", "ERROR"))
    assert log.filter(record("a warning of the main process"))


def test_the_start_tells_jobs_and_what_is_reused() -> None:
    jobs = ["register_global", "register_local", "register_local"]
    text = progress.start_text(2, 6, "RT27", jobs, 2)
    assert "2 ROIs with 6 cycles in all to register to RT27." in text
    assert "Taken from earlier results: 4 cycles." in text
    assert "Jobs to run: 1 register_global, 2 register_local." in text


def test_the_closing_table_names_the_planted_block_and_cycle() -> None:
    rows = progress.summary_text(planted_tables.summaries(4, 10)).splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["001", "002", "003", "004"]
    assert "(2, 1) of RT4: sigma 0.60, usually 0.03" in rows[1]
    assert rows[2].endswith("RT7")
    assert all(row.endswith("none") for row in (rows[0], rows[1], rows[3]))


def test_many_warnings_are_counted() -> None:
    lines = progress.warnings_text([f"cycle {n}" for n in range(30)]).splitlines()
    assert lines[0] == "WARNING: cycle 0"
    assert lines[-1] == "... and 10 more."
    assert len(lines) == 21
