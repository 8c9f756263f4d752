"""Freeze what shapes the TrakEM2 projects of a registration, once for each name.

In:  the JSON parameter file; the stacks, in a folder or in the Render web service that it names.
Out: the frozen configuration in FOLDER/frozen, and a report. A frozen configuration that is
     there is never changed: if the parameters now say something else, the command stops and
     names each difference.
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crossreg import __version__
from crossreg.crossmodal.check.registration_options import add_project_policy, project_policy
from crossreg.crossmodal.freeze.freezing import freeze
from crossreg.crossmodal.freeze.frozen import (
    check_request,
    check_start,
    read_frozen,
    required_frozen,
)
from crossreg.crossmodal.freeze.frozen_summary import frozen_summary
from crossreg.crossmodal.freeze.parameters import (
    Parameters,
    described_parameters,
    read_parameters,
    unused_warning,
)
from crossreg.crossmodal.freeze.records import Frozen
from crossreg.crossmodal.freeze.sections_and_box import listed
from crossreg.crossmodal.freeze.starts import starts_from
from crossreg.crossmodal.render.stack_places import STACKS_KEY, check_folder, store_of
from crossreg.io.errors import UserError
from crossreg.io.files import write_text
from crossreg.io.registration_folders import is_registration
from crossreg.io.schema import nearest
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    parser = new_parser(f"{__doc__}\nKeys of the parameter file:\n{described_parameters()}")
    parser.add_argument("--parameters", type=Path, required=True, help="the JSON parameter file")
    parser.add_argument("--stacks", type=Path, help="folder of stacks; default: the Render service")
    parser.add_argument("--name", required=True, help="name of the registration")
    parser.add_argument(
        "--registration", type=Path, required=True, metavar="FOLDER", help="folder of this name"
    )
    parser.add_argument(
        "--allow-loading", action="store_true", help="take stacks that are still being written"
    )
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="FOLDER",
        help="folder of another registration: the sections start with the motions found there",
    )
    add_project_policy(parser)
    parser.add_argument("--output", type=Path, required=True, help="report to write")
    return parser


def main(options: argparse.Namespace) -> None:
    """Freeze, or verify what is frozen, and report."""
    parameters = read_parameters(options.parameters)
    unused = unused_warning(parameters)
    if unused:
        log.warning("%s: %s", options.parameters, unused)
    check_start_folder(options)
    frozen = read_frozen(options.registration)
    if frozen is None:
        frozen = frozen_now(options, parameters)
    else:
        check_request(options.registration, frozen, parameters)
        check_start(options.registration, frozen, start_name(options))
    lines, warnings = frozen_summary(options.registration, frozen)
    print("\n".join(lines), flush=True)
    for warning in warnings:
        log.warning("%s", warning)
    write_text(options.output, "\n".join([*lines, *(f"WARNING: {w}" for w in warnings), ""]))


def frozen_now(options: argparse.Namespace, parameters: Parameters) -> Frozen:
    """Return the frozen configuration, made from the stacks as they are now."""
    store = store_of(parameters, options.stacks, str(options.parameters))
    check_folder(store, STACKS_KEY)
    info: dict[str, Any] = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "crossreg": __version__,
    }
    if options.stacks is None:
        info |= {"host": parameters.host, "port": parameters.port}
    else:
        info["folder"] = str(options.stacks)
    stack, other = parameters.input_stack, options.start_from
    return freeze(
        options.registration,
        options.name,
        parameters,
        store,
        info,
        allow_loading=options.allow_loading,
        starts=starts_from(other, stack, project_policy(options)) if other else None,
    )


def check_start_folder(options: argparse.Namespace) -> None:
    """Raise UserError if `start_from` names the registration itself, or none."""
    other = options.start_from
    if other is None:
        return
    if other.resolve() == options.registration.resolve():
        raise UserError(
            f"start_from: '{other.name}' is this registration itself; name the one to start from,"
            " or choose another 'name' for this one."
        )
    if not is_registration(other):
        there = sorted(one.name for one in other.parent.glob("*") if is_registration(one))
        like = nearest(other.name, there)
        meant = f"did you mean '{like}'?" if like else f"there are: {listed(there) or 'none'}."
        raise UserError(
            f"start_from: there is no registration '{other.name}' in {other.parent}; correct the"
            f" key start_from; {meant}"
        )


def start_name(options: argparse.Namespace) -> str | None:
    """Return the name of the registration that the sections start from, if any."""
    return required_frozen(options.start_from).name if options.start_from else None


if __name__ == "__main__":
    sys.exit(run(parser(), main))
