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
from dataclasses import replace
from pathlib import Path

from crossreg.crossmodal.check.check_report import (
    report_text,
    table_row,
    table_text,
    table_tsv,
    verdict_line,
)
from crossreg.crossmodal.check.checked_section import Section
from crossreg.crossmodal.check.finding import NOTE, Finding
from crossreg.crossmodal.check.folder_findings import folder_findings, stack_changes
from crossreg.crossmodal.check.motion.motion_table import TileMap, motion_head, motion_lines
from crossreg.crossmodal.check.registration_options import (
    add_project_policy,
    add_registration,
    project_policy,
)
from crossreg.crossmodal.check.saved_sections import Registration
from crossreg.crossmodal.check.section_record import (
    FOLDER_RECORD,
    record_file,
    section_of_record,
    section_to_record,
    with_findings,
    write_record,
)
from crossreg.crossmodal.check.stack_findings import compared
from crossreg.crossmodal.freeze.frozen import check_request, required_frozen
from crossreg.crossmodal.freeze.parameters import read_parameters
from crossreg.crossmodal.freeze.records import Frozen, FrozenSection
from crossreg.crossmodal.render.stack_places import store_of
from crossreg.crossmodal.render.stack_store import StackStore
from crossreg.io.errors import UserError
from crossreg.io.files import read_json, whole, write_json, write_text
from crossreg.io.registration_folders import check_outside
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run


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
    check_outside(options.table)
    parameters = read_parameters(options.parameters)
    frozen = required_frozen(options.registration)
    check_request(options.registration, frozen, parameters)
    live = LiveStack(store_of(parameters, options.stacks, str(options.parameters)), frozen)
    shutil.rmtree(options.reports, ignore_errors=True)
    registration = Registration(options.registration, frozen, project_policy(options))
    sections: list[Section] = []
    with whole(options.motions) as temporary, temporary.open("w", encoding="utf-8") as motions:
        motions.write(motion_head())
        for key, one, found in registration.keyed_sections():
            section = replace(found, further=tuple(live.changes(one)))
            if section.motion is not None:
                maps = [TileMap(tile, frozen.origin) for tile in section.tiles]
                motions.write(motion_lines(section.section, section.z, maps, frozen.pixel_size))
            write_record(options.reports, section_to_record(section, key))
            write_page(options.reports, section)
            sections.append(section.summary())
    sections = write_comparison(options.reports, sections)
    of_folder = findings_of_folder(registration) + live.unknown
    write_json(options.reports / FOLDER_RECORD, [one.to_record() for one in of_folder])
    write_text(options.table, table_tsv([table_row(section) for section in sections]))
    write_text(options.text, table_text(sections, of_folder))
    log.info("'%s': %s", frozen.name, verdict_line(sections))


def write_comparison(reports: Path, sections: list[Section]) -> list[Section]:
    """Return the sections as compared with each other; what that finds goes into their reports."""
    after = compared(sections)
    for before, section in zip(sections, after, strict=True):
        if section.further != before.further:
            record = read_json(record_file(reports, section.section))
            record = with_findings(record, section)
            write_record(reports, record)
            write_page(reports, section_of_record(record))
    return after


def write_page(reports: Path, section: Section) -> None:
    """Write the report of a section for people."""
    write_text(reports / f"{section.section}.txt", report_text(section), durable=False)


def findings_of_folder(registration: Registration) -> list[Finding]:
    """Return the notes on files that are neither projects nor saved copies of them."""
    stems = [entry.stem for entry in registration.frozen.sections]
    names = [path.name for path in registration.folder.iterdir()]
    copies = [one.path.name for found in registration.copies().values() for one in found]
    return [one for one in folder_findings(names, stems, copies) if not one.section]


class LiveStack:
    """The EM stack as it is now, compared section by section with what was frozen."""

    def __init__(self, store: StackStore, frozen: Frozen) -> None:
        """Take the stack of the frozen configuration from the place where it is."""
        self._store, self._stack = store, frozen.input_stack
        self.unknown: list[Finding] = []
        """Why the stack could not be compared, if so."""

    def changes(self, section: FrozenSection) -> list[Finding]:
        """Return a note if the stack has other tiles now; the import uses the frozen ones."""
        if self.unknown:
            return []
        try:
            now = self._store.section(self._stack, section.z)
        except UserError as error:
            found, advice = (
                str(error).rstrip("."),
                "no action needed: the import uses the frozen tiles",
            )
            expected = f"stack {self._stack}, to see whether it changed"
            self.unknown.append(Finding(NOTE, "stack_unknown", "", expected, found, advice))
            return []
        return stack_changes(section.section, self._stack, section.em_tiles, now)


if __name__ == "__main__":
    sys.exit(run(parser(), main))
