"""Write the output stack from the TrakEM2 projects that a person saved.

In:  the folder of a registration, FOLDER: its projects and FOLDER/frozen; the JSON parameter
     file, which names the output stack. Nothing of it is changed.
Out: the output stack, and one for each sister stack, section by section read back and
     compared, COMPLETE only when all is there; a receipt. All sections are checked before
     anything is written. A run that stopped is continued by the same command.
"""

import argparse
import sys
from pathlib import Path

from crossreg.crossmodal.check.registration_options import (
    add_import_policy,
    add_project_policy,
    add_registration,
    add_reports,
    project_policy,
)
from crossreg.crossmodal.check.saved_sections import Registration
from crossreg.crossmodal.check.stack_findings import compared
from crossreg.crossmodal.freeze.frozen import check_request, required_frozen
from crossreg.crossmodal.freeze.parameters import read_parameters
from crossreg.crossmodal.registered.sections_to_import import (
    ImportPolicy,
    errors_that_stop,
    new_sections,
    outcome,
    refuse_incomplete,
    repeated_warnings,
)
from crossreg.crossmodal.registered.sister_stacks import check_names, moved_sections, sister
from crossreg.crossmodal.registered.write_stack import (
    frozen_mark,
    marked_version,
    write_stack,
)
from crossreg.crossmodal.render.stack_places import STACKS_KEY, check_folder, store_of
from crossreg.io.errors import UserError
from crossreg.io.files import write_text
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    parser = new_parser(__doc__)
    add_registration(parser)
    add_project_policy(parser)
    add_import_policy(parser)
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace an output stack that was not made from this frozen configuration",
    )
    parser.add_argument(
        "--sister-stack",
        nargs=2,
        action="append",
        default=[],
        metavar=("INPUT", "OUTPUT"),
        help="another stack of the same sections, and the stack of it with the same motion",
    )
    parser.add_argument(
        "--allow-loading",
        action="store_true",
        help="take sister stacks that are still being written",
    )
    add_reports(parser)
    parser.add_argument("--output", type=Path, required=True, help="receipt to write")
    return parser


def main(options: argparse.Namespace) -> None:
    """Check all sections, then write the stack."""
    parameters = read_parameters(options.parameters)
    frozen = required_frozen(options.registration)
    check_request(options.registration, frozen, parameters)
    stack = parameters.output_stack
    if stack is None:
        raise UserError(f"{options.parameters}: the key 'outputStack' is missing; add it.")
    policy = ImportPolicy(options.missing_sections, options.faulty_sections, options.outside_bounds)
    registration = Registration(
        options.registration, frozen, project_policy(options), options.reports
    )
    sections = compared(list(registration.summaries()))
    for error in errors_that_stop(sections, policy):
        log.error("%s", error)
    refuse_incomplete(frozen.name, sections, policy)
    for warning in repeated_warnings(sections, policy):
        log.warning("%s", warning)
    store = store_of(parameters, options.stacks, str(options.parameters))
    check_folder(store, STACKS_KEY)
    pairs = [(source, output) for source, output in options.sister_stack]
    check_names(pairs, frozen, stack)
    sisters = [
        sister(store, source, output, frozen, options.allow_loading) for source, output in pairs
    ]
    mark = frozen_mark(frozen.name, frozen.sha256)
    written = write_stack(
        store,
        stack,
        marked_version(frozen.em_metadata, mark),
        mark,
        new_sections(registration.sections(), frozen, policy),
        inputs=parameters.stacks,
        hierarchical=frozen.em_metadata.get("hierarchicalData"),
        overwrite=options.overwrite,
    )
    lines = [written.sentence(), outcome(sections, policy)]
    for one in sisters:
        sister_mark = f"{mark} {one.source}"
        written = write_stack(
            store,
            one.output,
            marked_version(one.metadata, sister_mark),
            sister_mark,
            moved_sections(one, store, registration.sections(), frozen, policy),
            inputs=[*parameters.stacks, one.source],
            overwrite=options.overwrite,
            hierarchical=one.metadata.get("hierarchicalData"),
        )
        lines.append(written.sentence())
        for remark in one.remarks():
            log.warning("%s", remark)
    for line in lines:
        log.info("%s", line)
    write_text(options.output, "".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    sys.exit(run(parser(), main))
