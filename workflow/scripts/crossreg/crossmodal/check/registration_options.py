"""Options that the commands on a registration's folder share."""

import argparse
from pathlib import Path

from crossreg.crossmodal.check.checked_section import Policy


def add_registration(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which registration it is and where its stacks are."""
    parser.add_argument("--parameters", type=Path, required=True, help="the JSON parameter file")
    parser.add_argument("--stacks", type=Path, help="folder of stacks; default: the Render service")
    parser.add_argument(
        "--registration", type=Path, required=True, metavar="FOLDER", help="folder of this name"
    )


def add_project_policy(parser: argparse.ArgumentParser) -> None:
    """Add the options on what counts as an error in a saved project; the first is the default."""
    _add_choice(
        parser,
        "--common-motion",
        ("canvas", "error", "any"),
        "all LM tiles moved together: correct what a resized canvas does, nothing, or any affine",
    )
    _add_choice(
        parser,
        "--new-transforms",
        ("error", "accept"),
        "coordinate transforms that the person added",
    )
    _add_choice(
        parser,
        "--unreadable-projects",
        ("error", "recover"),
        "projects that TrakEM2 saved as broken XML: refuse them, or read the tiles all the same",
    )
    _add_choice(
        parser,
        "--saved-copies",
        ("error", "newest"),
        "projects saved under another name: a finding, or the newest file of a section counts",
    )
    _add_choice(
        parser,
        "--landmark-model",
        ("similarity", "affine", "thin_plate"),
        "motion that a table of landmarks gives; thin_plate needs --new-transforms accept",
    )
    _add_choice(
        parser, "--landmark-units", ("px", "nm", "um"), "units of the points in tables of landmarks"
    )
    parser.add_argument(
        "--confirmed-sections",
        type=float,
        nargs="*",
        default=[],
        metavar="Z",
        help="z of sections that are right although nothing in them was moved",
    )


def project_policy(options: argparse.Namespace) -> Policy:
    """Return the policy that the options of `add_project_policy` say."""
    return Policy(
        common_motion=options.common_motion,
        new_transforms=options.new_transforms,
        unreadable_projects=options.unreadable_projects,
        saved_copies=options.saved_copies,
        confirmed_sections=tuple(options.confirmed_sections),
        landmark_model=options.landmark_model,
        landmark_units=options.landmark_units,
    )


def add_reports(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where trakem2_check wrote its reports."""
    parser.add_argument(
        "--reports",
        type=Path,
        metavar="FOLDER",
        help="reports of trakem2_check: projects that did not change since are not read again",
    )


def add_import_policy(parser: argparse.ArgumentParser) -> None:
    """Add the options on what to do about incomplete work; the first is the default."""
    _add_choice(
        parser,
        "--missing-sections",
        ("error", "skip", "keep"),
        "sections that nobody saved: stop, leave them out, or take their tiles unchanged",
    )
    _add_choice(
        parser,
        "--faulty-sections",
        ("error", "skip"),
        "sections whose project has errors: stop, or leave them out",
    )
    _add_choice(
        parser,
        "--outside-bounds",
        ("skip", "keep"),
        "EM tiles that are in no project: leave them out, or take them unchanged",
    )


def _add_choice(
    parser: argparse.ArgumentParser, option: str, values: tuple[str, ...], text: str
) -> None:
    parser.add_argument(
        option, choices=values, default=values[0], help=f"{text} (default: {values[0]})"
    )
