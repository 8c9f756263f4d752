"""What the report says about the cycles of the fiducial chain: the verdict, and a row per cycle."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from crossreg.fiducial.summary.cycle_summary import CycleSummary, worst_first
from crossreg.fiducial.verdict import DOUBTFUL
from crossreg.workflow_support.result_paths import PICTURES_OF_CYCLE

WORST = 20
"""Cycles in the list of the worst."""
PICTURES_OF_FAILED = ("before_after", "details", "quality")


def verdict(summaries: Sequence[CycleSummary]) -> dict[str, Any]:
    """Return the counts that the page opens with, and what it says: parts of a sentence.

    A part is a text and the cycles it is about, the worst first.
    """
    worst = worst_first(summaries)
    failed = [cycle for cycle in worst if cycle.has_failed]
    missing = [cycle for cycle in worst if cycle.missing]
    doubtful = [cycle for cycle in worst if cycle.verdict == DOUBTFUL]
    others = [cycle for cycle in worst if cycle.verdict != DOUBTFUL]
    suspicious = [cycle for cycle in others if cycle.faults and cycle.has_shifts]
    counts = {
        name: sum(getattr(cycle, name) for cycle in summaries)
        for name in ("blocks", "measured", "borrowed", "failed")
    }
    kinds = (
        (failed, "does not match the reference", "do not match the reference"),
        (doubtful, "is doubtful", "are doubtful"),
        (missing, "could not be registered", "could not be registered"),
        (suspicious, "deserves a look", "deserve a look"),
    )
    total = len(summaries)
    parts: list[tuple[str, Sequence[Any]]] = []
    if not (failed or doubtful or missing):
        parts.append((f"All {total} cycles match the reference", []))
    for cycles, one, many in kinds:
        if cycles:
            count = str(len(cycles)) if parts else f"{len(cycles)} of {total} cycles"
            parts.append((f"{count} {one if len(cycles) == 1 else many}", cycles))
    return {
        "parts": parts,
        "level": "bad" if failed or missing else "fair" if doubtful or suspicious else "good",
        "rois": len({cycle.roi for cycle in summaries}),
        "cycles": total,
        "missing": len(missing),
        "within": _share_within(summaries),
        **counts,
    }


def worst_rows(summaries: Sequence[CycleSummary]) -> list[CycleSummary]:
    """Return the cycles with a finding, the worst first, at most WORST."""
    return [cycle for cycle in worst_first(summaries) if cycle.findings][:WORST]


def first_shown(summaries: Sequence[CycleSummary]) -> list[str]:
    """Return ROI and name of the cycle that the page opens at: the worst that has pictures."""
    worst = [cycle for cycle in worst_first(summaries) if not cycle.missing]
    found = [cycle for cycle in worst if cycle.findings] or worst
    return [found[0].roi, found[0].cycle] if found else []


def shown_kinds(cycle: CycleSummary) -> Collection[str]:
    """Return the kinds of pictures that say something of a cycle.

    Of one that failed only those that show what was tried; those of a missing one are of an earlier
    run, maybe of another image.
    """
    if cycle.missing:
        return ()
    return PICTURES_OF_FAILED if cycle.has_failed else PICTURES_OF_CYCLE


def precision(summaries: Sequence[CycleSummary]) -> list[CycleSummary]:
    """Return the cycles whose precision is known, the least precise first."""
    known = [cycle for cycle in summaries if cycle.blocks and cycle.has_shifts]
    return sorted(known, key=lambda one: (-_beyond(one), -np.nan_to_num(one.xy_95_nm)))


def _beyond(cycle: CycleSummary) -> float:
    return 1 - float(np.nan_to_num(cycle.within_tolerance, nan=1.0))


def _share_within(summaries: Sequence[CycleSummary]) -> float:
    """Return the share of all blocks that are within the tolerance; NaN where none was given."""
    known = [one for one in summaries if one.blocks and not np.isnan(one.within_tolerance)]
    blocks = sum(one.blocks for one in known)
    return sum(one.within_tolerance * one.blocks for one in known) / blocks if blocks else np.nan


def matrix(summaries: Sequence[CycleSummary]) -> dict[str, Any]:
    """Return the names of cycles and, a ROI a row, the summary (or None) of each."""
    cycles = list(dict.fromkeys(cycle.cycle for cycle in summaries))
    by_roi: dict[str, dict[str, CycleSummary]] = {}
    for cycle in summaries:
        by_roi.setdefault(cycle.roi, {})[cycle.cycle] = cycle
    return {
        "cycles": cycles,
        "rows": [(roi, [row.get(name) for name in cycles]) for roi, row in by_roi.items()],
    }


def state_of(cycle: CycleSummary) -> str:
    """Return the class of a cycle's cell: lost, bad, fair or good."""
    if cycle.missing:
        return "lost"
    if cycle.has_failed:
        return "bad"
    return "fair" if cycle.faults else "good"
