"""The table that ends a run over cycles: what was registered, and what could not be."""

import math
from collections.abc import Mapping, Sequence

from crossreg.fiducial.summary.cycle_summary import CycleSummary
from crossreg.fiducial.verdict import DOUBTFUL

MOST_ROWS = 60
"""Rows of the table; the report shows all."""
STANDS_OUT, LEAST_SIGMA_NM = 2.0, 10.0
"""Times its usual standard error, and nm, that a block must exceed to be named as the worst."""
MOST_NAMED = 20
"""Cycles that are named one by one."""
NO_MATCH = "it does not match the reference"
"""Why a cycle has failed of which nothing else is known."""


def summary_text(summaries: Sequence[CycleSummary]) -> str:
    """Return a table with a line per ROI: cycles, worst block, share borrowed, failed cycles.

    Failed and doubtful cycles, and those that could not be registered, follow with their reasons.
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
    failed_ones = {one: one.reason or NO_MATCH for one in summaries if one.has_failed}
    doubtful = {one: one.reason for one in summaries if one.verdict == DOUBTFUL}
    not_there = {one: one.missing for one in summaries if one.missing}
    for word, reasons in (("FAILED", failed_ones), ("DOUBTFUL", doubtful), ("MISSING", not_there)):
        lines += _named(word, reasons)
    return "\n".join(lines)


def _named(word: str, reasons: Mapping[CycleSummary, str]) -> list[str]:
    """Return a line for each of these cycles with its reason, the first of many."""
    lines = [f"{word}: ROI {one.roi}, cycle {one.cycle}: {why}" for one, why in reasons.items()]
    rest = len(lines) - MOST_NAMED
    return lines[:MOST_NAMED] + ([f"... and {rest} more."] if rest > 0 else [])


def worst_block_text(cycles: Sequence[CycleSummary]) -> str:
    """Return the block of a ROI that is most out of the ordinary, and how uncertain it is.

    "-" where none stands out.
    """
    matched = [
        cycle
        for cycle in cycles
        if cycle.worst_block
        and (
            cycle.unusual
            or cycle.worst_sigma_nm > max(STANDS_OUT * cycle.usual_sigma_nm, LEAST_SIGMA_NM)
        )
    ]
    if not matched:
        return "-"
    worst = max(matched, key=lambda cycle: (bool(cycle.unusual), cycle.excess, cycle.worst_sigma))
    told = f"({worst.worst_block}) of {worst.cycle}: sigma {worst.worst_sigma_nm:.0f} nm"
    usual = worst.usual_sigma_nm
    return told if math.isnan(usual) else f"{told}, usually {usual:.0f}"
