"""The reference stack, prepared once a ROI and used by all its cycles."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crossreg.files import whole


@dataclass(frozen=True)
class Reference:
    """Kept planes (Z, Y, X) of the reference and the edge of its blocks in px."""

    stack: np.ndarray
    block_size_xy: int


def prepare_reference(stack: np.ndarray, *, block_size_xy: int, threads: int = 1) -> Reference:
    """Return what the cycles of a ROI need of the reference's kept planes (Z, Y, X)."""
    return Reference(np.ascontiguousarray(stack), block_size_xy)


def save_reference(path: Path | str, reference: Reference) -> None:
    """Write a reference to `path`, whole or not at all."""
    with whole(path) as temporary, temporary.open("wb") as file:
        np.savez(file, stack=reference.stack, block_size_xy=reference.block_size_xy)


def load_reference(path: Path | str) -> Reference:
    """Return the reference that `save_reference` wrote to `path`."""
    with np.load(path) as data:
        return Reference(data["stack"], int(data["block_size_xy"]))
