"""Which files and folders are images, judged by their names alone."""

import os
from pathlib import Path

TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".tf2", ".lsm", ".stk")
OTHER_SUFFIXES = (".npy", ".dax", ".nd2", ".czi", ".lif")
STORE_SUFFIX = ".zarr"
# What makes a folder an OME-Zarr store, whatever its name.
STORE_MARKS = frozenset({"zarr.json", ".zgroup", ".zattrs"})
IMAGE_SUFFIXES = (*TIFF_SUFFIXES, *OTHER_SUFFIXES)


def is_store(path: Path | str) -> bool:
    """Return whether a folder is an image store, by its name or by what lies in it."""
    if str(path).lower().rstrip("/").endswith(STORE_SUFFIX):
        return os.path.isdir(path)
    try:
        return not STORE_MARKS.isdisjoint(os.listdir(path))
    except OSError:
        return False
