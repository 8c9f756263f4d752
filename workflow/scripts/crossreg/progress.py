"""What a run says to the person in front of it: what it will do, how far it is, what came out."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Its tables take a second to import, in every start of Snakemake.
    from crossreg.fiducial.summary import CycleSummary

INTERVAL_S = 10.0
"""Seconds between two lines of progress."""
SCHEDULING = ("JOB_STARTED", "JOB_FINISHED", "PROGRESS", "RUN_INFO", "RESOURCES_INFO")
"""Events of Snakemake that are told in other words, or now and then instead of every time."""
MOST_ROWS = 60
"""Rows of the closing table; the report shows all."""
MOST_WARNINGS = 20


class RunLog(logging.Filter):
    """Turns Snakemake's events into lines for a person, in front of a handler's own filters.

    Progress becomes a line now and then, a failed job a line with its log; remarks about the
    scheduling and commands that failed are dropped (the job itself says why it failed). `tell`
    prints a line at a level of `logging`. While `is_dry_run` says so, Snakemake's own words stay:
    they tell what would run.
    """

    def __init__(
        self,
        tell: Callable[[int, str], None],
        is_dry_run: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock."""
        super().__init__()
        self._tell, self._is_dry_run, self._clock = tell, is_dry_run, clock
        self._begun = self._told = clock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record itself is shown."""
        if self._is_dry_run():
            return True
        event = getattr(getattr(record, "event", None), "name", "")
        if event == "PROGRESS":
            self._progress(record.done, record.total)
        elif event == "JOB_ERROR":
            self._tell(logging.ERROR, failure_text(vars(record)))
        message = record.getMessage()
        failed_command = event == "ERROR" and "CalledProcessError in file" in message
        scheduling = event in SCHEDULING or message == "Select jobs to execute..."
        return not (failed_command or scheduling)

    def _progress(self, done: int, total: int) -> None:
        now = self._clock()
        if now - self._told < INTERVAL_S and done < total:
            return
        self._told = now
        self._tell(logging.INFO, progress_text(done, total, now - self._begun))


def progress_text(done: int, total: int, seconds: float) -> str:
    """Return how much is done and how long the rest takes if it goes on like this."""
    text = f"{time.strftime('%H:%M:%S')}  {done} of {total} jobs done ({100 * done // total} %)"
    if 0 < done < total:
        text += f", about {duration(seconds * (total - done) / done)} to go"
    return text


def duration(seconds: float) -> str:
    """Return a time span in words: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def failure_text(job: dict[str, Any]) -> str:
    """Return which job failed and where its log is, from the values of Snakemake's event."""
    words = {str(key): str(value) for key, value in dict(job.get("wildcards") or {}).items()}
    names = {"roi": "ROI", "cycle": "cycle"}
    of = ", ".join(f"{names.get(key, key)} {value}" for key, value in words.items())
    log = ", ".join(map(str, job.get("log") or []))
    return f"FAILED: {job['rule_name']}{f' of {of}' if of else ''}; log: {log or 'none'}"


def start_text(
    rois: int, cycles: int, reference: str, jobs: Sequence[str], to_register: int
) -> str:
    """Return what a run will do. `jobs` are the rules of its jobs, `to_register` its cycles."""
    lines = [f"{rois} ROIs with {cycles} cycles in all to register to {reference}."]
    if not jobs:
        return "\n".join([*lines, "Everything is there already; nothing to do."])
    counts = ", ".join(f"{count} {rule}" for rule, count in Counter(jobs).items())
    if to_register < cycles:
        lines.append(f"{cycles - to_register} cycles are taken from earlier results.")
    return "\n".join([*lines, f"Jobs to run: {counts}."])


def summary_text(summaries: Sequence["CycleSummary"]) -> str:
    """Return a table with a line a ROI: cycles, worst block, share borrowed, failed cycles."""
    lines = [f"{'ROI':<8}{'cycles':>8}{'borrowed':>10}   {'worst block':<26}failed cycles"]
    rois = list(dict.fromkeys(cycle.roi for cycle in summaries))
    for roi in rois[:MOST_ROWS]:
        cycles = [cycle for cycle in summaries if cycle.roi == roi]
        blocks = sum(cycle.blocks for cycle in cycles if not cycle.has_failed)
        borrowed = sum(cycle.borrowed for cycle in cycles)
        share = f"{100 * borrowed / blocks:.1f} %" if blocks else "-"
        failed = ", ".join(cycle.cycle for cycle in cycles if cycle.has_failed) or "none"
        lines.append(
            f"{roi:<8}{len(cycles):>8}{share:>10}   {worst_block_text(cycles):<26}{failed}"
        )
    if len(rois) > MOST_ROWS:
        lines.append(f"... and {len(rois) - MOST_ROWS} more ROIs.")
    return "\n".join(lines)


def worst_block_text(cycles: Sequence["CycleSummary"]) -> str:
    """Return the block of a ROI that is most out of the ordinary: of the worst cycle by blocks."""
    matched = [cycle for cycle in cycles if cycle.worst_block and not cycle.has_failed]
    if not matched:
        return "-"
    worst = max(matched, key=lambda cycle: (cycle.unusual, cycle.share_borrowed, cycle.quality))
    return f"({worst.worst_block}) of {worst.cycle}"


def warnings_text(warnings: Sequence[str]) -> str:
    """Return the warnings of a run's jobs once more, the first of many."""
    lines = [f"WARNING: {warning}" for warning in dict.fromkeys(warnings)]
    rest = len(lines) - MOST_WARNINGS
    return "\n".join(lines[:MOST_WARNINGS] + ([f"... and {rest} more."] if rest > 0 else []))
