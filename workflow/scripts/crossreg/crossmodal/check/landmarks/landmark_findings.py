"""What is remarkable about the landmarks of a section: where they lie, and how they agree."""

import math
import statistics
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from crossreg.crossmodal.affine import Points, lengths
from crossreg.crossmodal.check.checked_section import Landmark, LandmarkFit
from crossreg.crossmodal.check.finding import NOTE, WARNING, Finding
from crossreg.crossmodal.check.landmarks.bigwarp_tables import LandmarkTable
from crossreg.crossmodal.check.landmarks.landmark_fit import FEWEST, LEAST_OUTLIER, SIMILARITY
from crossreg.crossmodal.freeze.records import FrozenSection
from crossreg.crossmodal.trakem2.patches import Patch
from crossreg.io.plurals import counted

DISAGREE = 0.02
"""Landmarks that are off by more than this fraction of a tile's longer side do not agree."""

FAR_OFF = 3.0
"""A single one, at the edge, may be off by this many times as much."""

CLUSTERED = 0.25
"""Landmarks that reach over less than this fraction of the section leave the rest to a guess."""

EDGE = 0.05
"""A landmark this fraction of a section's size outside of the box of its tiles is still on it."""

CHECK = "check it in BigWarp"


def check_place(
    landmarks: Sequence[Landmark], frozen: FrozenSection, origin: tuple[float, float]
) -> None:
    """Raise ValueError, saying what may be the reason, if no moving point lies on the EM."""
    moving, fixed, em, _ = _points_and_boxes(landmarks, frozen, origin)
    if len(moving) and len(em) and not _inside(moving, em).any():
        hint = "are the landmark_units right"
        if _inside(fixed, em).any():
            hint += ", or were moving (EM) and fixed (LM) exchanged"
        points = counted(len(moving), "moving point")
        raise ValueError(f"none of {points} lies on the EM tiles of the section: {hint}?")


def landmark_findings(
    name: str,
    frozen: FrozenSection,
    table: LandmarkTable,
    fit: LandmarkFit,
    model: str,
    origin: tuple[float, float],
) -> Iterator[Finding]:
    """Yield how the landmarks of the table `name` fit, and what lets one doubt them."""
    middle, count = fit.median_left_out, len(fit.landmarks)
    left_out = f"left out one by one {in_px(middle)} (median)"
    if math.isnan(middle):
        left_out = "too few to leave one out"
    found = (
        f"{counted(count, 'landmark')} of {name}, {model}: residual up to"
        f" {in_px(max(fit.distances))}, {left_out}"
        f"{f'; passed over{table.passed_over}' if table.passed_over else ''}"
    )
    advice = "no action needed: its motion is taken instead of a saved project"
    yield Finding(
        NOTE, "landmarks", frozen.section, "a saved project or a table of landmarks", found, advice
    )
    for landmark, error, wrong in zip(fit.landmarks, fit.left_out, fit.contradicted, strict=True):
        if wrong:
            found = f"'{landmark.name}', {error:.4g} px from where the others put it"
            texts = ("landmarks that agree", found, CHECK)
            yield Finding(WARNING, "landmark_off", frozen.section, *texts)
    if count == FEWEST[model]:
        expected = f"more landmarks than the {count} that a {model} needs"
        found = f"{count}, which fit it in any case: nothing tells whether one is wrong"
        texts = (expected, found, "add at least two more in BigWarp")
        yield Finding(WARNING, "landmarks_unchecked", frozen.section, *texts)
    moving, fixed, em, lm = _points_and_boxes(fit.landmarks, frozen, origin)
    yield from _disagreement(fit, frozen)
    yield from _clustered(moving, frozen, origin, model)
    as_given = _inside(moving, em).sum() + _inside(fixed, lm).sum()
    exchanged = _inside(fixed, em).sum() + _inside(moving, lm).sum()
    if exchanged > as_given + count / 2:
        expected = "moving points on the EM and fixed ones on the LM"
        found = f"{as_given} of {2 * count} points there, and {exchanged} the other way round"
        advice = "check whether EM and LM were exchanged in BigWarp: moving is the EM"
        yield Finding(WARNING, "landmarks_exchanged", frozen.section, expected, found, advice)


def in_px(value: float) -> str:
    """Return a distance in words."""
    return "< 0.01 px" if value < 0.01 else f"{value:.3g} px"


def _disagreement(fit: LandmarkFit, frozen: FrozenSection) -> Iterator[Finding]:
    """Yield a warning if the landmarks are off by much beside a tile, whichever is wrong."""
    kept = [
        error
        for error, wrong in zip(fit.left_out, fit.contradicted, strict=True)
        if not wrong and math.isfinite(error)
    ]
    sides = [_longer_side(patch) for patch in frozen.patches if frozen.is_em(patch)]
    if not kept or not sides:
        return
    limit = max(LEAST_OUTLIER, DISAGREE * statistics.median(sides))
    if statistics.median(kept) > limit or max(kept) > FAR_OFF * limit:
        expected = f"landmarks that agree within {limit:.3g} px"
        found = f"left out one by one they are up to {max(kept):.4g} px off"
        texts = (expected, found, "check them in BigWarp, those with the largest errors first")
        yield Finding(WARNING, "landmarks_disagree", frozen.section, *texts)


def _clustered(
    moving: Points, frozen: FrozenSection, origin: tuple[float, float], model: str
) -> Iterator[Finding]:
    """Yield a warning if the landmarks lie in a small part of the section.

    A similarity needs them far apart in one direction, the other models in both.
    """
    corners = [patch.stage_corners + origin for patch in frozen.patches if frozen.is_em(patch)]
    if not corners or len(moving) < 2:
        return
    axes = np.linalg.svd(moving - moving.mean(axis=0))[2].T
    reach, needed = (np.ptp(one @ axes, axis=0) for one in (moving, np.concatenate(corners)))
    if model == SIMILARITY:
        reach, needed = reach[:1], needed[:1]
    worst = int(np.argmin(reach / needed))
    if reach[worst] < CLUSTERED * needed[worst]:
        expected = "landmarks all over the section"
        found = f"some that reach over {reach[worst]:.4g} of its {needed[worst]:.4g} px"
        advice = (
            "add some far from these: beyond them the motion is extrapolated; if they are all over"
            " it, correct landmark_units"
        )
        yield Finding(WARNING, "landmarks_clustered", frozen.section, expected, found, advice)


def _points_and_boxes(
    landmarks: Sequence[Landmark], frozen: FrozenSection, origin: tuple[float, float]
) -> tuple[Points, Points, Points, Points]:
    """Return moving and fixed points (N, 2), and the boxes of all EM and of all LM tiles.

    A box is its lowest and its highest corner (2, 2); (0, 2) where there are no tiles.
    """
    moving = np.array([one.moving for one in landmarks], dtype=np.float64).reshape(-1, 2)
    fixed = np.array([one.fixed for one in landmarks], dtype=np.float64).reshape(-1, 2)
    em = [patch.stage_corners for patch in frozen.patches if frozen.is_em(patch)]
    lm = [patch.stage_corners for patch in frozen.patches if not frozen.is_em(patch)]
    return moving, fixed, _box(em, origin), _box(lm, origin)


def _box(corners: Sequence[Points], origin: tuple[float, float]) -> Points:
    if not corners:
        return np.empty((0, 2))
    points = np.concatenate(corners) + origin
    low, high = points.min(axis=0), points.max(axis=0)
    return np.array([low - EDGE * (high - low), high + EDGE * (high - low)])


def _inside(points: Points, box: Points) -> NDArray[np.bool_]:
    """Return which points lie in a box; none in one that is not there."""
    if not len(box):
        return np.zeros(len(points), dtype=np.bool_)
    return np.asarray(((points >= box[0]) & (points <= box[1])).all(axis=1))


def _longer_side(patch: Patch) -> float:
    corners = patch.stage_corners
    return float(lengths(corners - np.roll(corners, 1, axis=0)).max())
