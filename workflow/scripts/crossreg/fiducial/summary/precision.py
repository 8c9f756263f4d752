"""How precisely a cycle is registered: standard errors in nm, and the share that is good enough."""

from dataclasses import asdict, dataclass
from math import erf, sqrt

import numpy as np

from crossreg.fiducial.verdict import DOUBTFUL
from crossreg.io.ecsv import Table

MOST = 95
"""Percentile of the blocks that stands for nearly all of them."""
NAN = float("nan")


@dataclass(frozen=True)
class Precision:
    """Standard errors (nm) of a cycle's blocks; NaN where there is none.

    In XY that of a block is the larger of its two. `xy_nm` and `z_nm` are the median of measured
    blocks, `xy_95_nm` and `z_95_nm` their MOST percentile, `borrowed_xy_nm` and `borrowed_z_nm`
    the median of borrowed ones. `within_tolerance` is the share of all blocks, and so of the
    area, whose errors are expected within the tolerance along each axis: the mean chance that they
    are, with normal errors as large as the blocks' sigmas; 0 of a doubtful cycle. `held_out_xy_nm`
    and `held_out_z_nm` say how far structure lies from a field that it took no part in, its own
    noise included.
    """

    xy_nm: float = NAN
    xy_95_nm: float = NAN
    z_nm: float = NAN
    z_95_nm: float = NAN
    borrowed_xy_nm: float = NAN
    borrowed_z_nm: float = NAN
    held_out_xy_nm: float = NAN
    held_out_z_nm: float = NAN
    within_tolerance: float = NAN

    def values(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


@dataclass(frozen=True)
class Scale:
    """What makes nm of px and kept planes, and the tolerance (xy, z) in nm, None if not given."""

    pixel_nm: float
    plane_nm: float
    tolerance_nm: tuple[float, float] | None = None

    def nm(self, axis: str) -> float:
        """Return how many nm a kept plane (axis z) or a px (x, y) is."""
        return self.plane_nm if axis == "z" else self.pixel_nm


def precision_of(table: Table, scale: Scale) -> Precision:
    """Return the precision of a cycle from its table of local shifts."""
    status = table["status"]
    xy = scale.pixel_nm * np.maximum(table["sigma_x"], table["sigma_y"]).astype(float)
    z = scale.plane_nm * table["sigma_z"].astype(float)
    measured, borrowed = status == "measured", status == "borrowed"
    within = _within(table, scale, *scale.tolerance_nm) if scale.tolerance_nm else NAN
    return Precision(
        _percentile(xy[measured], 50),
        _percentile(xy[measured], MOST),
        _percentile(z[measured], 50),
        _percentile(z[measured], MOST),
        _percentile(xy[borrowed], 50),
        _percentile(z[borrowed], 50),
        scale.pixel_nm * max(_held_out(table, "x"), _held_out(table, "y")),
        scale.plane_nm * _held_out(table, "z"),
        within,
    )


def _within(table: Table, scale: Scale, tolerance_xy: float, tolerance_z: float) -> float:
    """Return the share of blocks whose errors are expected within the tolerance (nm)."""
    if table.meta.get("verdict") == DOUBTFUL:
        return 0.0
    chance = np.ones(len(table))
    for axis, tolerance in (("z", tolerance_z), ("x", tolerance_xy), ("y", tolerance_xy)):
        sigma = scale.nm(axis) * table[f"sigma_{axis}"].astype(float)
        chance *= [_chance(tolerance, value) for value in sigma]
    return float(chance.mean())


def _chance(tolerance: float, sigma: float) -> float:
    """Return the chance that a normal error of standard deviation `sigma` is within `tolerance`.

    NaN, the sigma of a failed block, is within none.
    """
    if np.isnan(sigma):
        return 0.0
    return erf(tolerance / (sqrt(2) * sigma)) if sigma > 0 else 1.0


def _held_out(table: Table, axis: str) -> float:
    value = table.meta.get(f"held_out_{axis}")
    return NAN if value is None else float(value)


def _percentile(values: np.ndarray, percent: float) -> float:
    return float(np.percentile(values, percent)) if len(values) else NAN
