"""Parameters as options of commands, named as in pyHiM's parameters.json."""

import argparse
from collections.abc import Sequence
from typing import Any

from crossreg.fiducial.experiment.parameters import PLAIN, PYHIM, SCHEMA_FILE, Parameters, by_key
from crossreg.io.files import read_json
from crossreg.io.schema import allowed


def add_options(parser: argparse.ArgumentParser, keys: Sequence[str]) -> None:
    """Add an option `--KEY` to `parser` for each key, described as in the schema.

    The option `--written-in` says by which names messages call them.
    """
    group = parser.add_argument_group("parameters, named as in pyHiM's parameters.json")
    known = by_key(read_json(SCHEMA_FILE))
    group.add_argument(
        "--written-in",
        choices=(PYHIM, PLAIN),
        default=PYHIM,
        help="which file the user wrote them in, whose names messages use (default: %(default)s)",
    )
    for key in keys:
        part = known[key]
        group.add_argument(
            f"--{key}",
            dest=key,
            type=_reader(part),
            default=part["default"],
            metavar=allowed(part).upper().replace(" ", "_") if "enum" not in part else None,
            choices=[str(choice) for choice in part["enum"]] if "enum" in part else None,
            help=f"{part['description']} (default: {part['default']})".replace("%", "%%"),
        )


def add_pixel_size_options(parser: argparse.ArgumentParser) -> None:
    """Add options for the pixel size of the experiment, with which that of a file is compared.

    They are `--pixel-size-xy`, `--pixel-size-z`, `--ignore-pixel-sizes` and `--resample-z`.
    """
    for axes, name in (("xy", "size of a pixel"), ("z", "distance of two planes")):
        parser.add_argument(
            f"--pixel-size-{axes}",
            type=float,
            help=f"{name}, in micrometres (default: what the files say)",
        )
    parser.add_argument(
        "--ignore-pixel-sizes", action="store_true", help="do not compare what the files say"
    )
    parser.add_argument(
        "--resample-z",
        action="store_true",
        help="bring planes that are another distance apart to those of the reference",
    )


def as_options(parameters: Parameters, keys: Sequence[str]) -> list[str]:
    """Return the command-line words that hand the keys' values to a script."""
    spelling = [] if parameters.written_in == PYHIM else [f"--written-in={parameters.written_in}"]
    return [f"--{key}={parameters[key]}" for key in keys] + spelling


def _reader(schema: dict[str, Any]) -> Any:
    """Return the function that reads an option's text as the schema's type."""
    readers = {"integer": int, "number": float, "boolean": _read_boolean}
    return readers.get(str(schema.get("type")), str)


def _read_boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"'{text}' is neither true nor false")
    return text.lower() == "true"
