"""A cycle in one line: drift, statuses of its blocks, quality, faults; written and read."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import numpy as np

from crossreg.fiducial.verdict import DOUBTFUL, FAILED
from crossreg.io.errors import DamagedResultError
from crossreg.io.files import read_text, write_text

GOOD_ENOUGH = 0.9
"""Share of a cycle's blocks within the tolerance below which the cycle is named."""


class Finding(NamedTuple):
    """What is wrong with a cycle: a kind (missing, failed, doubtful, ...), and a text."""

    kind: str
    text: str


@dataclass(frozen=True)
class CycleSummary:
    """A cycle of a ROI in one line; `drift` is the median total shift of its blocks.

    z in kept planes, x along rows and y along columns in px; the same in nm where a name ends in
    `_nm`. `low` and `high` are the SPREAD of the blocks. `unusual` counts blocks that are not
    measured here, but in most cycles of the ROI. `worst_block` ("i, j") is the one of them, or else
    of all measured and borrowed blocks, whose shift is most uncertain beyond what is usual for this
    block in the ROI; `worst_sigma` and `usual_sigma` are the largest of its three standard errors
    here and in the middle of the ROI's cycles (px; z: kept planes; in nm both are of the axis of
    the former). `quality` is the median NRMSE in xy, `jump` the XY distance (px) to the drift of
    the nearer neighbouring cycle, 0 where it is as usual. `verdict` is registered, doubtful or
    failed, with its `reason`. `missing` says why a cycle could not be registered.
    From `xy_nm` to `within_tolerance` stand what `precision.Precision` says of the cycle.
    Values that there are not are NaN, 0 or empty.
    """

    roi: str
    cycle: str
    drift_z: float
    drift_x: float
    drift_y: float
    low_z: float
    low_x: float
    low_y: float
    high_z: float
    high_x: float
    high_y: float
    blocks: int
    measured: int
    borrowed: int
    failed: int
    unusual: int
    worst_block: str
    worst_sigma: float
    usual_sigma: float
    quality: float
    jump: float
    drift_z_nm: float
    drift_x_nm: float
    drift_y_nm: float
    worst_sigma_nm: float
    usual_sigma_nm: float
    jump_nm: float
    xy_nm: float
    xy_95_nm: float
    z_nm: float
    z_95_nm: float
    borrowed_xy_nm: float
    borrowed_z_nm: float
    held_out_xy_nm: float
    held_out_z_nm: float
    within_tolerance: float
    verdict: str = ""
    reason: str = ""
    missing: str = ""

    @property
    def has_failed(self) -> bool:
        """Return whether the cycle does not match the reference."""
        return self.verdict == FAILED or self.failed > 0

    @property
    def has_shifts(self) -> bool:
        """Return whether the cycle was registered and matches the reference."""
        return not (self.missing or self.has_failed)

    @property
    def excess(self) -> float:
        """Return by how much the worst block is less certain than usual (px); 0 without blocks."""
        return 0.0 if np.isnan(self.worst_sigma) else self.worst_sigma - self.usual_sigma

    @property
    def share_borrowed(self) -> float:
        """Return the part of the blocks that are borrowed; 0 without a local step."""
        return self.borrowed / self.blocks if self.blocks else 0.0

    @property
    def findings(self) -> list[Finding]:
        """Return what is wrong with the cycle."""
        if self.missing:
            return [Finding("missing", f"not registered: {self.missing}")]
        if self.has_failed:
            return [Finding("failed", f"failed: {self.reason}" if self.reason else "failed")]
        found = []
        if self.verdict == DOUBTFUL:
            found.append(Finding("doubtful", f"doubtful: {self.reason}"))
        if self.unusual:
            text = (
                f"{self.unusual} of {self.blocks} blocks borrowed that most cycles of the ROI"
                f" measure; the weakest is block ({self.worst_block})"
            )
            found.append(Finding("unusual", text))
        if self.jump:
            text = f"drifts {self.jump:.1f} px ({self.jump_nm:.0f} nm) away from its neighbours"
            found.append(Finding("jump", text))
        if self.within_tolerance < GOOD_ENOUGH and self.verdict != DOUBTFUL:
            text = f"only {100 * self.within_tolerance:.0f} % of its area within the tolerance"
            found.append(Finding("tolerance", text))
        return found

    @property
    def faults(self) -> str:
        """Return in words what is wrong with the cycle; empty if nothing is."""
        return "; ".join(finding.text for finding in self.findings)


def missing_cycle(roi: str, cycle: str, reason: str) -> CycleSummary:
    """Return the summary of a cycle that could not be registered, and why."""
    empty: dict[type, Any] = {str: "", int: 0, float: float("nan")}
    values = {name: empty[kind] for name, kind in get_type_hints(CycleSummary).items()}
    named = {"roi": roi, "cycle": cycle, "jump": 0.0, "jump_nm": 0.0, "missing": reason}
    return CycleSummary(**values | named)


def worst_first(summaries: Sequence[CycleSummary]) -> list[CycleSummary]:
    """Return the summaries from the worst to the best cycle.

    Missing ones come after what was seen of others: they may be many, and nobody can use them.
    """

    def badness(cycle: CycleSummary) -> tuple[float, ...]:
        kinds = (bool(cycle.missing), cycle.verdict == DOUBTFUL, cycle.has_failed)
        worst = max((rank for rank, holds in enumerate(kinds, 1) if holds), default=0)
        unusual = cycle.unusual / cycle.blocks if cycle.blocks else 0.0
        quality = float(np.nan_to_num(cycle.quality))
        return worst, unusual, cycle.jump, cycle.share_borrowed, quality

    return sorted(summaries, key=badness, reverse=True)


def write_summaries(path: Path | str, summaries: Sequence[CycleSummary]) -> None:
    """Write summaries as TSV, numbers to three decimals; whole or not at all."""
    text = io.StringIO()
    names = [field.name for field in fields(CycleSummary)]
    writer = csv.DictWriter(text, names, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    for summary in summaries:
        values = asdict(summary).items()
        writer.writerow({k: f"{v:.3f}" if isinstance(v, float) else v for k, v in values})
    write_text(path, text.getvalue())


def read_summaries(path: Path | str) -> list[CycleSummary]:
    """Return the summaries that `write_summaries` wrote to `path`; raise UserError if damaged."""
    types = get_type_hints(CycleSummary)
    text = read_text(path)
    rows = csv.DictReader(io.StringIO(text), delimiter="\t")
    try:
        if rows.fieldnames != list(types) or not text.endswith("\n"):
            raise ValueError("cut off, or of other columns")
        return [CycleSummary(**{name: types[name](row[name]) for name in types}) for row in rows]
    except (TypeError, ValueError):
        raise DamagedResultError(path, "the summary is damaged") from None
