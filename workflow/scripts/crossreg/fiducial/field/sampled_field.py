"""The field of a cycle sampled on a regular grid, so that it can be kept whatever model made it."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from crossreg.fiducial.even_choice import evenly_chosen
from crossreg.fiducial.field.grid_spline import FEWEST_NODES, GridSpline
from crossreg.fiducial.field.local_correction import LocalCorrection
from crossreg.fiducial.field.own_motion import NO_OWN_MOTION, OwnMotion
from crossreg.fiducial.pieces import in_pieces

FIRST_SPACING = (6.0, 0.5)
"""Spacing of the nodes that is tried first: planes along z, blocks along y and x."""
LEAST_ALONG_Z = 12
"""Parts at least into which nodes cut a stack: sigma along z may have a kink where a bend crosses
the mean, which four nodes of 24 planes missed by a fifth."""
SHIFT_TOLERANCE = 0.002
"""Largest error (px, planes) of an interpolated shift: far below what registration reaches."""
SIGMA_TOLERANCE = 0.01
"""The same for sigma, of which two digits are enough."""
MOST_REFINEMENTS = 4
"""Times that the spacing along an axis is halved at most."""
LEAST_SPACING = (0.7, 0.0, 0.0)
"""Spacing of the nodes at least (planes, px, px): sub-blocks average over several planes."""
TEST_POINTS, TEST_LINES = 16, 5
"""Points between nodes at which the error is looked at along each axis, and how many places along
each of the others."""
NODES_AT_ONCE = 512
"""Nodes at which the field is computed at a time."""
CONVERGED = 1e-3
"""Change (px, planes) below which the search for a position in the reference ends: with gradients
below 0.1 less than a tenth of it is left."""
MOST_ROUNDS = 50
"""Rounds of that search at most; with gradients below 0.1 five are enough."""
NOTHING = (np.nan, np.nan, np.nan)
"""Shift and standard error of a cycle that failed."""


class Field(Protocol):
    """A shift and its uncertainty as functions of the position in the reference."""

    def at(self, positions_zyx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (shift, sigma), both (n, 3), at positions (n, 3); planes, px, px."""


@dataclass(frozen=True)
class WidenedField:
    """A field whose uncertainty says where structure moved by itself."""

    field: Field
    own_motion: OwnMotion

    def at(self, positions_zyx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (shift, sigma), both (n, 3), at positions (n, 3); planes, px, px."""
        shift, sigma = self.field.at(positions_zyx)
        return shift, self.own_motion.widened(sigma, positions_zyx)


@dataclass(frozen=True)
class CorrectedField:
    """A field with what images show beside it."""

    field: Field
    correction: LocalCorrection

    def at(self, positions_zyx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (shift, sigma), both (n, 3), at positions (n, 3); planes, px, px."""
        shift, sigma = self.field.at(positions_zyx)
        by, unsure = self.correction.at(positions_zyx)
        return shift + by, np.hypot(sigma, unsure)


@dataclass(frozen=True)
class SampledField:
    """Total shift and its standard error at nodes (z, y, x) of the reference frame.

    `nodes_zyx` are three increasing, evenly spaced arrays of at least four numbers: kept planes,
    px, px; the centre of the first pixel is 0. `shift_zyx` and `sigma_zyx` are float32 arrays
    (nz, ny, nx, 3) in kept planes and px. Of a cycle that failed they are NaN. Between the nodes
    the samples are interpolated with cubic splines; beyond the first and last node the value
    there is taken. `own_motion` says where structure moved by itself; the standard errors at nodes
    do not hold what comes with that, those `at` positions do.
    """

    nodes_zyx: tuple[np.ndarray, ...]
    shift_zyx: np.ndarray
    sigma_zyx: np.ndarray
    own_motion: OwnMotion = NO_OWN_MOTION

    def at(self, positions_zyx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (shift, sigma), both (n, 3), at positions (n, 3) in the reference."""
        positions = np.asarray(positions_zyx, float)
        return self.shift_spline.at(positions), self.sigma_at(positions)

    def sigma_at(self, positions_zyx: np.ndarray) -> np.ndarray:
        """Return the standard errors (n, 3) at positions (n, 3) in the reference."""
        least = self.sigma_zyx.min(axis=(0, 1, 2))
        sigma: np.ndarray = np.maximum(self.sigma_spline.at(positions_zyx), least)
        return self.own_motion.widened(sigma, positions_zyx)

    def to_reference(self, positions_zyx: np.ndarray) -> np.ndarray:
        """Return where positions (n, 3) of the cycle lie in the reference, (n, 3).

        The position r of what is seen at c solves r = c + shift(r), as the shift is a function of
        the position in the reference.
        """
        seen = np.asarray(positions_zyx, float)
        found: np.ndarray = seen + self.shift_zyx.mean(axis=(0, 1, 2))
        moving = np.arange(len(seen))
        for _ in range(MOST_ROUNDS):
            new = seen[moving] + self.shift_spline.at(found[moving])
            still = np.abs(new - found[moving]).max(axis=1, initial=0) > CONVERGED
            found[moving] = new
            moving = moving[still]
            if not len(moving):
                break
        return found

    @cached_property
    def shift_spline(self) -> GridSpline:
        """Return the spline through the shifts."""
        return GridSpline(self.nodes_zyx, self.shift_zyx)

    @cached_property
    def sigma_spline(self) -> GridSpline:
        """Return the spline through the standard errors."""
        return GridSpline(self.nodes_zyx, self.sigma_zyx)


def sampled(
    field: Field | None,
    shape_zyx: tuple[int, int, int],
    block_size: int,
    pool: Executor | None = None,
) -> SampledField:
    """Return a field sampled over a stack (kept planes, rows, columns) of the reference.

    It is NaN where there is none (None), as of a cycle that failed.

    The nodes also cover where the field brings what lies at the edges of the cycle. They lie as
    close as `SHIFT_TOLERANCE` and `SIGMA_TOLERANCE` ask for, along each axis. The threads of
    `pool`, if there is one, share the nodes.
    """
    if field is None:
        return constant_field(NOTHING, NOTHING, shape_zyx)
    if isinstance(field, WidenedField):
        smooth = sampled(field.field, shape_zyx, block_size, pool)
        return replace(smooth, own_motion=field.own_motion)
    if isinstance(field, CorrectedField):
        return _corrected(sampled(field.field, shape_zyx, block_size, pool), field.correction)
    along_z = min(FIRST_SPACING[0], max(shape_zyx[0] / LEAST_ALONG_Z, LEAST_SPACING[0]))
    spacing = np.array([along_z, *2 * (FIRST_SPACING[1] * block_size,)])
    stack = [(-0.5, size - 0.5) for size in shape_zyx]
    over_stack = _sampled_at(field, list(map(_nodes, stack, spacing)), pool)
    ends = [
        (low + min(float(shift.min()), 0), high + max(float(shift.max()), 0))
        for (low, high), shift in zip(stack, over_stack.shift_zyx.T, strict=True)
    ]
    for refinement in range(MOST_REFINEMENTS + 1):
        found = _sampled_at(field, list(map(_nodes, ends, spacing)), pool)
        rough = [
            spacing[axis] / 2 >= LEAST_SPACING[axis] and _is_rough(field, found, axis, stack[0])
            for axis in range(3)
        ]
        if not any(rough) or refinement == MOST_REFINEMENTS:
            break
        spacing[rough] /= 2
    return found


def _corrected(field: SampledField, correction: LocalCorrection) -> SampledField:
    """Return a field with a correction, whose nodes are as close as the correction's cells."""
    z, *nodes = field.nodes_zyx
    y, x = (
        along if along[1] - along[0] <= correction.cell
        else _nodes((float(along[0]), float(along[-1])), correction.cell)
        for along in nodes
    )  # fmt: skip
    by, unsure = correction.on_grid(y, x)
    least = field.sigma_zyx.min(axis=(0, 1, 2))
    shift = field.shift_spline.on_grid(z, y, x) + by
    sigma = np.hypot(np.maximum(field.sigma_spline.on_grid(z, y, x), least), unsure)
    return SampledField((z, y, x), shift.astype(np.float32), sigma.astype(np.float32))


def constant_field(
    shift_zyx: Sequence[float], sigma_zyx: Sequence[float], shape_zyx: tuple[int, int, int]
) -> SampledField:
    """Return the field that is the same everywhere in a stack, such as a global shift alone."""
    nodes = tuple(np.linspace(-0.5, size - 0.5, FEWEST_NODES) for size in shape_zyx)
    shift, sigma = (
        np.full((*3 * (FEWEST_NODES,), 3), values, np.float32) for values in (shift_zyx, sigma_zyx)
    )
    return SampledField(nodes, shift, sigma)


def _nodes(ends: tuple[float, float], spacing: float) -> np.ndarray:
    """Return nodes from end to end of an axis, at most `spacing` apart."""
    return np.linspace(*ends, max(FEWEST_NODES, int(np.ceil(np.ptp(ends) / spacing)) + 1))


def _sampled_at(field: Field, nodes: list[np.ndarray], pool: Executor | None) -> SampledField:
    # Depth by depth of each column: places that share one are fast.
    places = np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1).transpose(1, 2, 0, 3)
    shift, sigma = (
        np.asarray(values, np.float32).reshape(places.shape).transpose(2, 0, 1, 3).copy()
        for values in in_pieces(field.at, places.reshape(-1, 3), NODES_AT_ONCE, pool)
    )
    return SampledField(tuple(nodes), shift, sigma)


def _is_rough(field: Field, found: SampledField, axis: int, planes: tuple[float, float]) -> bool:
    """Return whether the samples are too far apart along an axis, seen halfway between nodes.

    Only depths from the first to the last of the `planes` count, if there are any: beyond the ends
    of the stack a field may have kinks, which no spacing is fine enough for.
    """
    along = [nodes[evenly_chosen(len(nodes), TEST_LINES)] for nodes in found.nodes_zyx]
    nodes = found.nodes_zyx[axis]
    between = (nodes[1:] + nodes[:-1]) / 2
    along[axis] = between[evenly_chosen(len(between), TEST_POINTS)]
    within = along[0][(along[0] >= planes[0]) & (along[0] <= planes[1])]
    along[0] = within if len(within) else along[0]
    places = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1)
    shift_error, sigma_error = (
        np.abs(true.reshape(places.shape) - spline.on_grid(*along)).max()
        for true, spline in zip(
            field.at(places.reshape(-1, 3)), (found.shift_spline, found.sigma_spline), strict=True
        )
    )
    return bool(shift_error > SHIFT_TOLERANCE or sigma_error > SIGMA_TOLERANCE)
