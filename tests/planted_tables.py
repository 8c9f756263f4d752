"""Tables of a made-up experiment with one bad block and one bad cycle."""

from typing import Any

import numpy as np

from crossreg.fiducial.summary.cycle_summary import CycleSummary
from crossreg.fiducial.summary.precision import Scale
from crossreg.fiducial.summary.summaries import summaries_of_roi
from crossreg.io.cycle_tables import GLOBAL_COLUMNS, LOCAL_COLUMNS, new_table
from crossreg.io.ecsv import Table

SCALE = Scale(pixel_nm=100, plane_nm=500, tolerance_nm=(20, 100))
"""Errors are 2 to 4 nm in XY and 10 to 20 nm in z, 60 and 300 nm in weak blocks."""
GRID = (4, 4)
EMPTY_BLOCK = (3, 0)
"""A block without fiducials in every cycle, which is nothing unusual."""
BAD_BLOCK_AT, BAD_BLOCK = ("002", "RT4"), (2, 1)
WEAK_SIGMA = 0.6
"""Standard error of the two, of which the first is usual."""
BAD_CYCLE_AT = ("003", "RT7")


def summaries(rois: int, cycles: int) -> list[CycleSummary]:
    """Return the summaries of an experiment with the planted faults."""
    names = [f"RT{number}" for number in range(1, cycles + 1)]
    result = []
    for number in range(1, rois + 1):
        roi = f"{number:03d}"
        tables = [(name, global_row(roi, name), local_table(roi, name)) for name in names]
        result += summaries_of_roi(roi, tables, SCALE)
    return result


def global_row(roi: str, cycle: str) -> dict[str, Any]:
    """Return the row of the table of a cycle's global shift."""
    return next(iter(global_table(roi, cycle)))


def global_table(roi: str, cycle: str) -> Table:
    """Return the table of a cycle's global shift; the drift grows from cycle to cycle."""
    step = int(cycle.removeprefix("RT"))
    values = {
        "aligned file": f"scan_001_{cycle}_{roi}_ROI_converted_decon_ch00.tif",
        "reference file": f"scan_001_RT0_{roi}_ROI_converted_decon_ch00.tif",
        "shift_x": 0.8 * step,
        "shift_y": -0.5 * step,
        "error": 0.3,
        "diffphase": 0.0,
        "turn": 0.0,
        "z_step": 1.0,
        "ROI #": int(roi),
        "label": cycle,
        "source": "computed",
        "verdict": "registered",
        "reason": "",
        "ROI name": roi,
    }
    return new_table(GLOBAL_COLUMNS, values)


def local_table(roi: str, cycle: str) -> Table:
    """Return the table of local shifts of a cycle."""
    block_i, block_j = (index.ravel() for index in np.indices(GRID))
    random = np.random.default_rng([int(roi), int(cycle.removeprefix("RT"))])
    count = len(block_i)
    status = np.full(count, "measured", dtype="<U8")
    confidence = random.uniform(10, 20, count).astype(np.float32)
    sigmas = {f"sigma_{axis}": random.uniform(0.02, 0.04, count) for axis in "zxy"}
    weak = [EMPTY_BLOCK] + ([BAD_BLOCK] if (roi, cycle) == BAD_BLOCK_AT else [])
    for at in weak:
        status[np.ravel_multi_index(at, GRID)] = "borrowed"
        confidence[np.ravel_multi_index(at, GRID)] = 1.0
        sigmas["sigma_x"][np.ravel_multi_index(at, GRID)] = WEAK_SIGMA
    values = {name: random.normal(0, 0.3, count) for name in LOCAL_COLUMNS}
    values |= {name: random.uniform(0.3, 0.5, count) for name in LOCAL_COLUMNS if "quality" in name}
    values |= sigmas
    failed = (roi, cycle) == BAD_CYCLE_AT
    if failed:
        status[:] = "failed"
        for name in LOCAL_COLUMNS:
            if name.startswith(("shift", "quality", "sigma", "measured")):
                values[name] = np.full(count, np.nan)
    row = global_row(roi, cycle)
    values |= {
        name: [row[name]] * count
        for name in LOCAL_COLUMNS
        if name in GLOBAL_COLUMNS and not name.startswith("shift")
    }
    values |= {
        "blockXY": [128] * count,
        "block_i": block_i,
        "block_j": block_j,
        "confidence": confidence,
        "status": status,
    }
    return new_table(
        LOCAL_COLUMNS,
        values,
        verdict="failed" if failed else "registered",
        reason="it does not match" if failed else "",
        confidence_threshold=4.0,
        null_pairs=100,
    )
