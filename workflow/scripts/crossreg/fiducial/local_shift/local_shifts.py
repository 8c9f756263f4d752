"""The 3D shift of every block that remains after the global shift in XY.

A wide search on binned stacks finds most blocks; those that agree on an affine field predict
the shifts of small sub-blocks of full resolution; a smooth field through the sub-blocks' shifts,
each at the place of its structure, is what is reported at the block.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from crossreg.fiducial.block_grid import Block, block_grid, centre_yx, grid_shape
from crossreg.fiducial.correlation.binned_stacks import (
    PLANES_FOR_PATTERN,
    binned_stack,
    stack_of_mean,
)
from crossreg.fiducial.correlation.still_outlines import without_still_outlines
from crossreg.fiducial.correlation.still_waves import without_still_waves
from crossreg.fiducial.evidence.exposure_noise import Noise, are_one_exposure, noise_of
from crossreg.fiducial.evidence.image_faults import is_inverted
from crossreg.fiducial.field.motion import SMOOTH, Deformation, Motion
from crossreg.fiducial.field.own_motion import OwnMotion
from crossreg.fiducial.field.sampled_field import Field, WidenedField
from crossreg.fiducial.local_shift.attempts import Match, best_match, match_of_means
from crossreg.fiducial.local_shift.cycle_matcher import CycleMatcher
from crossreg.fiducial.local_shift.held_out import held_out_residual
from crossreg.fiducial.local_shift.known_depth import (
    Depth,
    FieldInDepth,
    cut_by_ends,
    stacks_to_match,
)
from crossreg.fiducial.local_shift.light import Light
from crossreg.fiducial.local_shift.measurements import Measurements
from crossreg.fiducial.local_shift.wide_search import WideSearch
from crossreg.fiducial.pieces import in_pieces
from crossreg.fiducial.quality import block_qualities, preprocessing
from crossreg.fiducial.reference import Reference
from crossreg.fiducial.turn import Turn, TurnedField
from crossreg.fiducial.verdict import Evidence, Verdict, judged

STATUSES = ("measured", "borrowed", "failed")
BLOCKS_AT_ONCE = 16
"""Blocks over which one thread averages the field at a time."""
SAMPLE_POINTS = 3
"""Points along each axis of a block over which the field is averaged."""


@dataclass(frozen=True)
class LocalShifts:
    """Grids (n_i, n_j) of the residual shifts after the global shift in XY.

    `shift_zyx` (n_i, n_j, 3) is to be applied at the block's centre (planes, px, px), and
    `sigma_zyx` is its uncertainty; `measured_zyx` is what the block itself says. `quality` is
    the NRMSE in the projections xy, zy, zx. `status` is one of STATUSES. `confidence` of a
    measured block is above `confidence_threshold`, which `null_pairs` blocks that cannot match
    gave. `field` is the total shift, global and local, as a function of the position in the
    reference; None where the cycle failed. `evidence` is what the verdict on the cycle rests on.
    `held_out_zyx` (3,) is how far structure lies from a field that it took no part in.
    `deformation` is what the cycle shows of how far it deforms; None where it failed, or is but one
    shift. By its `noise` a copy of the cycle is known; None where it failed.
    """

    shift_zyx: np.ndarray
    measured_zyx: np.ndarray
    sigma_zyx: np.ndarray
    confidence: np.ndarray
    status: np.ndarray
    quality: np.ndarray
    confidence_threshold: float
    null_pairs: int
    field: Field | None
    evidence: Evidence
    held_out_zyx: np.ndarray
    deformation: Deformation | None
    noise: Noise | None = None

    @property
    def verdict(self) -> Verdict:
        """Return the verdict on the cycle."""
        return judged(self.evidence)


def local_shifts(
    reference: Reference,
    cycle: np.ndarray,
    global_shift_yx: tuple[float, float],
    *,
    turn: float = 0.0,
    lower_threshold: float = 0.9,
    higher_threshold: float = 0.9999,
    background_sigma: float = 3.0,
    borrow: bool = True,
    motion: Motion = SMOOTH,
    is_interpolated: bool = False,
    threads: int = 1,
) -> LocalShifts:
    """Return the residual shifts of all blocks of a cycle's kept planes (Z, Y, X).

    `global_shift_yx` (px) is where the search starts and what the shifts are relative to. A cycle
    that is turned by `turn` degrees is turned back before it is compared. With
    `borrow` every block gets the shift of the smooth field, otherwise its own. `motion` is smooth
    or rigid (one shift per cycle, for a stage that drifts without deformation). Where the cycle
    `is_interpolated` along z, nothing is said of how its planes follow each other. The thresholds
    and `background_sigma` act on the quality only. The result does not depend on `threads`.
    """
    blocks = block_grid(reference.image_shape, reference.block_size_xy)
    turned = Turn(turn, reference.image_shape)
    start_yx = turned.start(global_shift_yx)
    with ThreadPoolExecutor(threads) as pool, threadpool_limits(1, user_api="blas"):
        as_exposed, cycle = cycle, turned.stack_turned_back(cycle, pool)
        here, there = reference.binned, binned_stack(cycle, pool)
        if not turned:
            here, there = without_still_waves(here, there, start_yx, pool)
            here, there = without_still_outlines(here, there, start_yx)
        light = Light(reference.light, cycle, is_interpolated)
        stacks, depth = stacks_to_match((here.planes, there.planes), start_yx)
        inverted = is_inverted(here.skewness, there.skewness)
        matcher = CycleMatcher(
            reference.image_shape, blocks, light, motion, turned, global_shift_yx, inverted, pool
        )
        match = best_match(matcher.matched, stacks, start_yx, pool)
        is_weak = match.has_failed or match.evidence.is_by_planes
        if is_weak and depth.planes >= PLANES_FOR_PATTERN:
            means = stack_of_mean(here.mean, pool), stack_of_mean(there.mean, pool)
            of_means = match_of_means(matcher.matched, means, start_yx)
            if of_means:
                of_means = matcher.along_z(of_means, stacks, (here.mean, there.mean))
            if of_means and (match.has_failed or of_means.is_registered):
                match = of_means
        if match.has_failed:
            return _failed(reference, match)
        depth = _told_by_match(depth, match, light)
        noise = noise_of(as_exposed, match.evidence.shift_yx)
        if are_one_exposure([reference.noise, noise])[0, 1]:
            match = replace(match, evidence=replace(match.evidence, is_copy=True))
        found = match.found
        points = _sample_points(blocks, found.depths)
        total, sigma = in_pieces(found.field.mean_over, points, BLOCKS_AT_ONCE, pool)
        own = depth.shift(_own_shifts(found, total, match.search, blocks))
        sigma = np.hypot(sigma, _added_over(points, found.own_motion))
        total, sigma = depth.shift(total), depth.sigma(sigma)
        applied = total if borrow else own
        held_out = held_out_residual(found.field, found.sub_blocks, motion, pool)
        held_out[0] = held_out[0] if depth.is_searched else np.nan
        prepared = preprocessing(cycle, lower_threshold, higher_threshold, background_sigma)
        quality = block_qualities(reference.projections, prepared, blocks, applied, pool)
    centres = np.array([centre_yx(block.rows, block.columns) for block in blocks])
    start = np.array([0.0, *global_shift_yx])
    applied, own = (
        np.column_stack([shifts[:, 0], turned.total(centres, shifts[:, 1:])]) - start
        for shifts in (applied, own)
    )
    sigma[:, 1:] = turned.sigmas(sigma[:, 1:])
    status = np.where(found.matching, "measured", "borrowed")
    of_blocks = _OfBlocks(applied, own, sigma, status, quality)
    field: Field = FieldInDepth(found.field, depth)
    field = TurnedField(field, turned) if turned else field
    if found.own_motion:
        field = WidenedField(field, found.own_motion)
    return _as_grids(reference, match, of_blocks, held_out, field, noise)


@dataclass(frozen=True)
class _OfBlocks:
    """What is said of n blocks: shifts, their uncertainty and quality (n, 3), and status (n,)."""

    applied: np.ndarray
    own: np.ndarray
    sigma: np.ndarray
    status: np.ndarray
    quality: np.ndarray


def _told_by_match(depth: Depth, match: Match, light: Light) -> Depth:
    """Return what is known along z once two stacks match."""
    if match.evidence.is_of_mean:
        return Depth(1)
    if match.shift_z is not None:
        return Depth(depth.planes, match.shift_z)
    if not depth.is_searched:
        return depth
    cut = cut_by_ends(light, match.found.field)
    return replace(
        depth, is_open=match.evidence.is_z_open, cut=cut, hidden=match.hidden_z, bend=match.bend
    )


def _own_shifts(
    found: Measurements, field_zyx: np.ndarray, search: WideSearch, blocks: list[Block]
) -> np.ndarray:
    """Return the own shift (n, 3) of each block; one without structure has the wide search's."""
    own = found.own_shifts(field_zyx)
    bare = np.flatnonzero(np.isnan(own).any(axis=1))
    if len(bare):
        own[bare] = search.shifts([blocks[number] for number in bare]).shift_zyx
    return own


def _sample_points(blocks: list[Block], depths: np.ndarray) -> np.ndarray:
    """Return points (n, p, 3) spread over each block at the depths (k,) of the structure."""
    points = np.array([block.sample_points_yx(SAMPLE_POINTS) for block in blocks])
    count, each, _ = points.shape
    planes = np.broadcast_to(depths, (count, each, len(depths)))
    whole = np.concatenate(
        [planes[..., None], np.repeat(points[:, :, None], len(depths), axis=2)], axis=-1
    )
    return whole.reshape(count, -1, 3)


def _added_over(points_zyx: np.ndarray, own_motion: OwnMotion) -> np.ndarray:
    """Return the standard error (n, 3) of blocks, given as points (n, p, 3), by own motion."""
    added = own_motion.added_at(points_zyx.reshape(-1, 3)).reshape(points_zyx.shape)
    return np.asarray(np.sqrt(np.mean(added**2, axis=1)))


def _failed(reference: Reference, match: Match) -> LocalShifts:
    """Return the result for a cycle that does not match the reference."""
    count = len(match.found.confidence)
    nothing, status = np.full((count, 3), np.nan), np.full(count, "failed")
    of_blocks = _OfBlocks(nothing, nothing, nothing, status, nothing)
    return _as_grids(reference, match, of_blocks, nothing[0])


def _as_grids(
    reference: Reference,
    match: Match,
    of_blocks: _OfBlocks,
    held_out: np.ndarray,
    field: Field | None = None,
    noise: Noise | None = None,
) -> LocalShifts:
    """Return the result; without a `field` that of a cycle that failed."""
    found, grid = match.found, grid_shape(reference.image_shape, reference.block_size_xy)

    def shaped(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32).reshape(*grid, *values.shape[1:])

    return LocalShifts(
        shift_zyx=shaped(of_blocks.applied),
        measured_zyx=shaped(of_blocks.own),
        sigma_zyx=shaped(of_blocks.sigma),
        confidence=shaped(found.confidence),
        status=of_blocks.status.reshape(grid),
        quality=shaped(of_blocks.quality),
        confidence_threshold=found.threshold,
        null_pairs=len(found.null),
        field=field,
        evidence=match.evidence,
        held_out_zyx=held_out,
        deformation=found.field.deformation if field else None,
        noise=noise,
    )
