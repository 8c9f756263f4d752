"""Moving least squares: a point moves by the model that fits the control points around it best.

After Schaefer and others (2006), DOI 10.1145/1141911.1141920.
"""

from collections.abc import Callable

import numpy as np

from crossreg.crossmodal.affine import Points
from crossreg.crossmodal.render.transform_data import Function, head, numbers

# Points times control points worked on at once: the arrays stay in the processor's cache.
LEAST_SQUARES_CHUNK = 20_000


def read_least_squares(data: str, precision: type) -> Function:
    """Return what the data of a MovingLeastSquaresTransform does to points (N, 2).

    `precision` is the type of numbers that weights are computed in. Raises ValueError if the data
    cannot be read.
    """
    (model, dims, alpha_word), rest = head(data, 3)
    if model not in _FITS or dims != "2":
        raise ValueError(f"'{model} {dims}' is not a model of two dimensions that can be fitted")
    alpha = numbers([alpha_word])[0]
    if len(rest) % 5:
        raise ValueError("the data does not hold five numbers a point")
    table: np.ndarray = np.array(numbers(rest), dtype=precision).reshape(-1, 5)
    fit_model, needed = _FITS[model]
    if len(table) < needed:
        raise ValueError(f"{len(table)} control points are too few for the model {model}")
    chunk = max(1, LEAST_SQUARES_CHUNK // len(table))

    def function(points: Points) -> Points:
        parts = (points[i : i + chunk] for i in range(0, len(points), chunk))
        moved = [_move(part, table, alpha, fit_model) for part in parts]
        return np.concatenate(moved) if moved else points

    return function


def _move(
    points: Points, table: np.ndarray, alpha: float, fit_model: Callable[..., Points]
) -> Points:
    """Return points moved by the fit at each of them; a control point goes to its target.

    Weights have the precision of `table` (K, 5): p_x p_y q_x q_y w.
    """
    p, q = table[:, :2].astype(np.float64), table[:, 2:4].astype(np.float64)
    x, y = p[:, 0] - points[:, :1], p[:, 1] - points[:, 1:]
    squared = x * x + y * y
    exact = squared <= 0
    power = np.power(np.where(exact, 1.0, squared), -alpha).astype(table.dtype)
    weights = (table[:, 4] * power).astype(np.float64)
    result = fit_model(points, p, q, weights)
    row = exact.any(axis=1)
    result[row] = q[exact[row].argmax(axis=1)]
    value: Points = result
    return value


def _centred(p: Points, q: Points, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return centroids (N, 2) of p and q, and both centred on them (N, K, 2)."""
    total = weights.sum(axis=1, keepdims=True)
    p_centre, q_centre = weights @ p / total, weights @ q / total
    return p_centre, q_centre, p - p_centre[:, None], q - q_centre[:, None]


def _fit_translation(points: Points, p: Points, q: Points, weights: np.ndarray) -> Points:
    p_centre, q_centre, _, _ = _centred(p, q, weights)
    result: Points = points + q_centre - p_centre
    return result


def _products(p: np.ndarray, q: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the weighted sums of the inner and of the outer product of centred pairs."""
    inner = (weights * (p[..., 0] * q[..., 0] + p[..., 1] * q[..., 1])).sum(axis=1)
    outer = (weights * (p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0])).sum(axis=1)
    return inner, outer


def _turned(offset: Points, cos: np.ndarray, sin: np.ndarray) -> Points:
    x, y = offset[:, 0], offset[:, 1]
    return np.column_stack((cos * x - sin * y, sin * x + cos * y))


def _fit_rigid(points: Points, p: Points, q: Points, weights: np.ndarray) -> Points:
    p_centre, q_centre, dp, dq = _centred(p, q, weights)
    inner, outer = _products(dp, dq, weights)
    angle = np.arctan2(outer, inner)
    result: Points = _turned(points - p_centre, np.cos(angle), np.sin(angle)) + q_centre
    return result


def _fit_similarity(points: Points, p: Points, q: Points, weights: np.ndarray) -> Points:
    p_centre, q_centre, dp, dq = _centred(p, q, weights)
    inner, outer = _products(dp, dq, weights)
    spread = (weights * (dp**2).sum(axis=2)).sum(axis=1)
    result: Points = _turned(points - p_centre, inner / spread, outer / spread) + q_centre
    return result


def _fit_affine(points: Points, p: Points, q: Points, weights: np.ndarray) -> Points:
    p_centre, q_centre, dp, dq = _centred(p, q, weights)
    weighted = np.swapaxes(dp * weights[..., None], 1, 2)
    spread, mixed = weighted @ dp, weighted @ dq
    a, b, d = spread[:, 0, 0], spread[:, 0, 1], spread[:, 1, 1]
    x, y = (points - p_centre).T
    # The offset times the inverse of the symmetric 2 x 2 matrix, written out.
    solved = np.column_stack((d * x - b * y, a * y - b * x)) / (a * d - b * b)[:, None]
    result: Points = np.einsum("ni,nij->nj", solved, mixed) + q_centre
    return result


# Each model with the least number of control points that it needs.
_FITS = {
    "translation": (_fit_translation, 1),
    "rigid": (_fit_rigid, 2),
    "similarity": (_fit_similarity, 2),
    "affine": (_fit_affine, 3),
}
