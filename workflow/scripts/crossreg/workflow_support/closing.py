"""The table that ends a run over cycles: what was registered, and what could not be."""

from collections.abc import Sequence

from crossreg.fiducial.summary import CycleSummary

MOST_ROWS = 60
"""Rows of the table; the report shows all."""
MOST_MISSING = 20
"""Cycles that are named one by one."""


def summary_text(summaries: Sequence[CycleSummary]) -> str:
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


def missing_lines(summaries: Sequence[CycleSummary]) -> list[str]:
    """Return a line for each cycle that could not be registered, the first of many."""
    lines = [
        f"MISSING: ROI {cycle.roi}, cycle {cycle.cycle}: {cycle.missing}"
        for cycle in summaries
        if cycle.missing
    ]
    rest = len(lines) - MOST_MISSING
    return lines[:MOST_MISSING] + ([f"... and {rest} more."] if rest > 0 else [])


def worst_block_text(cycles: Sequence[CycleSummary]) -> str:
    """Return the block of a ROI that is most out of the ordinary, and how uncertain it is."""
    matched = [cycle for cycle in cycles if cycle.worst_block]
    if not matched:
        return "-"
    worst = max(matched, key=lambda cycle: (bool(cycle.unusual), cycle.excess, cycle.worst_sigma))
    return (
        f"({worst.worst_block}) of {worst.cycle}: sigma {worst.worst_sigma:.2f},"
        f" usually {worst.usual_sigma:.2f}"
    )
