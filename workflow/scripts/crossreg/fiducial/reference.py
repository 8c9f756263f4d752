"""The reference stack, prepared once a ROI and used by all its cycles."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crossreg.arrays import told_if_damaged
from crossreg.fiducial.binned import binned_stack
from crossreg.files import whole


@dataclass(frozen=True)
class Reference:
    """What the cycles of a ROI need of the reference.

    `stack` are the kept planes (Z, Y, X), `binned` the same binned, and
    `block_size_xy` is the edge of a block in px.
    """

    stack: np.ndarray
    binned: np.ndarray
    block_size_xy: int


def prepare_reference(stack: np.ndarray, *, block_size_xy: int, threads: int = 1) -> Reference:
    """Return the prepared reference for kept planes (Z, Y, X)."""
    with ThreadPoolExecutor(threads) as pool:
        binned = binned_stack(stack, pool)
    return Reference(np.ascontiguousarray(stack), binned, block_size_xy)


def save_reference(path: Path | str, reference: Reference) -> None:
    """Write a reference to `path`, whole or not at all: three NumPy arrays, one after another."""
    with whole(path) as temporary, temporary.open("wb") as file:
        for values in (reference.stack, reference.binned, np.array(reference.block_size_xy)):
            np.save(file, values)


def load_reference(path: Path | str) -> Reference:
    """Return the reference that `save_reference` wrote; its stack is mapped from the file.

    Raises UserError if the file is damaged.
    """
    with told_if_damaged(path), Path(path).open("rb") as file:
        stack = np.load(path, mmap_mode="r")
        file.seek(stack.offset + stack.nbytes)
        return Reference(stack, np.load(file), int(np.load(file)))
