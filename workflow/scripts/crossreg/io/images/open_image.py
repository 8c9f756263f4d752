"""Opening of image files of any format, with every fault told in one plain sentence."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from crossreg.io.errors import UserError
from crossreg.io.images.image_file import ImageFile
from crossreg.io.images.image_suffixes import is_store

DESCRIPTIONS = (".ome", ".xml", ".inf", ".index")
"""Endings of files that lie beside images and describe them."""
INSTALL_FORMATS = "pip install -r envs/requirements-formats.txt"


class _Reader(ImageFile, Protocol):
    def close(self) -> None: ...


@contextlib.contextmanager
def open_image(path: Path | str) -> Iterator[ImageFile]:
    """Yield an open image file or store of any format; read nothing but its description.

    Raises UserError, also for faults in the block: the file is missing, cut off, damaged or of an
    unknown kind, or it is changed while it is read.
    """
    path = Path(path)
    kind, reader = _reader(path)
    with faults_told(path, kind), _unchanged(path), contextlib.closing(reader(path)) as file:
        yield file


def _reader(path: Path) -> tuple[str, Callable[[Path], _Reader]]:
    """Return the name of a file's format, and its reader. Their libraries are loaded only here."""
    if path.is_dir():
        if is_store(path):
            from crossreg.io.images.ome_zarr import OmeZarrStore

            return "OME-Zarr store", OmeZarrStore
        raise UserError(
            f"{path}: this is no file that can be read as an image, nor an OME-Zarr store;"
            " correct the path."
        )
    if os.path.lexists(path) and not path.is_file():
        raise UserError(f"{path}: this is no file that can be read as an image; correct the path.")
    suffix = path.suffix.lower()
    if suffix in DESCRIPTIONS:
        raise UserError(
            f"{path}: this file describes others; give the path of an image that it describes."
        )
    if suffix == ".npy":
        from crossreg.io.images.npy import NpyFile

        return "NumPy file", NpyFile
    if suffix == ".dax":
        from crossreg.io.images.dax import DaxFile

        return "DAX file", DaxFile
    if suffix in (".nd2", ".czi", ".lif"):
        return _vendor_reader(path, suffix)
    from crossreg.io.images.tiff import TiffImages

    return "TIFF file", TiffImages


def _vendor_reader(path: Path, suffix: str) -> tuple[str, Callable[[Path], _Reader]]:
    try:
        if suffix == ".nd2":
            from crossreg.io.images.nikon_nd2 import Nd2Images

            return "ND2 file", Nd2Images
        if suffix == ".czi":
            from crossreg.io.images.zeiss_czi import CziImages

            return "CZI file", CziImages
        from crossreg.io.images.leica_lif import LifImages

        return "LIF file", LifImages
    except ImportError as error:
        raise UserError(
            f"{path}: to read {suffix} files, the package {error.name} is needed; install it with:"
            f" {INSTALL_FORMATS}"
        ) from None


@contextlib.contextmanager
def faults_told(path: Path, kind: str) -> Iterator[None]:
    """Raise UserError, in one sentence, for all that reading a damaged file may raise."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; check the path.") from None
    except OSError as error:
        if error.strerror is None:
            raise UserError(
                f"{path}: the {kind} is damaged or cut off ({error}); copy it again."
            ) from None
        raise UserError(f"{path}: the file cannot be read ({error.strerror}).") from None
    except Exception as error:
        if type(error).__name__ == "TiffFileError":
            raise UserError(
                f"{path}: this is not a TIFF file, or it is damaged; save or copy it again."
            ) from None
        # Decoders of damaged files raise anything, from struct.error to ZeroDivisionError.
        raise UserError(
            f"{path}: the {kind} is damaged or of an unsupported kind"
            f" ({type(error).__name__}: {error}); save it anew."
        ) from None


@contextlib.contextmanager
def _unchanged(path: Path) -> Iterator[None]:
    """Raise UserError if the file is written to while the block reads it."""
    before = os.stat(path)
    yield
    after = os.stat(path)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise UserError(
            f"{path}: the file was changed while it was read; wait until it is complete and run"
            " again."
        )
