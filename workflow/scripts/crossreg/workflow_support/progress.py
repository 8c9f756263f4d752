"""What a run says to the person in front of it: what it will do, how far it is, what came out."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from crossreg.io.words import counted

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
    they tell what would run. `targets` returns how many jobs only gather what the others made, as
    the rule `all` does: they are not counted. `cycles` returns how many cycles are registered and
    how many this run registers, `wildcards` those of the job of a number.
    """

    def __init__(
        self,
        tell: Callable[[int, str], None],
        is_dry_run: Callable[[], bool] = lambda: False,
        targets: Callable[[], int] = lambda: 0,
        cycles: Callable[[], tuple[int, int]] = lambda: (0, 0),
        wildcards: Callable[[int], Mapping[str, str]] = lambda number: {},
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock."""
        super().__init__()
        self._tell, self._is_dry_run, self._clock = tell, is_dry_run, clock
        self._targets, self._cycles, self._wildcards = targets, cycles, wildcards
        self._begun = self._told = clock()
        self._ended = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record itself is shown."""
        if self._is_dry_run():
            return True
        event = getattr(getattr(record, "event", None), "name", "")
        if event == "PROGRESS":
            self._progress(record.done, record.total)
        elif event == "JOB_ERROR":
            wildcards = self._wildcards(record.jobid)
            self._tell(logging.ERROR, failure_text(record.rule_name, wildcards, record.log))
        message = record.getMessage()
        failed_command = event == "ERROR" and "CalledProcessError in file" in message
        scheduling = event in SCHEDULING or message == "Select jobs to execute..."
        return not (failed_command or scheduling)

    def _progress(self, done: int, total: int) -> None:
        now = self._clock()
        if self._ended or (now - self._told < INTERVAL_S and done < total - self._targets()):
            return
        total -= self._targets()
        self._told, self._ended = now, done >= total
        text = progress_text(min(done, total), total, now - self._begun, self._cycles())
        self._tell(logging.INFO, text)


def progress_text(done: int, total: int, seconds: float, cycles: tuple[int, int] = (0, 0)) -> str:
    """Return how much is done and how long the rest takes if it goes on like this.

    `cycles` are those registered and those to register.
    """
    text = time.strftime("%H:%M:%S  ")
    if cycles[1]:
        text += f"{cycles[0]} of {cycles[1]} cycles registered, "
    text += f"{done} of {total} jobs done ({100 * done // max(total, 1)} %)"
    if 0 < done < total:
        text += f", about {duration(seconds * (total - done) / done)} to go"
    return text


def duration(seconds: float) -> str:
    """Return a time span in words: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def failure_text(rule: str, wildcards: Mapping[str, str], logs: Sequence[str]) -> str:
    """Return which job failed and where its logs are."""
    names = {"roi": "ROI", "cycle": "cycle"}
    of = ", ".join(f"{names.get(key, key)} {value}" for key, value in wildcards.items())
    return f"FAILED: {rule}{f' of {of}' if of else ''}; log: {', '.join(logs) or 'none'}"


def start_text(
    rois: int, cycles: int, reference: str, jobs: Sequence[str], to_register: int
) -> str:
    """Return what a run will do. `jobs` are the rules of its jobs, `to_register` its cycles."""
    told = f"{counted(rois, 'ROI')} with {counted(cycles, 'cycle')} in all"
    lines = [f"{told} to register to {reference}."]
    if not jobs:
        return "\n".join([*lines, "Everything is there already; nothing to do."])
    counts = ", ".join(f"{count} {rule}" for rule, count in Counter(jobs).items())
    if to_register < cycles:
        lines.append(f"Taken from earlier results: {counted(cycles - to_register, 'cycle')}.")
    return "\n".join([*lines, f"Jobs to run: {counts}."])


def summary_text(summaries: Sequence["CycleSummary"]) -> str:
    """Return a table with a line a ROI: cycles, worst block, share borrowed, failed cycles.

    Cycles that could not be registered follow, each with the reason.
    """
    rois = list(dict.fromkeys(cycle.roi for cycle in summaries))
    by_roi = {roi: [cycle for cycle in summaries if cycle.roi == roi] for roi in rois}
    worst = {roi: worst_block_text(cycles) for roi, cycles in by_roi.items()}
    width = max(map(len, [*worst.values(), "worst block"])) + 3
    lines = [
        f"{'ROI':<8}{'cycles':>8}{'missing':>9}{'borrowed':>10}"
        f"   {'worst block':<{width}}failed cycles"
    ]
    for roi in rois[:MOST_ROWS]:
        cycles = by_roi[roi]
        blocks = sum(cycle.blocks for cycle in cycles if not cycle.has_failed)
        borrowed = sum(cycle.borrowed for cycle in cycles)
        share = f"{100 * borrowed / blocks:.1f} %" if blocks else "-"
        missing = sum(bool(cycle.missing) for cycle in cycles)
        failed = ", ".join(cycle.cycle for cycle in cycles if cycle.has_failed) or "none"
        lines.append(
            f"{roi:<8}{len(cycles):>8}{missing:>9}{share:>10}   {worst[roi]:<{width}}{failed}"
        )
    if len(rois) > MOST_ROWS:
        lines.append(f"... and {len(rois) - MOST_ROWS} more ROIs.")
    return "\n".join([*lines, *missing_lines(summaries)])


def missing_lines(summaries: Sequence["CycleSummary"]) -> list[str]:
    """Return a line for each cycle that could not be registered, the first of many."""
    lines = [
        f"MISSING: ROI {cycle.roi}, cycle {cycle.cycle}: {cycle.missing}"
        for cycle in summaries
        if cycle.missing
    ]
    rest = len(lines) - MOST_WARNINGS
    return lines[:MOST_WARNINGS] + ([f"... and {rest} more."] if rest > 0 else [])


def worst_block_text(cycles: Sequence["CycleSummary"]) -> str:
    """Return the block of a ROI that is most out of the ordinary, and how uncertain it is."""
    matched = [cycle for cycle in cycles if cycle.worst_block]
    if not matched:
        return "-"
    worst = max(matched, key=lambda cycle: (bool(cycle.unusual), cycle.excess, cycle.worst_sigma))
    return (
        f"({worst.worst_block}) of {worst.cycle}: sigma {worst.worst_sigma:.2f},"
        f" usually {worst.usual_sigma:.2f}"
    )


def warnings_text(warnings: Sequence[str]) -> str:
    """Return the warnings of a run's jobs once more, the first of many."""
    lines = [f"WARNING: {warning}" for warning in dict.fromkeys(warnings)]
    rest = len(lines) - MOST_WARNINGS
    return "\n".join(lines[:MOST_WARNINGS] + ([f"... and {rest} more."] if rest > 0 else []))
