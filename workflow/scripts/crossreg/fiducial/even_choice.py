"""Some of many, evenly spread."""

import numpy as np
from numpy.typing import NDArray


def evenly_chosen(count: int, most: int) -> NDArray[np.int64]:
    """Return the numbers of `most` of `count` things at most, spread from first to last."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)
