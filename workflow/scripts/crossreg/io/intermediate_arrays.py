"""Arrays that a job leaves for others, with what they were made with.

A reader says what it expects, and refuses what was made with something else: left over from a run
with other parameters, or of another image.
"""

import contextlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crossreg.io.errors import DamagedResultError
from crossreg.io.files import stamp_of, whole

FORMAT = "crossreg-arrays/1"
"""Counts up when the meaning of arrays in files changes."""


@contextlib.contextmanager
def told_if_damaged(path: Path | str) -> Iterator[None]:
    """Raise UserError for what NumPy raises in the block when the file `path` is cut or spoilt.

    Errors of the operating system pass.
    """
    try:
        yield
    except (ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error):
        raise DamagedResultError(path, "the file is damaged") from None


def made_with(image: Path | str, parameters: Mapping[str, Any], stack: str = "") -> dict[str, Any]:
    """Return what arrays are made with: an image, by name, size and time stamp, and parameters.

    `stack` says which stack of the file is meant, where it holds several. The folder of the image
    does not count, so that files may move together.
    """
    described = {"image": Path(image).name, "size and time of the image": stamp_of(image)}
    return described | ({"stack of the image": stack} if stack else {}) | dict(parameters)


def save_arrays(
    path: Path | str, arrays: Sequence[np.ndarray], made_with: Mapping[str, Any]
) -> None:
    """Write arrays and what they were made with, whole or not at all.

    NumPy's format, one array after another; the first holds the text of a JSON object.
    """
    text = json.dumps({"format": FORMAT, **made_with}, sort_keys=True)
    with whole(path) as temporary, temporary.open("wb") as file:
        for values in (np.array(text), *arrays):
            np.save(file, values)


def load_arrays(path: Path | str, count: int, expected: Mapping[str, Any]) -> list[np.ndarray]:
    """Return the arrays that `save_arrays` wrote to `path`.

    Raises UserError if the file is damaged, of another format, or was made with something else
    than is `expected`; of what it was made with, only the keys of `expected` are looked at.
    """
    with told_if_damaged(path), Path(path).open("rb") as file:
        first = np.load(file)
        if first.dtype.kind != "U" or first.shape:
            raise DamagedResultError(path, "it was made by another version")
        found = json.loads(str(first))
        _check_made_with(path, found, {"format": FORMAT, **expected})
        return [np.load(file) for _ in range(count)]


def _check_made_with(path: Path | str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for key, value in wanted.items():
        if found.get(key) != value:
            there = "something else" if key not in found else repr(found[key])
            raise DamagedResultError(
                path, f"it was made with {key} {there}, but {value!r} is asked for here"
            )
