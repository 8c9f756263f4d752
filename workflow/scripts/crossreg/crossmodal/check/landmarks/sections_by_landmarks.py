"""Landmarks of BigWarp as a second editor: a table of point pairs gives the motion of a section.

Moving is the EM, fixed the LM; both in the frame of the stacks, in px, nm or um.
"""

from pathlib import Path

import numpy as np

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine
from crossreg.crossmodal.check.checked_section import Policy, Section
from crossreg.crossmodal.check.finding import ERROR, Finding
from crossreg.crossmodal.check.landmarks.bigwarp_tables import read_landmarks, unit_px
from crossreg.crossmodal.check.landmarks.landmark_findings import check_place, landmark_findings
from crossreg.crossmodal.check.landmarks.landmark_fit import THIN_PLATE, fit_of
from crossreg.crossmodal.check.motion.motion_findings import motion_findings
from crossreg.crossmodal.check.motion.registered_tile import RegisteredTile, checked_tile
from crossreg.crossmodal.freeze.records import FrozenSection
from crossreg.crossmodal.render.image_boxes import Box
from crossreg.crossmodal.render.transform_data import Transform
from crossreg.crossmodal.render.transforms import affine_transform
from crossreg.crossmodal.trakem2.patches import Patch
from crossreg.io.errors import UserError


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
        check_place(table.landmarks, frozen, origin)
        patches = [patch for patch in frozen.patches if frozen.is_em(patch)]
        tiles = tuple(_moved(patch, motion, origin) for patch in patches)
    except (UserError, ValueError, np.linalg.LinAlgError) as error:
        found = f"{path.name}: {str(error).removeprefix(f'{path}: ').rstrip('.')}"
        texts = ("landmarks that give a motion", found, "add or correct landmarks in BigWarp")
        finding = Finding(ERROR, "landmarks_unusable", frozen.section, *texts)
        return Section(frozen.section, (finding,))
    findings = (
        *landmark_findings(path.name, frozen, table, fit, model, origin),
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
