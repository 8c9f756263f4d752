"""Print the table over the sections of a registration; exit with status 1 if any has errors.

In:  the table of trakem2_check as text, and the reports of the sections.
Out: the text, the errors and warnings, and the name of each section with errors, on the terminal.
"""

import argparse
import sys
from pathlib import Path

from crossreg.crossmodal.check.check_report import told_findings
from crossreg.crossmodal.check.section_record import read_sections
from crossreg.io.files import read_text
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run

MOST_NAMED = 10
"""Sections with errors that are named one by one."""


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    parser = new_parser(__doc__)
    parser.add_argument("--text", type=Path, required=True, help="table of trakem2_check as text")
    parser.add_argument(
        "--reports", type=Path, required=True, metavar="FOLDER", help="folder of the reports"
    )
    return parser


def main(options: argparse.Namespace) -> int:
    """Return the exit status."""
    # Absolute, since a run with --directory works elsewhere than where its user stands.
    reports = options.reports.resolve()
    sections = read_sections(reports)
    lines = [read_text(options.text), *(f"{line}\n" for line in told_findings(sections, reports))]
    print("".join(lines), end="", flush=True)
    faulty = [one.section for one in sections if one.faulty]
    for stem in faulty[:MOST_NAMED]:
        log.error("section %s has errors: %s says which.", stem, reports / f"{stem}.txt")
    if len(faulty) > MOST_NAMED:
        log.error("%d more sections have errors: see %s.", len(faulty) - MOST_NAMED, reports)
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(run(parser(), main))
