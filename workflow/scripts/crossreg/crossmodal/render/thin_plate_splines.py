"""Thin plate splines: read from the data that TrakEM2 writes, and made from pairs of points."""

import base64
import binascii
import zlib
from collections.abc import Sequence

import numpy as np

from crossreg.crossmodal.affine import Points
from crossreg.crossmodal.render.transform_data import PREFIX, Function, Transform, head, integer

# Larger than any real landmark set; a few bytes could otherwise unpack to fill the memory.
MAX_SPLINE_VALUES = 4_000_000


def read_spline(data: str) -> Function:
    """Return what the data of a ThinPlateSplineTransform does to points (N, 2).

    Raises ValueError if the data cannot be read.
    """
    (kernel, dims, count_word, affine_text, landmarks_text), rest = head(data, 5)
    count = integer(count_word, 1)
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
