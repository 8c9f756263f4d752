"""List the files that this configuration no longer makes, and remove them.

In: the sheet of samples and the results folder. Merged tables never hold rows of cycles and ROIs
that are no longer registered; only their own files are still there, in case they come back. So are
registered stacks of a format that was wanted before. Empty folders go with their files.
"""

import argparse
import contextlib
import shutil
import sys
from pathlib import Path

from crossreg.io.plurals import counted
from crossreg.io.sheet import read_sheet
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run
from crossreg.workflow_support.one_run.old_files import old_files


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="sheet of all samples (.tsv)")
    parser.add_argument("--reference", required=True, help="name of the reference cycle")
    parser.add_argument("--results", type=Path, required=True, help="results folder")
    parser.add_argument("--list", action="store_true", help="only list the files")
    return parser


def main(options: argparse.Namespace) -> None:
    """List, and remove unless told not to."""
    paths = old_files(options.results, read_sheet(options.samples), options.reference)
    for path in paths:
        log.info("%s%s", "" if options.list else "removed ", path)
        if not options.list:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
            with contextlib.suppress(OSError):
                path.parent.rmdir()
    removed = "" if options.list else " removed"
    print(f"{counted(len(paths), 'file')} that this configuration no longer makes{removed}.")


if __name__ == "__main__":
    sys.exit(run(parser(), main))
