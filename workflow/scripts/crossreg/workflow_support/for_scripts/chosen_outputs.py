"""Which places commands must not write to: registrations by hand, their own inputs, files there."""

import argparse
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from crossreg.io.errors import UserError
from crossreg.io.registration_folders import check_outside, is_registration

OUTPUTS = (
    "output",
    "picture",
    "pictures",
    "reports",
    "motions",
    "text",
    "gaps",
    "json",
    "preview",
    "log",
)
"""Names of the options of all commands whose value is a path to write to."""


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Add the option --overwrite of commands that a person runs; see `check_new`."""
    parser.add_argument(
        "--overwrite", action="store_true", help="replace what is there under that name"
    )


def check_outputs(options: argparse.Namespace) -> None:
    """Raise UserError if a command would write into a registration by hand, or over its input."""
    given = vars(options)
    inputs = [path for name, value in given.items() if name not in OUTPUTS for path in paths(value)]
    for name in OUTPUTS:
        for output in paths(given.get(name)):
            check_outside(output)
            if any(is_same(output, one) for one in inputs):
                raise UserError(
                    f"{output}: this is an input of the command; choose another --{name}."
                )


def check_new(path: Path, overwrite: bool | None) -> None:
    """Raise UserError if a path exists and may not be replaced, or is beside registrations.

    For commands that a person runs. Whatever lies in a folder that has only registrations would
    be one of them, or become part of one.
    """
    check_not_beside(path)
    check_absent(path, overwrite)


def check_not_beside(path: Path) -> None:
    """Raise UserError if a path is in a folder of registrations."""
    for folder in path.resolve().parents:
        if holds_registrations(folder):
            raise UserError(
                f"{path}: {folder} is the folder of registrations; choose a place elsewhere."
            )


def check_absent(path: Path, overwrite: bool | None) -> None:
    """Raise UserError if a path exists, unless it is a file that may be replaced.

    `overwrite` is None for a command that never replaces a file.
    """
    if os.path.lexists(path) and not (overwrite and path.is_file()):
        how = "" if overwrite is None or path.is_dir() else ", or add --overwrite to replace it"
        raise UserError(f"{path}: it exists already; choose another name{how}.")


def check_not_among_stacks(folder: Path | str, stacks: Iterable[str]) -> None:
    """Raise UserError if a folder for pyHiM lies beside or below stacks: it would find its files.

    pyHiM takes whatever has a known name in any sub-folder for its own.
    """
    below = Path(os.path.realpath(folder))
    for parent in dict.fromkeys(map(os.path.dirname, stacks)):
        if below.is_relative_to(os.path.realpath(parent)):
            raise UserError(
                f"{folder}: this is inside the folder of the stacks, {parent}, where pyHiM, which"
                " searches all sub-folders, would take the exported files for its own; move the"
                " folder of the results to another place and give that with the key 'results'"
                " (nothing is registered again)."
            )


def holds_registrations(folder: Path) -> bool:
    """Return whether all folders in a folder are registrations; hidden ones do not count."""
    try:
        inside = [one for one in folder.iterdir() if one.is_dir() and one.name[:1] != "."]
    except OSError:
        return False
    return bool(inside) and all(is_registration(one) for one in inside)


def paths(value: Any) -> Iterator[Path]:
    """Yield the paths in the value of an option."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, Iterable) and not isinstance(value, str):
        yield from (one for one in value if isinstance(one, Path))


def is_same(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one file or folder, also by links."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
