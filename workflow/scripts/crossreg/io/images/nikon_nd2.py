"""ND2 files of Nikon microscopes, through the package nd2; positions are series."""

import math
import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nd2
import numpy as np
from numpy.typing import NDArray

from crossreg.io.errors import UserError
from crossreg.io.images.image_file import UNKNOWN_SIZE, PixelSize, Plane, Series, size_or_none
from crossreg.io.images.packed_sizes import check_image_size, check_inflated_size

TIME_STAMP_BYTES = 8
"""They stand in front of the pixels of a frame."""


class Nd2Images:
    """An ND2 file."""

    format = "ND2"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = nd2.ND2File(path)
        try:
            self._sizes = dict(self._file.sizes)
            self._loops = {
                tuple(index.get(axis, 0) for axis in "PTZ"): frame
                for frame, index in enumerate(self._file.loop_indices)
            }
            self.series = tuple(self._described())
        except BaseException:
            self._file.close()
            raise

    def planes(
        self, series: int, time: int, channel: int, indices: Sequence[int], threads: int = 1
    ) -> Iterator[Plane]:
        """Yield planes (Y, X) in the order of `indices`; a frame holds all channels of a plane."""
        shape = self.series[series].shape_tczyx
        for index in indices:
            frame = self._loops.get((series, time, index))
            if frame is None:
                raise UserError(
                    f"{self._path}: plane {index} is not in the file, whose acquisition was"
                    " stopped; leave it out, or save the part that is whole."
                )
            values = self._frame(frame, index).reshape(shape[1], *shape[3:])
            yield np.ascontiguousarray(values[channel])
            self._forget()

    def _forget(self) -> None:
        """Give back what was seen of the package's memory map: it counts as memory."""
        seen = getattr(self._file._rdr, "_mmap", None)
        if seen is not None and hasattr(mmap, "MADV_DONTNEED"):
            seen.madvise(mmap.MADV_DONTNEED)

    def _frame(self, frame: int, plane: int) -> NDArray[np.generic]:
        """Return a frame with all its channels; raise UserError if it is not in the file."""
        # The package hands out zeros for what is not there; it knows where each frame should be.
        reader: Any = self._file._rdr
        attributes = self._file.attributes
        if self._file.is_legacy:
            channels = attributes.channelCount or 1
            for channel in range(frame * channels, (frame + 1) * channels):
                most = attributes.heightPx * (attributes.widthPx or 0)
                check_image_size(reader._load_chunk(b"LUNK", channel), most)
            return self._file.read_frame(frame)
        name = f"ImageDataSeq|{frame}!".encode()
        offset, size = reader.chunkmap.get(name, (0, 0))
        if not offset or offset + size > self._path.stat().st_size:
            raise UserError(
                f"{self._path}: plane {plane} is missing in the file, which is cut off; copy it"
                " again."
            )
        if attributes.compressionType == "lossless":
            packed = reader._load_chunk(name)[TIME_STAMP_BYTES:]
            check_inflated_size(packed, attributes.heightPx * (attributes.widthBytes or 0))
        return self._file.read_frame(frame)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _described(self) -> Iterator[Series]:
        sizes = self._sizes
        dtype = np.dtype(self._file.dtype).newbyteorder("=")
        shape = (
            sizes.get("T", 1),
            sizes.get("C", 1),
            sizes.get("Z", 1),
            sizes["Y"],
            sizes["X"],
        )
        others = [axis for axis, size in sizes.items() if axis not in "PTCZYX" and size > 1]
        fault = "these are colour images; save grey values" if "S" in others else ""
        if others and not fault:
            fault = f"its axis '{others[0]}' is not read here; save one stack a file"
        channels = getattr(self._file.metadata, "channels", None) or []
        names = tuple(channel.channel.name for channel in channels)
        position = Series("", shape, dtype, names, _pixel_size(channels), fault)
        yield from [position] * sizes.get("P", 1)
        held = self._path.stat().st_size
        claimed = math.prod(shape) * dtype.itemsize * sizes.get("P", 1)
        compressed = self._file.attributes.compressionType is not None
        if claimed > held and not compressed:
            raise UserError(
                f"{self._path}: the file claims {claimed} bytes of pixels, but has {held}; it is"
                " cut off, copy it again."
            )


def _pixel_size(channels: Sequence[Any]) -> PixelSize:
    """Return the calibration (z, y, x), where the microscope was calibrated."""
    if not channels:
        return UNKNOWN_SIZE
    volume = channels[0].volume
    x, y, z = (
        size_or_none(size) if calibrated else None
        for size, calibrated in zip(volume.axesCalibration, volume.axesCalibrated, strict=True)
    )
    return z, y, x
