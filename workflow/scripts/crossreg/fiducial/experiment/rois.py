"""Numbers of ROIs: tables carry one beside the name, which may be text."""

import re
from collections.abc import Iterable

from crossreg.io.errors import UserError

LONGEST_NUMBER = 18
NUMBER_AT_END = re.compile(r"[0-9]{1,18}$")


def numbers_of_rois(names: Iterable[str]) -> dict[str, int]:
    """Return a number for each ROI: what its name says, else its place among the names.

    "005" is 5. If a name is no number, the numbers at the ends of all names count where they
    differ ("pos3" is 3), so that a further ROI changes none; else they are counted from 1 in
    alphabetical order. Raises UserError if one ROI is written in two ways ("1" and "001").
    """
    unique = sorted(set(names))
    if all(name.isascii() and name.isdigit() and len(name) <= LONGEST_NUMBER for name in unique):
        numbers = {name: int(name) for name in unique}
        first: dict[int, str] = {}
        for name, number in numbers.items():
            if number in first:
                raise UserError(
                    f"The ROIs '{first[number]}' and '{name}' are one ROI written in two ways;"
                    " write it alike everywhere."
                )
            first[number] = name
        return numbers
    ends = [NUMBER_AT_END.search(name) for name in unique]
    found = [int(end[0]) for end in ends if end]
    if len(set(found)) == len(unique):
        return dict(zip(unique, found, strict=True))
    return {name: number for number, name in enumerate(unique, start=1)}
