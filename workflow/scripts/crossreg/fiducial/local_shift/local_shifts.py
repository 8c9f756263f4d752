"""The 3D shift of every block that remains after the global shift in XY.

A wide search on binned stacks finds most blocks; those that agree on an affine field predict
the shifts of small sub-blocks of full resolution; a smooth field through the sub-blocks' shifts,
each at the place of its structure, is what is reported at the block.
"""

from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from crossreg.fiducial.block_grid import Block, block_grid, centre_yx, grid_shape
from crossreg.fiducial.evidence.exposure_noise import Noise, are_one_exposure, noise_of
from crossreg.fiducial.field.motion import SMOOTH, Deformation, Motion
from crossreg.fiducial.field.own_motion import OwnMotion
from crossreg.fiducial.field.sampled_field import CorrectedField, Field, WidenedField
from crossreg.fiducial.lean import LeaningField
from crossreg.fiducial.local_shift.attempts import Match
from crossreg.fiducial.local_shift.closer_look import closer_look
from crossreg.fiducial.local_shift.held_out import held_out_residual
from crossreg.fiducial.local_shift.known_depth import FieldInDepth
from crossreg.fiducial.local_shift.matched_cycle import Matching
from crossreg.fiducial.local_shift.measurements import Measurements
from crossreg.fiducial.local_shift.wide_search import WideSearch
from crossreg.fiducial.pieces import in_pieces
from crossreg.fiducial.quality import block_qualities, preprocessing
from crossreg.fiducial.reference import Reference
from crossreg.fiducial.threads import threads_of
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
    with threads_of(threads) as pool, threadpool_limits(1, user_api="blas"):
        as_exposed, cycle = cycle, turned.stack_turned_back(cycle, pool)
        matching = Matching(
            reference, blocks, turned, global_shift_yx, motion, is_interpolated, pool
        )
        matched = matching.matched(cycle)
        match, depth, lean = matched.match, matched.depth, matched.lean
        if match.has_failed:
            return _failed(reference, match)
        noise = noise_of(as_exposed, match.evidence.shift_yx)
        if are_one_exposure([reference.noise, noise])[0, 1]:
            match = replace(match, evidence=replace(match.evidence, is_copy=True))
        found = match.found
        points = _sample_points(blocks, found.depths)
        total, sigma = in_pieces(found.field.mean_over, points, BLOCKS_AT_ONCE, pool)
        own = depth.shift(_own_shifts(found, total, match.search, blocks))
        sigma = np.hypot(sigma, _added_over(points, found.own_motion))
        total, sigma = depth.shift(total), depth.sigma(sigma)
        correction = None
        if not motion.is_rigid:
            middle_plane = found.field.domain.middle_plane
            correction = closer_look(match.search.stacks, found.field.shift_at, middle_plane, pool)
        if correction:
            by, unsure = correction.mean_over_blocks(blocks)
            total, sigma = total + by, np.hypot(sigma, unsure)
        if lean:
            mean = lean.mean_over(found.depths)
            own, total = own + mean, total + mean
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
    field = LeaningField(field, lean) if lean else field
    field = TurnedField(field, turned) if turned else field
    if correction:
        field = CorrectedField(field, correction.transformed(turned.matrix))
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
