"""LIF files of Leica microscopes, through the package liffile."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import liffile
import numpy as np

from crossreg.io.errors import UserError
from crossreg.io.images.image_file import PixelSize, Plane, Series

AXES = "TCZYX"


class LifImages:
    """A LIF file; each of its images is a series."""

    format = "LIF"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = liffile.LifFile(path)
        try:
            self._images: list[Any] = list(self._file.images)
            if not self._images:
                raise UserError(f"{path}: the file holds no image; copy or save it again.")
            held = path.stat().st_size
            self.series = tuple(_series(image, held) for image in self._images)
        except BaseException:
            self._file.close()
            raise

    def planes(
        self, series: int, time: int, channel: int, indices: Sequence[int], threads: int = 1
    ) -> Iterator[Plane]:
        """Yield planes (Y, X) in the order of `indices`."""
        image = self._images[series]
        index = {"T": time, "C": channel}
        for z in indices:
            position = {axis: (index | {"Z": z})[axis] for axis in image.dims if axis in "TCZ"}
            yield np.asarray(image.frame(**position)).reshape(self.series[series].shape_tczyx[3:])

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _series(image: Any, held: int) -> Series:
    sizes = dict(image.sizes)
    others = [axis for axis, size in sizes.items() if axis not in AXES and size > 1]
    fault = ""
    if others or tuple(image.dims[-2:]) != ("Y", "X"):
        fault = f"the axes are {''.join(sizes)}; one stack of grey planes (Z, Y, X) is needed"
    shape = tuple(int(sizes.get(axis, 1)) for axis in AXES)
    dtype = np.dtype(image.dtype).newbyteorder("=")
    if not fault and np.prod(shape, dtype=float) * dtype.itemsize > held:
        fault = f"the image '{image.name}' is cut off or damaged; copy the file again"
    return Series(
        image.name,
        (shape[0], shape[1], shape[2], shape[3], shape[4]),
        dtype,
        _channels(image),
        _pixel_size(image),
        fault,
    )


def _channels(image: Any) -> tuple[str, ...]:
    names = image.coords.get("C")
    return () if names is None else tuple(str(name) for name in names)


def _pixel_size(image: Any) -> PixelSize:
    """Return the distances of planes, rows and columns; LIF states positions in metres."""
    sizes: list[float | None] = []
    for axis in "ZYX":
        positions = image.coords.get(axis)
        step = (
            abs(float(positions[1] - positions[0]))
            if positions is not None and len(positions) > 1
            else 0.0
        )
        sizes.append(step * 1e6 if step > 0 else None)
    return (sizes[0], sizes[1], sizes[2])
