"""Create the TrakEM2 project of each frozen section that has none.

In:  the frozen configuration in FOLDER/frozen.
Out: FOLDER/00042.xml for the section z = 42, and so on, and a receipt. A project that is there,
     as created or saved by a person, as .xml or .xml.gz, is never written, moved or deleted.
     Beside them, once, a script for Fiji that goes from section to section.
"""

import argparse
import sys
from pathlib import Path

from crossreg.crossmodal.freeze.frozen import required_frozen
from crossreg.crossmodal.trakem2.projects import create_missing, create_script
from crossreg.io.files import write_text
from crossreg.io.plurals import counted
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--registration", type=Path, required=True, metavar="FOLDER", help="folder of this name"
    )
    parser.add_argument("--output", type=Path, required=True, help="receipt to write")
    return parser


def main(options: argparse.Namespace) -> None:
    """Create the projects."""
    frozen = required_frozen(options.registration)
    created = create_missing(options.registration, frozen)
    create_script(options.registration, frozen)
    count = len(frozen.sections)
    log.info(
        "%s: %s, %d created now.",
        options.registration,
        counted(count, "project"),
        len(created),
    )
    print(f"projects to open in TrakEM2: {options.registration}", flush=True)
    write_text(options.output, "".join(f"{entry.stem}\n" for entry in frozen.sections))


if __name__ == "__main__":
    sys.exit(run(parser(), main))
