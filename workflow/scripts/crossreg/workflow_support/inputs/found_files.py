"""Which files and image stores lie in a folder."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import UserError
from crossreg.io.files import TEMPORARY_PREFIX
from crossreg.io.images.image_suffixes import IMAGE_SUFFIXES, STORE_MARKS, STORE_SUFFIX


def find_files(folder: Path | str, without: Iterable[Path | str] = ()) -> list[str]:
    """Return all files and image stores below `folder`, sorted, except hidden ones.

    A store (a folder that is one image) counts as a file: nothing in it is looked at. So does a
    folder that is named as an image and holds none, so that its cycle is told to be faulty.
    Symbolic links are followed, each folder once; what is below `without` is left out. Raises
    UserError if `folder` is no folder.
    """
    if not os.path.isdir(folder):
        raise UserError(f"{folder}: there is no such folder; correct the key 'images'.")
    visited = {os.path.realpath(other) for other in without}
    found: list[str] = []
    waiting = [os.fspath(folder)]
    while waiting:
        parent = waiting.pop()
        real = os.path.realpath(parent)
        if real in visited:
            continue
        visited.add(real)
        with _listing_told(parent), os.scandir(parent) as entries:
            listed = [(entry.name, entry.path, entry.is_dir()) for entry in entries]
        is_store = any(name in STORE_MARKS for name, _, _ in listed)
        is_empty = not any(is_folder or is_image(path) for _, path, is_folder in listed)
        if parent != os.fspath(folder) and (is_store or (is_empty and is_image_name(parent))):
            found.append(parent)
            continue
        for name, path, is_folder in listed:
            if is_folder and name.lower().endswith(STORE_SUFFIX):
                found.append(path)
            elif not name.startswith("."):
                (waiting if is_folder else found).append(path)
    return sorted(found)


@contextlib.contextmanager
def _listing_told(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{folder}: the folder cannot be read ({error.strerror}); correct its permissions."
        ) from None


def is_image(path: str) -> bool:
    """Return whether a file that `find_files` returned is one, judged by its name."""
    if os.path.basename(path).startswith(TEMPORARY_PREFIX):
        return False
    return is_image_name(path) or os.path.isdir(path)


def is_image_name(path: str) -> bool:
    """Return whether a path ends as images and stores do."""
    suffix = os.path.splitext(path)[1].lower()
    return suffix in IMAGE_SUFFIXES or suffix == STORE_SUFFIX


def files_beside(samples: Iterable[Sample]) -> list[str]:
    """Return all images in the folders of these samples, sorted; of folders that can be read."""
    found: list[str] = []
    for folder in {os.path.dirname(sample.path) for sample in samples}:
        with contextlib.suppress(OSError):
            found += (os.path.join(folder, name) for name in os.listdir(folder) if name[0] != ".")
    return sorted(filter(is_image, found))
