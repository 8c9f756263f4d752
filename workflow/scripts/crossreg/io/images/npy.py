"""NumPy files (.npy): one stack (Z, Y, X), or one plane."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from crossreg.io.errors import UserError
from crossreg.io.images.image_file import Plane, Series


class NpyFile:
    """A .npy file, read through a memory map."""

    format = "NumPy"

    def __init__(self, path: Path) -> None:
        try:
            # Pickled objects would run code of the file.
            self._array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OverflowError):
            raise UserError(
                f"{path}: this is no whole NumPy array of numbers; save or copy it again."
            ) from None
        shape = self._array.shape
        fault = ""
        if len(shape) not in (2, 3):
            fault = f"the array has {len(shape)} axes; one stack (Z, Y, X) is needed"
            shape = (1, 1, 1)
        planes, rows, columns = (1, *shape) if len(shape) == 2 else shape
        dtype = self._array.dtype.newbyteorder("=")
        self.series = (Series("", (1, 1, planes, rows, columns), dtype, fault=fault),)

    def planes(
        self, series: int, time: int, channel: int, indices: Sequence[int], threads: int = 1
    ) -> Iterator[Plane]:
        """Yield planes (Y, X) in the order of `indices`."""
        stack = self._array if self._array.ndim == 3 else self._array[None]
        for index in indices:
            yield stack[index].astype(self.series[0].dtype)

    def close(self) -> None:
        """Let go of the file."""
        del self._array
