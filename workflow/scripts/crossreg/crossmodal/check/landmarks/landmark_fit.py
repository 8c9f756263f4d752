"""The motion that landmarks give, how well they fit it, and which of them the others contradict."""

import math
from collections.abc import Sequence

import numpy as np

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine, Points
from crossreg.crossmodal.check.checked_section import Landmark, LandmarkFit
from crossreg.crossmodal.render.thin_plate_splines import spline_system, spline_transform
from crossreg.crossmodal.render.transform_data import Transform
from crossreg.crossmodal.render.transforms import affine_transform, apply
from crossreg.io.plurals import counted

SIMILARITY, AFFINE, THIN_PLATE = "similarity", "affine", "thin_plate"
FEWEST = {SIMILARITY: 2, AFFINE: 3, THIN_PLATE: 4}

LEAST_OUTLIER = 3.0
"""px: a person sets landmarks to about a pixel."""

CHANCE = 0.01
"""Of naming a landmark in a section where all are right."""

MOST_CONTRADICTED = 10


def fit_of(landmarks: Sequence[Landmark], model: str) -> tuple[tuple[Transform, ...], LandmarkFit]:
    """Return the motion as transforms in the frame of the stack, and how well it fits.

    Raises ValueError if the landmarks are too few, or on one line.
    """
    moving = np.array([one.moving for one in landmarks], dtype=np.float64).reshape(-1, 2)
    fixed = np.array([one.fixed for one in landmarks], dtype=np.float64).reshape(-1, 2)
    motion = motion_of(moving, fixed, model)
    residuals = [(x, y) for x, y in (fixed - apply(motion, moving)).tolist()]
    wrong = contradicted(moving, fixed, model)
    kept = np.array([index for index in range(len(moving)) if index not in wrong])
    errors = np.empty(len(moving))
    errors[kept] = left_out(moving[kept], fixed[kept], model)
    if wrong:
        errors[wrong] = _off(moving, fixed, model, kept, wrong)
    marks = tuple(index in wrong for index in range(len(moving)))
    fit = LandmarkFit(tuple(landmarks), tuple(residuals), tuple(errors.tolist()), marks)
    return motion, fit


def contradicted(moving: Points, fixed: Points, model: str) -> list[int]:
    """Return the points (N, 2) without which the others fit, by index; at most a third of them.

    The worst are taken out one after the other. They are wrong if each of them is further from
    where the rest sends it than the scatter of the rest explains: few points scatter little by
    chance, which the quantile of F for 2 and `degrees` of freedom takes into account.
    """
    bends = model == THIN_PLATE
    if bends:
        # It goes through any point, and far astray beyond the others: what it bends is scatter.
        model = AFFINE
    kept, taken = list(range(len(moving))), list[int]()
    deepest: list[int] = []
    while len(taken) < min(len(moving) // 3, MOST_CONTRADICTED):
        try:
            worst = _worst(moving, fixed, model, kept)
            kept.remove(worst)
            taken.append(worst)
            degrees, scatter = _scatter(moving[kept], fixed[kept], model)
            if degrees < 2:
                break
            off = _off(moving, fixed, model, np.array(kept), taken)
            if bends:
                off = np.minimum(off, _off(moving, fixed, THIN_PLATE, np.array(kept), taken))
        except (ValueError, np.linalg.LinAlgError):
            break
        chance = CHANCE / len(moving)
        sigmas = math.sqrt(degrees * (chance ** (-2.0 / degrees) - 1.0))
        reach = _uncertainty(moving[kept], moving[taken], model)
        if (off > np.maximum(LEAST_OUTLIER, sigmas * scatter * reach)).all():
            deepest = list(taken)
    return sorted(deepest)


def _worst(moving: Points, fixed: Points, model: str, kept: Sequence[int]) -> int:
    """Return the one of the kept points without which the others fit best."""
    rows = np.array(kept)
    without = [rows[rows != one] for one in rows]
    scatters = [_scatter(moving[others], fixed[others], model)[1] for others in without]
    return int(rows[np.argmin(scatters)])


def _scatter(moving: Points, fixed: Points, model: str) -> tuple[int, float]:
    """Return the degrees of freedom that the motion leaves, and the error of a coordinate in px."""
    degrees = 2 * (len(moving) - FEWEST[model])
    if degrees < 2:
        return degrees, math.nan
    off = apply(motion_of(moving, fixed, model), moving) - fixed
    return degrees, float(np.sqrt((off**2).sum() / degrees))


def _off(
    moving: Points, fixed: Points, model: str, kept: np.ndarray, points: Sequence[int]
) -> np.ndarray:
    """Return how far points are from where the motion of the kept ones sends them, px."""
    motion = motion_of(moving[kept], fixed[kept], model)
    chosen = list(points)
    return np.asarray(np.hypot(*(apply(motion, moving[chosen]) - fixed[chosen]).T))


def _uncertainty(kept: Points, points: Points, model: str) -> np.ndarray:
    """Return the error of a point that the kept ones predict, as a multiple of their own."""
    centre = kept.mean(axis=0)
    p, q = kept - centre, points - centre
    if model == SIMILARITY:
        far = (q**2).sum(axis=1) / (p**2).sum()
    else:
        far = ((q @ np.linalg.inv(p.T @ p)) * q).sum(axis=1)
    return np.asarray(np.sqrt(1.0 + 1.0 / len(kept) + far))


def motion_of(moving: Points, fixed: Points, model: str) -> tuple[Transform, ...]:
    """Return the transforms that send `moving` to `fixed`, (N, 2) each; ValueError if none do."""
    if len(moving) < FEWEST[model]:
        raise ValueError(
            f"{counted(len(moving), 'active landmark')}, and a {model} needs {FEWEST[model]}"
        )
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


def left_out(moving: Points, fixed: Points, model: str) -> list[float]:
    """Return how far each point is from where the motion of the others sends it, px; NaN: none."""
    if model == THIN_PLATE:
        return spline_left_out(moving, fixed)
    return [_left_out(moving, fixed, model, index) for index in range(len(moving))]


def _left_out(moving: Points, fixed: Points, model: str, index: int) -> float:
    others = np.arange(len(moving)) != index
    try:
        motion = motion_of(moving[others], fixed[others], model)
    except (ValueError, np.linalg.LinAlgError):
        return math.nan
    return float(np.hypot(*(apply(motion, moving[[index]]) - fixed[[index]])[0]))
