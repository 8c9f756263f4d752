"""Landmarks of BigWarp as a second editor: a table of point pairs gives the motion of a section.

Moving is the EM, fixed the LM; both in the frame of the stacks, in px, nm or um.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine, Points
from crossreg.crossmodal.check.bigwarp_tables import LandmarkTable, read_landmarks, unit_px
from crossreg.crossmodal.check.findings import ERROR, NOTE, WARNING, Finding
from crossreg.crossmodal.check.motion_findings import motion_findings
from crossreg.crossmodal.check.registered_tile import RegisteredTile, checked_tile
from crossreg.crossmodal.check.sections import Landmark, LandmarkFit, Policy, Section
from crossreg.crossmodal.freeze.records import FrozenSection
from crossreg.crossmodal.render.transforms import (
    Box,
    Transform,
    affine_transform,
    apply,
    spline_system,
    spline_transform,
)
from crossreg.crossmodal.trakem2.patches import Patch
from crossreg.io.errors import UserError

SIMILARITY, AFFINE, THIN_PLATE = "similarity", "affine", "thin_plate"
MODELS = (SIMILARITY, AFFINE, THIN_PLATE)
FEWEST = {SIMILARITY: 2, AFFINE: 3, THIN_PLATE: 4}


def fit_of(landmarks: Sequence[Landmark], model: str) -> tuple[tuple[Transform, ...], LandmarkFit]:
    """Return the motion as transforms in the frame of the stack, and how well it fits.

    Raises ValueError if the landmarks are too few, or on one line.
    """
    moving = np.array([one.moving for one in landmarks], dtype=np.float64).reshape(-1, 2)
    fixed = np.array([one.fixed for one in landmarks], dtype=np.float64).reshape(-1, 2)
    motion = motion_of(moving, fixed, model)
    residuals = [(x, y) for x, y in (fixed - apply(motion, moving)).tolist()]
    if model == THIN_PLATE:
        errors = spline_left_out(moving, fixed)
    else:
        errors = [_left_out(moving, fixed, model, index) for index in range(len(landmarks))]
    return motion, LandmarkFit(tuple(landmarks), tuple(residuals), tuple(errors))


def motion_of(moving: Points, fixed: Points, model: str) -> tuple[Transform, ...]:
    """Return the transforms that send `moving` to `fixed`, (N, 2) each; ValueError if none do."""
    if len(moving) < FEWEST[model]:
        raise ValueError(f"{len(moving)} active landmarks, and a {model} needs {FEWEST[model]}")
    if model == SIMILARITY:
        return (affine_transform(similarity(moving, fixed)),)
    if model == AFFINE:
        return (affine_transform(affine.fit(moving, fixed)),)
    return (spline_transform(moving, fixed),)


def similarity(moving: Points, fixed: Points) -> Affine:
    """Return the rotation, scale and shift that send `moving` to `fixed` by least squares.

    The closed form for the plane (Umeyama 1991, DOI 10.1109/34.88573), without mirroring.
    """
    centre, target = moving.mean(axis=0), fixed.mean(axis=0)
    p, q = moving - centre, fixed - target
    spread = float((p * p).sum())
    if spread == 0.0:
        raise ValueError("all landmarks are at one point")
    cos = float((p * q).sum()) / spread
    sin = float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / spread
    turn = affine.affine([cos, sin, -sin, cos, 0.0, 0.0])
    shift = target - affine.apply(turn, centre[None])[0]
    return affine.compose(affine.translation(*shift), turn)


def spline_left_out(moving: Points, fixed: Points) -> list[float]:
    """Return how far off each point is on the thin plate through the others, px; NaN: too few.

    All at once from the inverse of one system (Rippa 1999, DOI 10.1023/A:1018975909870): one spline
    for each point would take minutes for some hundred.
    """
    count = len(moving)
    if count <= FEWEST[THIN_PLATE]:
        return [math.nan] * count
    # Neither a shift nor a scale of the moving points changes the spline, but how exact it is.
    centred = moving - moving.mean(axis=0)
    inverse = np.linalg.inv(spline_system(centred / np.abs(centred).max()))[:count, :count]
    off = (inverse @ fixed) / np.diag(inverse)[:, None]
    return [float(one) for one in np.hypot(*off.T)]


def _left_out(moving: Points, fixed: Points, model: str, index: int) -> float:
    others = np.arange(len(moving)) != index
    try:
        motion = motion_of(moving[others], fixed[others], model)
    except (ValueError, np.linalg.LinAlgError):
        return math.nan
    return float(np.hypot(*(apply(motion, moving[[index]]) - fixed[[index]])[0]))


def checked_by_landmarks(
    path: Path,
    frozen: FrozenSection,
    policy: Policy,
    origin: tuple[float, float],
    pixel_size: tuple[float, float],
) -> Section:
    """Return the EM tiles of a section moved as its landmarks say, and what is to be said.

    `origin` is (minX, minY) as frozen, `pixel_size` nm a px in x and y, NaN if it is not known.
    """
    model = policy.landmark_model
    try:
        if model == THIN_PLATE and policy.new_transforms != "accept":
            raise ValueError("a thin plate is a new transform: set new_transforms: accept")
        table = read_landmarks(path, unit_px(policy.landmark_units, pixel_size))
        motion, fit = fit_of(table.landmarks, model)
        patches = [patch for patch in frozen.patches if frozen.is_em(patch)]
        tiles = tuple(_moved(patch, motion, origin) for patch in patches)
    except (UserError, ValueError, np.linalg.LinAlgError) as error:
        found = f"{path.name}: {str(error).removeprefix(f'{path}: ').rstrip('.')}"
        texts = ("landmarks that give a motion", found, "add or correct landmarks in BigWarp")
        finding = Finding(ERROR, "landmarks_unusable", frozen.section, *texts)
        return Section(frozen.section, (finding,))
    findings = (
        *_findings(path, frozen, table, fit, model),
        *motion_findings(tiles, frozen, policy),
    )
    return Section(frozen.section, findings, tiles, landmarks=fit)


def _moved(
    patch: Patch, motion: tuple[Transform, ...], origin: tuple[float, float]
) -> RegisteredTile:
    """Return a tile after a motion in the frame of the stack."""
    there = affine.translation(*origin)
    back = affine.invert(there)
    if len(motion) == 1 and (matrix := _as_affine(motion[0])) is not None:
        moved = affine.compose(back, matrix, there, _stage(patch))
        return checked_tile(patch, moved, (), patch.box)
    # Image -> stage position in the stack -> spline; the matrix only goes to the project's frame.
    to_stack = affine.compose(there, _stage(patch), affine.translation(-patch.box.x, -patch.box.y))
    return checked_tile(patch, back, (affine_transform(to_stack), *motion), Box(0, 0, 0, 0))


def _stage(patch: Patch) -> Affine:
    return affine.compose(affine.invert(patch.start), patch.matrix)


def _as_affine(transform: Transform) -> Affine | None:
    words = transform.data.split()
    return affine.affine([float(word) for word in words]) if len(words) == 6 else None


def _findings(
    path: Path, frozen: FrozenSection, table: LandmarkTable, fit: LandmarkFit, model: str
) -> Iterator[Finding]:
    """Yield how the landmarks fit, and those that the others contradict."""
    middle, limit = fit.median_left_out, fit.largest_left_out
    left_out = f"left out one by one {middle:.3g} px (median)"
    if math.isnan(middle):
        left_out = "too few to leave one out"
    found = (
        f"{len(fit.landmarks)} landmarks of {path.name}, {model}: residual up to"
        f" {max(fit.distances):.3g} px, {left_out}"
        f"{f'; passed over{table.passed_over}' if table.passed_over else ''}"
    )
    texts = ("a motion", found, "nothing: it is taken instead of a saved project")
    yield Finding(NOTE, "landmarks", frozen.section, *texts)
    rows = zip(fit.landmarks, fit.left_out, fit.contradicted, strict=True)
    for landmark, error, contradicted in rows:
        if contradicted:
            expected = f"a landmark within {limit:.3g} px of where the others put it"
            texts = (expected, f"'{landmark.name}', {error:.4g} px off", "check it in BigWarp")
            yield Finding(WARNING, "landmark_off", frozen.section, *texts)
