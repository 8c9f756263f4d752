"""The coordinate transforms of TrakEM2 and Render: what they do to points, boxes of images.

Every class maps (x, y) in px of the image. A list of transforms is applied first to last.
"""

import base64
import binascii
import functools
import math
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from crossreg.crossmodal import affine
from crossreg.crossmodal.affine import Affine, Points
from crossreg.io.errors import UserError

PREFIX = "mpicbg.trakem2.transform."
AFFINE_CLASS = PREFIX + "AffineModel2D"

# The last feature of a NonLinearCoordinateTransform is this constant.
NONLINEAR_CONSTANT = 100.0

# Larger than any real landmark set; a few bytes could otherwise unpack to fill the memory.
MAX_SPLINE_VALUES = 4_000_000

# Points times control points worked on at once: the arrays stay in the processor's cache.
LEAST_SQUARES_CHUNK = 20_000

# Lens corrections are shared by many tiles; other long data strings are not worth keeping.
CACHED = 256

Function = Callable[[Points], Points]


class Transform(NamedTuple):
    """One coordinate transform as both formats write it."""

    class_name: str
    data: str


class Box(NamedTuple):
    """The box of a transformed image, integers in px: corner, width and height."""

    x: int
    y: int
    width: int
    height: int


def check_known(transforms: Sequence[Transform], where: str) -> None:
    """Raise UserError naming `where` (the tile) and the class of a transform that is not usable."""
    for transform in transforms:
        try:
            _function(transform)
        except ValueError as error:
            raise UserError(
                f"{where}: {transform.class_name}: {error}; correct it, or replace it by a"
                " transform that TrakEM2 knows."
            ) from None


def apply(transforms: Sequence[Transform], points: Points) -> Points:
    """Return the (N, 2) points (x, y) after all `transforms`, first to last.

    Raises ValueError if a class is unknown or its data cannot be read; `check_known` says so
    in a sentence for the user.
    """
    points = np.asarray(points, dtype=np.float64)
    for transform in transforms:
        points = _function(transform)(points)
    return points


def is_affine(transform: Transform) -> bool:
    """Return whether the class is one of the affine models."""
    return transform.class_name in _AFFINE_READERS


def affine_of(transforms: Sequence[Transform]) -> Affine:
    """Return the affine map that a list of affine models makes; ValueError if data is wrong."""
    product = affine.IDENTITY
    for transform in transforms:
        product = affine.compose(_affine(transform), product)
    return product


def affine_transform(matrix: Affine) -> Transform:
    """Return `matrix` as an AffineModel2D, each number with the digits that restore it."""
    return Transform(AFFINE_CLASS, " ".join(repr(float(value)) for value in matrix))


@functools.lru_cache(maxsize=CACHED)
def patch_box(transforms: tuple[Transform, ...], width: int, height: int, mres: int) -> Box:
    """Return the box of a TrakEM2 patch: an image of `width` x `height` px after `transforms`.

    `mres` is the resolution of the patch's mesh, whose vertices decide.
    """
    if not transforms:
        return Box(0, 0, width, height)
    return _box(apply(transforms, _mesh(width, height, mres)))


def render_bounds(
    transforms: tuple[Transform, ...],
    matrix: Affine,
    width: int,
    height: int,
    mesh_cell_size: float = 64.0,
) -> tuple[int, int, int, int]:
    """Return minX, minY, maxX, maxY that Render derives for a tile of `width` x `height` px.

    `matrix` follows the `transforms`.
    """
    box = _box(affine.apply(matrix, _border(transforms, width, height, mesh_cell_size)))
    return box.x, box.y, box.x + box.width, box.y + box.height


@functools.lru_cache(maxsize=CACHED)
def _border(
    transforms: tuple[Transform, ...], width: int, height: int, mesh_cell_size: float
) -> Points:
    """Return points on the border of an image after `transforms`, which tiles often share."""
    x = np.linspace(0, width - 1, max(2, _java_round(width / mesh_cell_size)))
    y = np.linspace(0, height - 1, max(2, _java_round(height / mesh_cell_size)))
    border = [np.column_stack((x, np.full_like(x, side))) for side in (0.0, height)]
    border += [np.column_stack((np.full_like(y, side), y)) for side in (0.0, width)]
    points = apply(transforms, np.concatenate(border))
    points.flags.writeable = False
    return points


def _box(points: Points) -> Box:
    if not np.isfinite(points).all():
        raise ValueError("the transform sends points of the image to infinity")
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.ceil(high - low)
    return Box(int(low[0]), int(low[1]), int(size[0]), int(size[1]))


def _mesh(width: int, height: int, mres: int) -> Points:
    """Return the vertices of TrakEM2's triangle mesh over an image, (N, 2)."""
    nx = max(2, mres)
    dx = width / (nx - 1)
    dy = 2.0 * math.sqrt(0.75 * dx * dx)
    ny = max(2, _java_round(height / dy) + 1)
    x, y = np.linspace(0, width - 1, nx), np.linspace(0, height - 1, ny)
    rows = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    centres = np.meshgrid((x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2)
    return np.concatenate((rows, np.stack(centres, axis=-1).reshape(-1, 2)))


def _java_round(value: float) -> int:
    """Return `value` rounded as Java's Math.round does: halves upwards."""
    return math.floor(value + 0.5)


def _function(transform: Transform) -> Function:
    if is_affine(transform):
        return functools.partial(affine.apply, _affine(transform))
    return _read_function(transform)


@functools.lru_cache(maxsize=CACHED)
def _read_function(transform: Transform) -> Function:
    reader = _READERS.get(transform.class_name)
    if reader is None:
        raise ValueError("TrakEM2 does not know this class and would drop it")
    return reader(transform.data)


@functools.lru_cache(maxsize=4096)
def _affine(transform: Transform) -> Affine:
    return _AFFINE_READERS[transform.class_name](transform.data)


def _numbers(words: Sequence[str], count: int | None = None) -> list[float]:
    """Return finite numbers from `words`; ValueError if there are not `count` of them."""
    if count is not None and len(words) != count:
        raise ValueError(f"the data holds {len(words)} numbers where {count} are needed")
    try:
        values = [float(word) for word in words]
    except ValueError:
        raise ValueError("the data holds something that is not a number") from None
    if not all(math.isfinite(value) for value in values):
        raise ValueError("the data holds a number that is not finite")
    return values


def _single(value: float) -> float:
    """Return `value` as single precision keeps it."""
    return float(np.float32(value))


def _read_affine(data: str) -> Affine:
    return affine.affine(_numbers(data.split(), 6))


def _read_translation(data: str) -> Affine:
    return affine.translation(*_numbers(data.split(), 2))


def _read_rigid(data: str) -> Affine:
    angle, x, y = map(_single, _numbers(data.split(), 3))
    cos, sin = math.cos(angle), math.sin(angle)
    return cos, sin, -sin, cos, x, y


def _read_similarity(data: str) -> Affine:
    cos, sin, x, y = map(_single, _numbers(data.split(), 4))
    return cos, sin, -sin, cos, x, y


def _integer(word: str, low: int) -> int:
    try:
        value = int(word)
    except ValueError:
        raise ValueError(f"the data holds '{word}' where a whole number is needed") from None
    if value < low:
        raise ValueError(f"the data holds {value} where at least {low} is needed")
    return value


def _head(data: str, count: int) -> tuple[list[str], list[str]]:
    """Return the first `count` words of `data` and the rest."""
    words = data.split()
    if len(words) < count:
        raise ValueError("the data is too short")
    return words[:count], words[count:]


def _read_nonlinear(data: str) -> Function:
    (dimension_word, length_word), rest = _head(data, 2)
    dimension, length = _integer(dimension_word, 1), _integer(length_word, 1)
    if length != (dimension + 1) * (dimension + 2) // 2:
        raise ValueError(f"{length} features do not fit the dimension {dimension}")
    values = np.array(_numbers(rest, 4 * length + 2))
    beta = values[: 2 * length].reshape(length, 2)
    mean, deviation = values[2 * length : -2].reshape(2, length)
    if (deviation[:-1] == 0).any():
        raise ValueError("the data holds a deviation of 0")
    powers = [(j, i - j) for i in range(1, dimension + 1) for j in range(i, -1, -1)]

    def function(points: Points) -> Points:
        x, y = points[:, 0], points[:, 1]
        result = np.tile(NONLINEAR_CONSTANT * beta[-1], (len(points), 1))
        for k, (i, j) in enumerate(powers):
            feature = (x**i * y**j - mean[k]) / deviation[k]
            result += feature[:, None] * beta[k]
        return result

    return function


def _read_polynomial(data: str) -> Function:
    words = data.split()
    count = len(words) // 2
    order = (math.isqrt(8 * count + 1) - 3) // 2
    if count < 1 or len(words) % 2 or (order + 1) * (order + 2) // 2 != count:
        raise ValueError(f"{len(words)} numbers are not the coefficients of two polynomials")
    coefficients = np.array(_numbers(words)).reshape(2, count)
    powers = [(i - j, j) for i in range(order + 1) for j in range(i + 1)]

    def function(points: Points) -> Points:
        x, y = points[:, 0], points[:, 1]
        result = np.zeros_like(points)
        for (i, j), coefficient in zip(powers, coefficients.T, strict=True):
            result += (x**i * y**j)[:, None] * coefficient
        return result

    return function


def _read_spline(data: str) -> Function:
    (kernel, dims, count_word, affine_text, landmarks_text), rest = _head(data, 5)
    count = _integer(count_word, 1)
    if kernel != "ThinPlateSplineR2LogR" or dims != "2" or rest:
        raise ValueError("only ThinPlateSplineR2LogR of two dimensions is known")
    values = _doubles(landmarks_text, 4 * count)
    landmarks, weights = values[: 2 * count].reshape(count, 2), values[2 * count :].reshape(2, -1)
    linear = np.zeros(6) if affine_text == "null" else _doubles(affine_text, 6)

    def function(points: Points) -> Points:
        result = points + points @ linear[:4].reshape(2, 2).T + linear[4:]
        for landmark, weight in zip(landmarks, weights.T, strict=True):
            squared = ((points - landmark) ** 2).sum(axis=1)
            kernel_value = 0.5 * squared * np.log(np.where(squared > 0, squared, 1.0))
            result += kernel_value[:, None] * weight
        return result

    return function


def spline_transform(source: Points, target: Points) -> Transform:
    """Return the thin plate spline that sends `source` to `target`, (N, 2) each, exactly.

    The classical spline of two dimensions (Bookstein 1989, DOI 10.1109/34.24792) in the form that
    TrakEM2 reads. Raises ValueError if the points are too few or on one line.
    """
    count = len(source)
    solved = np.linalg.solve(spline_system(source), np.concatenate((target, np.zeros((3, 2)))))
    weights, shift, linear = solved[:count], solved[count], solved[count + 1 :].T - np.eye(2)
    affine_text = _packed([*linear.ravel(), *shift])
    landmarks_text = _packed([*source.ravel(), *weights.T.ravel()])
    data = f"ThinPlateSplineR2LogR 2 {count} {affine_text} {landmarks_text}"
    return Transform(PREFIX + "ThinPlateSplineTransform", data)


def spline_system(source: Points) -> Points:
    """Return the matrix (N + 3, N + 3) whose solution is a thin plate spline: kernel, then plane.

    Raises ValueError if the points are on one line.
    """
    squared = ((source[:, None] - source[None]) ** 2).sum(axis=-1)
    kernel = 0.5 * squared * np.log(np.where(squared > 0, squared, 1.0))
    plane = np.column_stack((np.ones(len(source)), source))
    if np.linalg.matrix_rank(plane) < 3:
        raise ValueError("the points are on one line")
    return np.block([[kernel, plane], [plane.T, np.zeros((3, 3))]])


def _packed(values: Sequence[float]) -> str:
    content = np.array(values, dtype=">f8").tobytes()
    return base64.b64encode(zlib.compress(content)).decode()


def _doubles(text: str, count: int) -> Points:
    """Return `count` big-endian doubles from base64, zlib-compressed unless it starts with @."""
    if count > MAX_SPLINE_VALUES:
        raise ValueError(f"{count} values are more than a spline may have")
    try:
        if text.startswith("@"):
            content = base64.b64decode(text[1:], validate=True)
        else:
            unpacker = zlib.decompressobj()
            content = unpacker.decompress(base64.b64decode(text, validate=True), 8 * count + 1)
    except (binascii.Error, zlib.error):
        raise ValueError("the base64 data cannot be unpacked") from None
    if len(content) != 8 * count:
        raise ValueError(f"the base64 data does not hold {count} numbers")
    values = np.frombuffer(content, dtype=">f8").astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("the data holds a number that is not finite")
    return values


def _read_least_squares(data: str, precision: type) -> Function:
    (model, dims, alpha_word), rest = _head(data, 3)
    if model not in _FITS or dims != "2":
        raise ValueError(f"'{model} {dims}' is not a model of two dimensions that can be fitted")
    alpha = _numbers([alpha_word])[0]
    if len(rest) % 5:
        raise ValueError("the data does not hold five numbers a point")
    table: np.ndarray = np.array(_numbers(rest), dtype=precision).reshape(-1, 5)
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
_AFFINE_READERS: dict[str, Callable[[str], Affine]] = {
    AFFINE_CLASS: _read_affine,
    PREFIX + "TranslationModel2D": _read_translation,
    PREFIX + "RigidModel2D": _read_rigid,
    PREFIX + "SimilarityModel2D": _read_similarity,
}
_READERS: dict[str, Callable[[str], Function]] = {
    PREFIX + "NonLinearCoordinateTransform": _read_nonlinear,
    "lenscorrection.NonLinearTransform": _read_nonlinear,
    PREFIX + "PolynomialTransform2D": _read_polynomial,
    PREFIX + "ThinPlateSplineTransform": _read_spline,
    PREFIX + "MovingLeastSquaresTransform": functools.partial(
        _read_least_squares, precision=np.float64
    ),
    PREFIX + "MovingLeastSquaresTransform2": functools.partial(
        _read_least_squares, precision=np.float32
    ),
}
