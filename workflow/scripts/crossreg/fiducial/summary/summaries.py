"""The summaries of the cycles of a ROI, from their tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossreg.fiducial.summary.cycle_summary import CycleSummary
from crossreg.fiducial.summary.jumps import jumps_of
from crossreg.fiducial.summary.precision import Precision, Scale, precision_of
from crossreg.fiducial.verdict import FAILED
from crossreg.io.ecsv import Table

USUAL = 0.75
"""Part of the other cycles of a ROI that measure a block, above which a cycle should measure it:
blocks with few fiducials are measured in some cycles and not in others."""
SPREAD = (5, 95)
"""Percentiles of the blocks between which the spread of a drift lies."""


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
