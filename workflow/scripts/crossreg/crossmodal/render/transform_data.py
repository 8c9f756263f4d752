"""One coordinate transform as TrakEM2 and Render write it, and the numbers in its data."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from crossreg.crossmodal.affine import Points

PREFIX = "mpicbg.trakem2.transform."

Function = Callable[[Points], Points]


class Transform(NamedTuple):
    """One coordinate transform as both formats write it."""

    class_name: str
    data: str


def numbers(words: Sequence[str], count: int | None = None) -> list[float]:
    """Return finite numbers from `words`; ValueError if there are not `count` of them."""
    if count is not None and len(words) != count:
        raise ValueError(f"the data holds {len(words)} numbers where {count} are needed")
    try:
        values = [float(word) for word in words]
    except ValueError:
        raise ValueError("the data holds something that is not a number") from None
    if not all(math.isfinite(value) for value in values):
        raise ValueError("the data holds a number that is not finite")
    return values


def integer(word: str, low: int) -> int:
    """Return the whole number that a word says; ValueError if it is none, or below `low`."""
    try:
        value = int(word)
    except ValueError:
        raise ValueError(f"the data holds '{word}' where a whole number is needed") from None
    if value < low:
        raise ValueError(f"the data holds {value} where at least {low} is needed")
    return value


def head(data: str, count: int) -> tuple[list[str], list[str]]:
    """Return the first `count` words of `data` and the rest."""
    words = data.split()
    if len(words) < count:
        raise ValueError("the data is too short")
    return words[:count], words[count:]
