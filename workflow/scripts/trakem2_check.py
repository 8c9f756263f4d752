"""Check the TrakEM2 projects that a person saved against the frozen configuration.

In:  the folder of a registration, FOLDER: its projects and FOLDER/frozen; the JSON parameter
     file; the EM stack, to see whether it changed since. Nothing of it is changed.
Out: for each section a page for people and a JSON file with all findings and the motion of
     every tile; a table over the sections, as TSV and as text. In a TSV cells that are not
     known are empty. Findings are no failure of this command: see trakem2_verdict.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from crossreg.crossmodal.check.check_report import (
    SectionReport,
    report_record,
    report_text,
    section_report,
    table_row,
    table_text,
    table_tsv,
    verdict_line,
    with_rigid_warnings,
    with_scores,
)
from crossreg.crossmodal.check.findings import NOTE, Finding, folder_findings, stack_changes
from crossreg.crossmodal.check.motion_table import TileMap, motion_rows, table_of_motions
from crossreg.crossmodal.check.registration_options import (
    add_project_policy,
    add_registration,
    project_policy,
)
from crossreg.crossmodal.check.saved_sections import SavedSection, copies_of, saved_sections
from crossreg.crossmodal.freeze.frozen import (
    Frozen,
    check_request,
    pixel_size,
    required_frozen,
)
from crossreg.crossmodal.freeze.parameters import read_parameters
from crossreg.crossmodal.render.stack_places import store_of
from crossreg.crossmodal.render.stack_store import StackStore
from crossreg.io.errors import UserError
from crossreg.io.files import write_json, write_text
from crossreg.workflow_support.command import log, new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    parser = new_parser(__doc__)
    add_registration(parser)
    add_project_policy(parser)
    parser.add_argument(
        "--reports", type=Path, required=True, metavar="FOLDER", help="folder for the reports"
    )
    parser.add_argument("--table", type=Path, required=True, help="table (TSV) to write")
    parser.add_argument(
        "--motions",
        type=Path,
        required=True,
        help="table (TSV) of the motion of every tile to write",
    )
    parser.add_argument("--text", type=Path, required=True, help="the table as text to write")
    return parser


def main(options: argparse.Namespace) -> None:
    """Write the reports, one section after the other, and the table."""
    parameters = read_parameters(options.parameters)
    frozen = required_frozen(options.registration)
    check_request(options.registration, frozen, parameters)
    live = LiveStack(store_of(parameters, options.stacks, str(options.parameters)), frozen)
    shutil.rmtree(options.reports, ignore_errors=True)
    policy = project_policy(options)
    reports: list[SectionReport] = []
    motions: list[dict[str, Any]] = []
    origin = frozen["bounds"]["minX"], frozen["bounds"]["minY"]
    for section in saved_sections(options.registration, frozen, policy):
        report = section_report(section, live.changes(section), pixel_size(frozen))
        if report.motion is not None:
            maps = [TileMap(tile, origin) for tile in section.checked.tiles]
            motions += motion_rows(section.stem, section.z, maps, pixel_size(frozen))
        reports.append(report.without_tiles_as_frozen())
    reports = with_rigid_warnings(reports)
    for report in reports:
        stem = options.reports / report.section.stem
        write_json(f"{stem}.json", report_record(report))
        write_text(f"{stem}.txt", report_text(report))
    rows = with_scores([table_row(report) for report in reports])
    of_folder = findings_of_folder(options.registration, frozen) + live.unknown
    write_json(options.reports / "folder.json", [one.to_record() for one in of_folder])
    write_text(options.motions, table_of_motions(motions))
    write_text(options.table, table_tsv(rows))
    write_text(options.text, table_text(rows, of_folder))
    log.info("'%s': %s", frozen["name"], verdict_line(rows))


def findings_of_folder(folder: Path, frozen: Frozen) -> list[Finding]:
    """Return the notes on files that are neither projects nor saved copies of them."""
    stems = [entry["stem"] for entry in frozen["sections"]]
    names = [path.name for path in folder.iterdir()]
    copies = [one.path.name for found in copies_of(folder, frozen).values() for one in found]
    return [one for one in folder_findings(names, stems, copies) if not one.section]


class LiveStack:
    """The EM stack as it is now, compared section by section with what was frozen."""

    def __init__(self, store: StackStore, frozen: Frozen) -> None:
        """Take the stack of the frozen configuration from the place where it is."""
        self._store, self._stack = store, frozen["inputStack"]
        self.unknown: list[Finding] = []
        """Why the stack could not be compared, if so."""

    def changes(self, section: SavedSection) -> list[Finding]:
        """Return a note if the stack has other tiles now; the import uses the frozen ones."""
        if self.unknown:
            return []
        try:
            now = self._store.section(self._stack, section.z)
        except UserError as error:
            found, advice = str(error).rstrip("."), "nothing: the import uses the frozen tiles"
            expected = f"stack {self._stack}, to see whether it changed"
            self.unknown.append(Finding(NOTE, "stack_unknown", "", expected, found, advice))
            return []
        frozen_tiles = section.record["resolvedTiles"][self._stack]
        return stack_changes(section.stem, self._stack, frozen_tiles, now)


if __name__ == "__main__":
    sys.exit(run(parser(), main))
