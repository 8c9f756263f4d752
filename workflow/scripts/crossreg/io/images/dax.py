"""DAX files of STORM and MERFISH set-ups: raw frames, described by an .inf or .xml beside them.

The format is that of HAL, the acquisition program of the Zhuang laboratory: uint16 (byte order as
stated) in frames of rows x columns, without a header.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from crossreg.io.errors import UserError
from crossreg.io.files import read_text
from crossreg.io.images.image_file import Plane, Series

DIMENSIONS = re.compile(r"frame dimensions\s*=\s*(\d+)\s*x\s*(\d+)")
FRAMES = re.compile(r"number of frames\s*=\s*(\d+)")
BYTE_ORDER = re.compile(r"data type\s*=.*?(big|little)\s*endian")


class DaxFile:
    """A .dax file whose frames are the planes of one stack."""

    format = "DAX"

    def __init__(self, path: Path) -> None:
        self._path = path
        rows, columns, frames, order = _described(path)
        held, rest = divmod(path.stat().st_size, max(1, rows * columns * 2))
        if rest or (frames is not None and frames != held):
            raise UserError(
                f"{path}: its description says {frames if frames is not None else 'whole'} frames"
                f" of {rows} x {columns} px, but the file holds {held}"
                f"{' and a part of one' if rest else ''}; copy it again."
            )
        self._dtype = np.dtype("uint16").newbyteorder(order)
        self.series = (Series("", (1, 1, held, rows, columns), np.dtype("uint16")),)
        self._file = path.open("rb")

    def planes(
        self, series: int, time: int, channel: int, indices: Sequence[int], threads: int = 1
    ) -> Iterator[Plane]:
        """Yield frames (Y, X) in the order of `indices`."""
        shape = self.series[0].shape_tczyx[3:]
        for index in indices:
            frame = np.empty(shape, self._dtype)
            self._file.seek(index * frame.nbytes)
            if self._file.readinto(frame.data) != frame.nbytes:
                raise UserError(f"{self._path}: frame {index} is cut off; copy the file again.")
            yield frame.astype("uint16", copy=False)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _described(path: Path) -> tuple[int, int, int | None, Literal["<", ">"]]:
    """Return rows, columns, frames (None if unsaid) and byte order ("<", ">") of a DAX file."""
    inf, xml = path.with_suffix(".inf"), path.with_suffix(".xml")
    if inf.is_file():
        text = read_text(inf)
        dimensions, frames = DIMENSIONS.search(text), FRAMES.search(text)
        # HAL writes columns x rows ("frame dimensions = 300 x 200" for 200 rows).
        size = (int(dimensions[2]), int(dimensions[1])) if dimensions else None
        order = BYTE_ORDER.search(text)
        big = order is not None and order[1] == "big"
        source, count = inf, int(frames[1]) if frames else None
    elif xml.is_file():
        from lxml import etree  # only few files need it

        root = etree.fromstring(xml.read_bytes(), etree.XMLParser(resolve_entities=False))
        x, y = (_number(root, f".//{axis}_pixels") for axis in "xy")
        size = (y, x) if x and y else None
        big, source = False, xml
        count = _number(root, ".//acquisition/number_frames") or _number(root, ".//frames")
    else:
        raise UserError(
            f"{path}: neither {inf.name} nor {xml.name}, which describe it, is beside it; copy"
            " one there."
        )
    if not size or min(size) < 1:
        raise UserError(f"{source}: it does not say the size of the frames; copy it again.")
    return *size, count, ">" if big else "<"


def _number(root: Any, path: str) -> int | None:
    text = root.findtext(path)
    return int(text) if text and text.strip().isdigit() else None
