"""What every reader gives: the series of a file, and single planes of them on demand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.generic]
PixelSize = tuple[float | None, float | None, float | None]
UNKNOWN_SIZE: PixelSize = (None, None, None)
SeriesMetadata = tuple[str, tuple[str, ...], PixelSize]
"""Name, names of channels, pixel size of a series."""


@dataclass(frozen=True)
class Series:
    """One image of a file: times x channels x planes of equal size.

    Attributes
    ----------
    name : str
        As the file calls it; may be empty.
    shape_tczyx : tuple of int
        Times, channels, planes, rows, columns.
    dtype : numpy.dtype
        Of the pixels, in the byte order of this machine.
    channels : tuple of str
        Their names, in order; empty where the file has none.
    pixel_size_um : tuple
        Distance of planes, rows, columns (z, y, x) in micrometres; None where the file does not
        say it.
    fault : str
        Why no stack can be taken from it ("its axes are ..."); empty if one can.
    remark : str
        What a user should know of how it was read; empty if there is nothing.

    """

    name: str
    shape_tczyx: tuple[int, int, int, int, int]
    dtype: np.dtype[np.generic]
    channels: tuple[str, ...] = ()
    pixel_size_um: PixelSize = UNKNOWN_SIZE
    fault: str = ""
    remark: str = ""


class ImageFile(Protocol):
    """An open file or store. Readers are in the modules beside this one, one a format."""

    @property
    def format(self) -> str:
        """Return the name of the format, for people: "OME-TIFF"."""
        ...

    @property
    def series(self) -> Sequence[Series]:
        """Return all images of the file, in its order."""
        ...

    def planes(
        self, series: int, time: int, channel: int, indices: Sequence[int], threads: int = 1
    ) -> Iterator[Plane]:
        """Yield planes (Y, X) of a series, in the order of `indices`.

        Each is valid until the next one is asked for. No more than these planes is in memory,
        and what the file packs together with one of them.
        """
        ...


def size_or_none(value: object) -> float | None:
    """Return a size that a file states as a positive finite number; None for anything else."""
    try:
        size = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return size if 0 < size < float("inf") else None


MICROMETRES = {
    "nm": 1e-3,
    "nanometer": 1e-3,
    "nanometre": 1e-3,
    "µm": 1.0,
    "μm": 1.0,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "mm": 1e3,
    "millimeter": 1e3,
    "millimetre": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "m": 1e6,
    "meter": 1e6,
    "angstrom": 1e-4,
    "å": 1e-4,
    "inch": 25400.0,
    "pm": 1e-6,
}


def in_um(value: object, unit: str | None) -> float | None:
    """Return a length in micrometres; None for one without a known unit, or no positive number."""
    size = size_or_none(value)
    factor = MICROMETRES.get((unit or "").strip().lower())
    return None if size is None or factor is None else size * factor
