"""The file that says how far the cycles of an experiment deform; the target learn_motion writes it.

A person freezes it: copies it to a place of their own and names it as `motion`. It is checked where
Snakemake may stand alone: this module needs no numpy. JSON with the keys

| key | what |
|---|---|
| `format` | crossreg-motion/1 |
| `cycles`, `rois` | of how many it was learned |
| `pixel_size_um` | `xy` of a px, `z` of a kept plane; what is learned holds for this size only |
| `length_px` | correlation lengths of the deformation |
| `amplitude` | standard deviations of the deformation: px, along z kept planes |
| `weights_xy`, `weights_z` | how likely each is: a row per length, a number per amplitude |
"""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossreg.io.errors import UserError
from crossreg.io.files import read_json, write_text

MOTIONS = ("smooth", "rigid")
"""What a cycle may do where no file says more: deform smoothly, or move as a whole."""
FORMAT = "crossreg-motion/1"
AXES = ("xy", "z")
DECIMALS = 4
MOST_OFF = 0.02
"""How far the sum of the weights may be from 1: they are rounded."""
OTHER_SIZE = 0.05
"""Part by which pixel sizes may differ, as those that files say."""


def write_motion(path: Path | str, content: Mapping[str, Any]) -> None:
    """Write what was learned: a line a key, and a line a row of weights; whole or not at all."""
    lines = []
    for key, value in {"format": FORMAT, **content}.items():
        if key.startswith("weights"):
            rows = [json.dumps([round(number, DECIMALS) for number in row]) for row in value]
            text = "[\n    " + ",\n    ".join(rows) + "\n  ]"
        else:
            text = json.dumps(value)
        lines.append(f'  "{key}": {text}')
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def read_motion(path: Path | str) -> dict[str, Any]:
    """Return the content of a file that `write_motion` wrote; raise UserError if it is none."""
    if not Path(path).is_file():
        raise UserError(
            f"{path}: there is no such file, which 'motion' names; give smooth, rigid, or a copy of"
            " the file that the target learn_motion writes."
        )
    content = read_json(path)
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        told = f"it is of another version ({found})" if found else "it is none"
        raise UserError(
            f"{path}: 'motion' needs a file that the target learn_motion wrote, and {told}; make it"
            " anew and copy it here."
        )
    fault = _fault(content)
    if fault:
        raise UserError(
            f"{path}: {fault}; make the file anew with the target learn_motion and copy it here."
        )
    return dict(content)


def check_size(path: Path | str, sizes_um: Mapping[str, float]) -> None:
    """Raise UserError if a file was learned with other sizes of a px (xy) and a kept plane (z)."""
    learned = read_motion(path)["pixel_size_um"]
    for axis, name in (("xy", "a pixel"), ("z", "a kept plane")):
        if abs(learned[axis] / sizes_um[axis] - 1) > OTHER_SIZE:
            raise UserError(
                f"{path}: it was learned where {name} is {learned[axis]:g} um, and here it is"
                f" {sizes_um[axis]:g} um; run learn_motion on this experiment, or set 'motion' to"
                " smooth."
            )


def _fault(content: Mapping[str, Any]) -> str:
    """Return what is wrong with the numbers of a file; empty if nothing is."""
    sizes = content.get("pixel_size_um")
    if not isinstance(sizes, dict) or not all(_are_rising([sizes.get(axis)]) for axis in AXES):
        return "'pixel_size_um' must hold two numbers above 0, xy and z"
    for key in ("cycles", "rois"):
        if not _is_number(content.get(key)) or content[key] < 1:
            return f"'{key}' must be a whole number, at least 1"
    lengths: Any = content.get("length_px")
    amplitudes: Any = content.get("amplitude")
    if not _are_rising(lengths):
        return "'length_px' must be a list of numbers above 0, each above the one before"
    if not _are_rising(amplitudes, at_least=0.0):
        return "'amplitude' must be a list of numbers, none negative, each above the one before"
    for axis in AXES:
        if not _are_weights(content.get(f"weights_{axis}"), len(lengths), len(amplitudes)):
            return (
                f"'weights_{axis}' must hold {len(lengths)} lists of {len(amplitudes)} numbers,"
                " none negative, of sum 1"
            )
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_rising(values: Any, at_least: float = math.ulp(0.0)) -> bool:
    """Return whether this is a list of numbers from `at_least` on, each above the one before."""
    if not isinstance(values, list) or not values or not all(map(_is_number, values)):
        return False
    return bool(values[0] >= at_least) and all(b > a for a, b in itertools.pairwise(values))


def _are_weights(rows: Any, lengths: int, amplitudes: int) -> bool:
    """Return whether this is a list of so many lists of so many weights, of sum 1."""
    if not isinstance(rows, list) or len(rows) != lengths:
        return False
    if not all(isinstance(row, list) and len(row) == amplitudes for row in rows):
        return False
    numbers: Sequence[Any] = [number for row in rows for number in row]
    if not all(_is_number(number) and number >= 0 for number in numbers):
        return False
    return bool(abs(sum(numbers) - 1) <= MOST_OFF)
