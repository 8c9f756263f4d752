"""Numbers of ROIs: tables carry one beside the name, which may be text."""

import re
from collections.abc import Iterable

from crossreg.io.errors import UserError

LONGEST_NUMBER = 18
NUMBER_AT_END = re.compile(r"[0-9]{1,18}$")


def roi_called(wanted: str, names: Iterable[str]) -> str | None:
    """Return the name of the ROI that a person or a table means; None if there is none.

    `wanted` is the name itself, or else the ROI's number however it is spelt: 3, 003 and 3.0 are
    "pos3" and "003". A name that is a number goes before the number of another name.
    """
    numbers = numbers_of_rois(names)
    if wanted in numbers:
        return wanted
    try:
        number = float(wanted)
    except ValueError:
        return None
    named = [name for name in numbers if _is_number(name) and int(name) == number]
    numbered = [name for name in numbers if numbers[name] == number]
    return next(iter([*named, *numbered]), None)


def rois_in_words(names: Iterable[str], most: int = 20) -> str:
    """Return the names of ROIs for a message, each with its number where it is none itself."""
    numbers = numbers_of_rois(names)
    shown = [
        name if _is_number(name) else f"{name} ({number})"
        for name, number in sorted(numbers.items())[:most]
    ]
    return ", ".join(shown)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= LONGEST_NUMBER


def numbers_of_rois(names: Iterable[str]) -> dict[str, int]:
    """Return a number for each ROI: what its name says, else its rank among the names.

    "005" is 5. If a name is no number, the numbers at the ends of all names count where they
    differ ("pos3" is 3), so that a further ROI changes none; else they are counted from 1 in
    alphabetical order. Raises UserError if one ROI is written in two ways ("1" and "001").
    """
    unique = sorted(set(names))
    if all(map(_is_number, unique)):
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
