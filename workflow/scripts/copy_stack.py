"""Copy a stack between a Render web service and a folder, in either direction.

In:  a stack in one place; --from and --to take folder:PATH or http://HOST:PORT/OWNER/PROJECT.
Out: the same stack in the other place: raw tiles, references kept, with the same metadata and
     one more line in its versionNotes. Each section is read back and compared; the copy is
     COMPLETE only when all is there. A copy that stopped is continued by the same command.
"""

import argparse
import sys

from crossreg.crossmodal.registered.write_stack import marked_version, write_stack
from crossreg.crossmodal.render.stack_places import FORMS, check_folder, is_same_stack, open_store
from crossreg.crossmodal.render.stack_store import read_sections, source_metadata
from crossreg.io.errors import UserError
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    options = new_parser(__doc__)
    options.add_argument(
        "--from", dest="source", required=True, metavar="PLACE", help=f"where it is: {FORMS}"
    )
    options.add_argument(
        "--to", dest="target", required=True, metavar="PLACE", help=f"where to copy it: {FORMS}"
    )
    options.add_argument("--stack", required=True, help="name of the stack")
    options.add_argument("--as", dest="name", help="name of the copy; default: the same")
    options.add_argument("--zmin", type=float, help="first section to copy; default: the first")
    options.add_argument("--zmax", type=float, help="last section to copy; default: the last")
    options.add_argument(
        "--overwrite", action="store_true", help="replace a stack of that name by the copy"
    )
    options.add_argument(
        "--allow-loading", action="store_true", help="copy a stack that is still being written"
    )
    return options


def main(options: argparse.Namespace) -> None:
    """Copy the stack."""
    source = open_store(options.source)
    check_folder(source, "from")
    metadata = source_metadata(source, options.stack, options.allow_loading)
    target = open_store(options.target, metadata.get("stackId"))
    name = options.name or options.stack
    if is_same_stack(source, options.stack, target, name):
        raise UserError(
            f"{target.place}: the stack '{name}' is the one to copy; give the copy another name by"
            " --as, or another place."
        )
    mark = f"crossreg copy of {source.place} {options.stack}"
    written = write_stack(
        target,
        name,
        marked_version(metadata, mark),
        mark,
        read_sections(source, options.stack, options.zmin, options.zmax),
        hierarchical=metadata.get("hierarchicalData"),
        overwrite=options.overwrite,
    )
    log.info("%s", written.sentence())


if __name__ == "__main__":
    sys.exit(run(parser(), main))
