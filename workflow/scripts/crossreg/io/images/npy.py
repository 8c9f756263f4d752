"""NumPy files (.npy): one stack (Z, Y, X), or one plane; axes of length 1 may stand in front."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from crossreg.io.errors import UserError
from crossreg.io.images.image_file import Plane, Series


class NpyFile:
    """A .npy file. Its header is read through a memory map, its planes are not.

    What was seen of a map counts as memory of this process.
    """

    format = "NumPy"

    def __init__(self, path: Path) -> None:
        try:
            # Pickled objects would run code of the file.
            self._array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OverflowError):
            raise UserError(
                f"{path}: this is no whole NumPy array of numbers; save or copy it again."
            ) from None
        self._file = path.open("rb")
        shape = self._array.shape
        while len(shape) > 3 and shape[0] == 1:
            shape = shape[1:]
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
        shape = self.series[0].shape_tczyx[2:]
        for index in indices:
            if self._array.flags.c_contiguous:
                plane = np.empty(shape[1:], self._array.dtype)
                self._file.seek(self._array.offset + index * plane.nbytes)
                self._file.readinto(plane.data)  # the map has found the file to be long enough
            else:
                plane = self._array.reshape(shape)[index]
            yield plane.astype(self.series[0].dtype, copy=False)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        del self._array
