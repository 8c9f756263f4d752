"""What is to be known of a cycle at a glance: drift, statuses of its blocks, quality, faults."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import numpy as np

from crossreg.fiducial.experiment.sample import Sample
from crossreg.fiducial.precision import Precision, Scale, precision_of
from crossreg.fiducial.verdict import DOUBTFUL, FAILED
from crossreg.io.ecsv import Table
from crossreg.io.errors import DamagedResultError
from crossreg.io.files import read_text, write_text

USUAL = 0.75
"""Part of the other cycles of a ROI that measure a block, above which a cycle should measure it:
blocks with few fiducials are measured in some cycles and not in others."""
SPREAD = (5, 95)
"""Percentiles of the blocks between which the spread of a drift lies."""
LEAST_CYCLES = 5
"""Cycles below which it cannot be said what drift is usual."""
LEAST_JUMP, JUMP_SPREADS = 5.0, 6.0
"""A drift jumps if it differs from the nearest of its neighbours by so many px, and by so many
spreads (median absolute deviations) more than is usual in the ROI."""


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
    the nearer neighbouring cycle, 0 where it is as usual. `verdict` is one of `verdict.VERDICTS`,
    with its `reason`. `missing` says why a cycle could not be registered.
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
        if self.within_tolerance < GOOD_ENOUGH:
            text = f"only {100 * self.within_tolerance:.0f} % of its area within the tolerance"
            found.append(Finding("tolerance", text))
        return found

    @property
    def faults(self) -> str:
        """Return in words what is wrong with the cycle; empty if nothing is."""
        return "; ".join(finding.text for finding in self.findings)


def in_order_of_imaging(samples: Iterable[Sample]) -> list[str]:
    """Return the names of the cycles of a ROI, by the run numbers of their files, then by name.

    Names are compared with their numbers as numbers, so that RT2 comes before RT10. Where files
    say no run numbers, only the names count.
    """

    def key(sample: Sample) -> tuple[Any, ...]:
        parts = re.split(r"(\d+)", sample.cycle)
        natural = [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
        return int(sample.run) if sample.run.isdigit() else 0, natural

    return [sample.cycle for sample in sorted(samples, key=key)]


def with_gaps(
    ordered: Sequence[str], gaps: Iterable[str], others: Iterable[Sequence[str]]
) -> list[str]:
    """Return a ROI's cycles with its missing ones, each where the order of another ROI has it.

    `ordered` are the cycles that there are, `others` those of other ROIs, all in the order of
    imaging. Missing cycles that no ROI has come where their names belong.
    """
    result, left = list(ordered), set(gaps) - set(ordered)
    by_name = in_order_of_imaging(Sample("", name, "") for name in [*ordered, *left])
    for other in [*others, by_name]:
        for place, name in enumerate(other):
            if name in left:
                before = [result.index(one) for one in other[:place] if one in result]
                result.insert(max(before, default=-1) + 1, name)
                left.remove(name)
    return result


def summaries_of_roi(
    roi: str,
    cycles: Sequence[tuple[str, Mapping[str, Any], Table | None]],
    scale: Scale,
) -> list[CycleSummary]:
    """Return the summaries of a ROI's cycles (name, row of global shift, table of local shifts).

    The cycles are in the order of imaging; there is no table without a local step. `scale` makes nm
    of px and planes. Cycles that could not be registered are left out: see `missing_cycle`.
    """
    usual = _usual_blocks([table for *_, table in cycles if table])
    values = [
        _from_blocks(row, table, usual, scale)
        if table and usual
        else _from_global_shift(row, scale)
        for _, row, table in cycles
    ]
    jumps = jumps_of([(part["drift_x"], part["drift_y"]) for part in values])
    return [
        CycleSummary(roi, name, jump=float(jump), jump_nm=float(jump) * scale.pixel_nm, **part)
        for (name, *_), part, jump in zip(cycles, values, jumps, strict=True)
    ]


def missing_cycle(roi: str, cycle: str, reason: str) -> CycleSummary:
    """Return the summary of a cycle that could not be registered, and why."""
    empty: dict[type, Any] = {str: "", int: 0, float: float("nan")}
    values = {name: empty[kind] for name, kind in get_type_hints(CycleSummary).items()}
    named = {"roi": roi, "cycle": cycle, "jump": 0.0, "jump_nm": 0.0, "missing": reason}
    return CycleSummary(**values | named)


def jumps_of(drifts_xy: Sequence[tuple[float, float]]) -> np.ndarray:
    """Return how far (px) each drift is from the nearest of its two neighbours; 0 where as usual.

    The neighbours of the first and last are the two next to them on one side.
    """
    drifts = np.array(drifts_xy, dtype=float).reshape(-1, 2)
    known = np.flatnonzero(np.isfinite(drifts).all(axis=1))
    jumps = np.zeros(len(drifts))
    if len(known) < LEAST_CYCLES:
        return jumps
    places = np.arange(len(known))
    first = np.clip(places - 1, 0, len(known) - 3)
    steps = drifts[known][first[:, None] + np.arange(3)] - drifts[known][:, None]
    lengths = np.linalg.norm(steps, axis=-1)
    lengths[places, places - first] = np.inf
    distance = lengths.min(axis=1)
    spread = np.median(np.abs(distance - np.median(distance)))
    limit = max(LEAST_JUMP, np.median(distance) + JUMP_SPREADS * spread)
    jumps[known] = np.where(distance > limit, distance, 0.0)
    return jumps


def worst_first(summaries: Sequence[CycleSummary]) -> list[CycleSummary]:
    """Return the summaries from the worst to the best cycle."""

    def badness(cycle: CycleSummary) -> tuple[float, ...]:
        lost = 3.0 if cycle.missing else 2.0 * cycle.has_failed + (cycle.verdict == DOUBTFUL)
        unusual = cycle.unusual / cycle.blocks if cycle.blocks else 0.0
        quality = float(np.nan_to_num(cycle.quality))
        return lost, unusual, cycle.jump, cycle.share_borrowed, quality

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


def _from_global_shift(row: Mapping[str, Any], scale: Scale) -> dict[str, Any]:
    """Return the values of a cycle without a local step."""
    has_failed = str(row["verdict"]) == FAILED
    x, y = (np.nan if has_failed else float(row[name]) for name in ("shift_x", "shift_y"))
    drift = {f"{kind}_x": x for kind in ("drift", "low", "high")}
    drift |= {f"{kind}_y": y for kind in ("drift", "low", "high")}
    drift |= {f"{kind}_z": float("nan") for kind in ("drift", "low", "high")}
    drift |= _drift_nm(drift, scale)
    counts = dict.fromkeys(("blocks", "measured", "borrowed", "failed", "unusual"), 0)
    parts = drift | counts | _NO_BLOCK | Precision().values() | _verdict(row)
    return parts | {"quality": float("nan")}


_NO_BLOCK = {"worst_block": ""} | dict.fromkeys(
    ("worst_sigma", "usual_sigma", "worst_sigma_nm", "usual_sigma_nm"), float("nan")
)


def _drift_nm(drift: Mapping[str, float], scale: Scale) -> dict[str, float]:
    """Return the drift along each axis in nm."""
    return {f"drift_{axis}_nm": drift[f"drift_{axis}"] * scale.nm(axis) for axis in "zxy"}


def _verdict(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the verdict and its reason, from a row of global shifts or a table's meta data."""
    return {name: str(values[name]) for name in ("verdict", "reason")}


@dataclass(frozen=True)
class _Usual:
    """Of each block of a ROI: how many of its `cycles` measure it, and its usual errors.

    `sigma` (n,) is the usual largest one, `sigma_zxy` (n, 3) that along each axis.
    """

    cycles: int
    measured: np.ndarray
    sigma: np.ndarray
    sigma_zxy: np.ndarray


def _usual_blocks(tables: Sequence[Table]) -> _Usual | None:
    """Return what is usual in the cycles of a ROI that match, or in all if none does."""
    matched = [table for table in tables if (np.asarray(table["status"]) == "measured").any()]
    if not tables:
        return None
    measured = [np.asarray(table["status"]) == "measured" for table in matched or tables]
    sigmas = [_sigma_zxy(table) for table in matched or tables]
    sigma = np.median([_largest(one) for one in sigmas], axis=0)
    return _Usual(len(measured), np.sum(measured, axis=0), sigma, np.median(sigmas, axis=0))


def _sigma_zxy(table: Table) -> np.ndarray:
    """Return the standard errors (n, 3) of all blocks: kept planes, px, px."""
    return np.column_stack([np.asarray(table[f"sigma_{axis}"], dtype=float) for axis in "zxy"])


def _largest(sigma_zxy: np.ndarray) -> np.ndarray:
    """Return the largest of each block's three standard errors."""
    # Of stacks without depth the one along z is not known.
    largest: np.ndarray = np.fmax.reduce(sigma_zxy, axis=1)
    return largest


def _from_blocks(
    row: Mapping[str, Any], table: Table, usual: _Usual, scale: Scale
) -> dict[str, Any]:
    """Return the values of a cycle from its blocks."""
    start = {"z": 0.0, "x": float(row["shift_x"]), "y": float(row["shift_y"])}
    status = np.asarray(table["status"])
    counts = {name: int((status == name).sum()) for name in ("measured", "borrowed", "failed")}
    drift = {}
    for axis, offset in start.items():
        total = np.asarray(table[f"shift_{axis}"], dtype=float) + offset
        drift[f"drift_{axis}"] = float(np.median(total))
        low, high = np.percentile(total, SPREAD) if np.isfinite(total).all() else (np.nan, np.nan)
        drift |= {f"low_{axis}": float(low), f"high_{axis}": float(high)}
    drift |= _drift_nm(drift, scale)
    others = max(usual.cycles - int((status == "measured").any()), 1)
    unusual = (usual.measured > USUAL * others) & (status == "borrowed")
    return (
        drift
        | counts
        | _verdict(table.meta)
        | precision_of(table, scale).values()
        | _worst_block(table, usual, unusual if unusual.any() else status != "failed", scale)
        | {
            "blocks": len(status),
            "unusual": int(unusual.sum()),
            "quality": float(np.median(np.asarray(table["quality_xy"]))),
        }
    )


def _worst_block(table: Table, usual: _Usual, among: np.ndarray, scale: Scale) -> dict[str, Any]:
    """Return the block whose standard error is most above what is usual for it, and both."""
    if not among.any():
        return _NO_BLOCK
    sigma_zxy = _sigma_zxy(table)
    sigma = _largest(sigma_zxy)
    # A ROI with one cycle has nothing else that is usual: then the largest error counts.
    places = np.flatnonzero(among)
    worst = places[np.lexsort((sigma[places], (sigma - usual.sigma)[places]))[-1]]
    axis = int(np.nan_to_num(sigma_zxy[worst]).argmax())
    nm = scale.nm("zxy"[axis])
    return {
        "worst_block": f"{table['block_i'][worst]}, {table['block_j'][worst]}",
        "worst_sigma": float(sigma[worst]),
        "usual_sigma": float(usual.sigma[worst]),
        "worst_sigma_nm": float(sigma_zxy[worst, axis]) * nm,
        "usual_sigma_nm": float(usual.sigma_zxy[worst, axis]) * nm,
    }
