"""Arrays that a job left for others, read with one plain sentence for a damaged file."""

import contextlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from crossreg.io.errors import UserError


@contextlib.contextmanager
def told_if_damaged(path: Path | str) -> Iterator[None]:
    """Raise UserError for what NumPy raises in the block when the file `path` is cut or spoilt.

    Errors of the operating system pass.
    """
    try:
        yield
    except (ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error):
        raise UserError(f"{path}: the file is damaged; remove it and run again.") from None


def load_array(path: Path | str) -> np.ndarray:
    """Return the array of a .npy file; raise UserError if it is damaged."""
    with told_if_damaged(path):
        result: np.ndarray = np.load(path)
        return result
