"""Cycles that a ROI should have, but has no fiducial stack of."""

import csv
import io
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import one_line
from crossreg.io.files import read_text


@dataclass(frozen=True)
class Gap:
    """A cycle of a ROI that has no fiducial stack, and why it should have one.

    `is_fault` says that a run ends with an error for it.
    """

    roi: str
    cycle: str
    reason: str
    is_fault: bool = False


def gaps(samples: Iterable[Sample], seen: Collection[tuple[str, str]]) -> list[Gap]:
    """Return the gaps among ROIs x cycles, sorted.

    `seen` are the (ROI, cycle) of which there is an image of any channel: where its fiducial alone
    is not there, that is a fault. A cycle that only other ROIs have may be meant so.
    """
    there = {(sample.roi, sample.cycle) for sample in samples}
    without_fiducial = set(seen) - there
    cycles = {cycle for _, cycle in there}
    only_elsewhere = {(roi, cycle) for roi, _ in there for cycle in cycles} - there
    found = [
        Gap(
            roi, cycle, "the stack of its fiducial is not there, but those of other channels.", True
        )
        for roi, cycle in without_fiducial
    ]
    found += [
        Gap(roi, cycle, "this ROI has no stack of the cycle, but other ROIs have.")
        for roi, cycle in only_elsewhere - without_fiducial
    ]
    return sorted(found, key=lambda gap: (gap.roi, gap.cycle))


def gaps_words(found: Collection[Gap], most: int = 10) -> str:
    """Return in one sentence which cycles are missing, the first of many; "" without any."""
    if not found:
        return ""
    names = "; ".join(f"ROI {gap.roi}, cycle {gap.cycle}" for gap in list(found)[:most])
    rest = f" and {len(found) - most} more" if len(found) > most else ""
    return f"No fiducial stack of {names}{rest}; the tables name them as missing."


def gaps_text(gaps: Iterable[Gap]) -> str:
    """Return the text of a table of gaps (TSV), sorted."""
    lines = [
        "\t".join((gap.roi, gap.cycle, "yes" if gap.is_fault else "no", one_line(gap.reason)))
        for gap in sorted(gaps, key=lambda gap: (gap.roi, gap.cycle))
    ]
    return "\n".join(["roi\tcycle\tfault\treason", *lines, ""])


def read_gaps(path: Path | None) -> list[Gap]:
    """Return the gaps of a table; none for None. Raises UserError if the file is missing."""
    if path is None:
        return []
    rows = csv.DictReader(io.StringIO(read_text(path)), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [Gap(row["roi"], row["cycle"], row["reason"], row["fault"] == "yes") for row in rows]
