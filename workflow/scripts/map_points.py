"""Map points of the EM to where a registration by hand brings them, or back.

In:  a table (cells between tabs, semicolons or commas) with the columns stack, z, x and y: the
     name of a stack and px in its frame; the folder of a registration, FOLDER: its projects and
     FOLDER/frozen.
Out: the same table with the columns tile (the tile that a point belongs to), inside (whether the
     point lies in it), x_mapped and y_mapped. Points of LM stacks stay where they are. Where
     nothing is known of a section (not saved, or with errors), the new columns are empty.
"""

import argparse
import csv
import io
import math
import sys
from collections.abc import Iterator
from pathlib import Path

from crossreg.crossmodal.check.motion.motion_table import (
    ADDED_COLUMNS,
    POINT_COLUMNS,
    TileMap,
    fixed_point,
    mapped_point,
)
from crossreg.crossmodal.check.registration_options import add_project_policy, project_policy
from crossreg.crossmodal.check.saved_sections import Registration
from crossreg.crossmodal.freeze.frozen import required_frozen
from crossreg.crossmodal.freeze.records import Frozen
from crossreg.crossmodal.freeze.sections_and_box import described_range, listed
from crossreg.io.errors import UserError
from crossreg.io.files import read_text, write_text
from crossreg.io.plurals import counted
from crossreg.io.separators import separator_of
from crossreg.workflow_support.for_scripts.chosen_outputs import add_overwrite, check_new
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run

Points = list[dict[str, str]]


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    parser = new_parser(__doc__)
    parser.add_argument("--points", type=Path, required=True, help="table of points to map")
    parser.add_argument(
        "--registration", type=Path, required=True, metavar="FOLDER", help="folder of the projects"
    )
    add_project_policy(parser)
    parser.add_argument(
        "--back", action="store_true", help="from registered positions to those before"
    )
    parser.add_argument("--output", type=Path, required=True, help="table to write")
    add_overwrite(parser)
    return parser


def main(options: argparse.Namespace) -> None:
    """Map the points, section by section."""
    check_new(options.output, options.overwrite)
    frozen = required_frozen(options.registration)
    columns, points, delimiter = read_points(options.points)
    check_stacks(options.points, points, frozen)
    maps = dict(maps_of_sections(options, frozen, {float(one["z"]) for one in points}))
    for point in points:
        if point["stack"] == frozen.input_stack:
            point |= mapped_point(point, maps.get(float(point["z"]), []), options.back)
        else:
            point |= fixed_point(point)
    unknown = sum(not one["x_mapped"] for one in points)
    told = list(without_position(points, frozen))
    if points and unknown == len(points):
        raise UserError(f"{options.points}: no point has a position: {'; '.join(told)}.")
    for sentence in told:
        log.warning("%s: %s.", options.points, sentence)
    out = io.StringIO()
    writer = csv.DictWriter(
        out, [*columns, *ADDED_COLUMNS], delimiter=delimiter, lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(points)
    write_text(options.output, out.getvalue())
    mapped = counted(len(points) - unknown, "point")
    log.info("%s: %s mapped, %d without a position.", options.output, mapped, unknown)


def read_points(path: Path) -> tuple[list[str], Points, str]:
    """Return columns, rows and delimiter of a table of points; UserError if it is none."""
    lines = read_text(path).removeprefix("\ufeff").splitlines()
    delimiter = separator_of(lines[0] if lines else "")
    reader = csv.DictReader(lines, delimiter=delimiter)
    columns = list(reader.fieldnames or [])
    missing = [name for name in POINT_COLUMNS if name not in columns]
    taken = [name for name in ADDED_COLUMNS if name in columns]
    needed = ", ".join(POINT_COLUMNS)
    if missing:
        raise UserError(
            f"{path}: the table of points lacks the column '{missing[0]}'; it needs {needed}."
        )
    if taken:
        raise UserError(
            f"{path}: the table of points has the columns {', '.join(taken)} already, which the"
            f" result gets; remove or rename them. Read are {needed}: to map the result back, let"
            " x and y be what it has as x_mapped and y_mapped."
        )
    rows = list(reader)
    for number, row in enumerate(rows, start=2):
        if None in row:
            raise UserError(f"{path}: line {number} has more cells than the first; correct it.")
        wrong = next((name for name in ("z", "x", "y") if not is_finite(row[name])), None)
        if wrong:
            raise UserError(f"{path}: line {number}: {wrong} is no number; correct it.")
    return columns, rows, delimiter


def is_finite(text: str | None) -> bool:
    """Return whether a cell holds a number other than NaN and infinity."""
    try:
        return math.isfinite(float(text or ""))
    except ValueError:
        return False


def check_stacks(path: Path, points: Points, frozen: Frozen) -> None:
    """Raise UserError if a point is of a stack that the registration does not have."""
    known = [frozen.input_stack, *frozen.lm_stacks]
    for number, point in enumerate(points, start=2):
        if point["stack"] not in known:
            raise UserError(
                f"{path}: line {number}: there is no stack '{point['stack']}' in this registration,"
                f" but {', '.join(known)}."
            )


def without_position(points: Points, frozen: Frozen) -> Iterator[str]:
    """Yield why points got no position: their section is none of the registration, or not known."""
    lost = {float(one["z"]) for one in points if not one["x_mapped"]}
    known = {entry.z for entry in frozen.sections}
    absent, unsaved = sorted(lost - known), sorted(lost & known)
    if absent:
        there = described_range(sorted(known))
        yield f"z = {listed(absent)} is no section of '{frozen.name}', which has {there}"
    if unsaved:
        yield (
            f"z = {listed(unsaved)} is not saved in '{frozen.name}', or has errors, or the"
            " position cannot be found; see trakem2_check"
        )


def maps_of_sections(
    options: argparse.Namespace, frozen: Frozen, wanted: set[float]
) -> Iterator[tuple[float, list[TileMap]]]:
    """Yield z and the motions of the tiles of each wanted section that is saved without errors."""
    registration = Registration(options.registration, frozen, project_policy(options))
    for _, section in registration.sections():
        if section.z in wanted and not section.faulty:
            yield section.z, [TileMap(tile, frozen.origin) for tile in section.tiles]


if __name__ == "__main__":
    sys.exit(run(parser(), main))
