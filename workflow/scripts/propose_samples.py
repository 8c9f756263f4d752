"""Propose the sheet of samples that a folder of images suggests, to be looked at and corrected.

In: a folder. Out: a sheet (.tsv) with a line per stack, and what was assumed. Headers are read, no
pixels. An existing sheet is never overwritten.
"""

import argparse
import dataclasses
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from crossreg.fiducial.experiment.proposed_sheet import proposed_samples
from crossreg.io.errors import UserError
from crossreg.io.files import write_text
from crossreg.io.images.image_file import Series
from crossreg.io.images.open_image import open_image
from crossreg.io.plurals import counted
from crossreg.io.sheet import COLUMNS, sheet_text
from crossreg.workflow_support.for_scripts.chosen_outputs import check_new
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run
from crossreg.workflow_support.inputs.found_files import find_files, is_image


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("folder", type=Path, help="folder of images, searched with its sub-folders")
    parser.add_argument(
        "--output", type=Path, default=Path("samples.tsv"), help="sheet to write (samples.tsv)"
    )
    parser.add_argument(
        "--file-names", help="how the files are named, such as Exp_{roi}_round{cycle}.tif"
    )
    return parser


def main(options: argparse.Namespace) -> None:
    """Read the headers, write the sheet, say what was assumed and what to do next."""
    check_new(options.output, overwrite=None)
    images = described(options.folder)
    proposal = proposed_samples(images, options.file_names)
    if not proposal.samples:
        raise UserError(f"{options.folder}: no image there can be registered; see above why.")
    below = os.path.abspath(options.output.parent)
    samples = [
        dataclasses.replace(sample, path=os.path.relpath(sample.path, below))
        for sample in sorted(proposal.samples)
    ]
    write_text(options.output, sheet_text(samples, COLUMNS))
    rois = {sample.roi for sample in samples}
    cycles = Counter(sample.cycle for sample in samples)
    print(
        f"{options.output}: {counted(len(samples), 'stack')} of {counted(len(rois), 'ROI')},"
        f" {counted(len(cycles), 'cycle')}."
    )
    for sentence in proposal.assumed:
        print(f"- {sentence}")
    reference = cycles.most_common(1)[0][0]
    print(
        "Look at the sheet, correct it, and write a configuration:\n"
        f"    samples: {options.output}\n    fiducial: {{reference: {reference!r}}}"
        f"\n    results: {folder_beside(options.folder)}"
    )


def folder_beside(images: Path) -> Path:
    """Return a folder for results beside that of the images: none of theirs is looked through."""
    absolute = Path(os.path.abspath(images))
    return absolute.with_name(f"{absolute.name}_registered")


def described(folder: Path) -> dict[str, Sequence[Series]]:
    """Return what each image of a folder holds: path -> series; say which cannot be read."""
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder; check the path.")
    found: dict[str, Sequence[Series]] = {}
    for path in filter(is_image, find_files(folder)):
        try:
            with open_image(path) as file:
                found[path] = tuple(file.series)
        except UserError as error:
            log.warning("%s", error)
    return found


if __name__ == "__main__":
    sys.exit(run(parser(), main))
