"""Read the headers of all stacks and report every problem at once.

In: the sheet of samples. Out: a report, one line a problem. The exit status is 1 if there is one.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from crossreg.fiducial.experiment.parameters import add_options
from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import UserError
from crossreg.io.sheet import read_sheet
from crossreg.io.stacks import (
    StackHeader,
    check_block_fits,
    check_same_pixel_size,
    check_same_size,
    read_header,
)
from crossreg.io.words import counted
from crossreg.workflow_support.command import log, new_parser, run

PARAMETERS = ("blockSize", "blockSizeXY", "alignByBlock")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="sheet of all samples (.tsv)")
    parser.add_argument("--reference", required=True, help="name of the reference cycle")
    add_options(parser, PARAMETERS)
    return parser


def main(options: argparse.Namespace) -> int:
    """Check all stacks and say how many are sound."""
    samples = read_sheet(options.samples)
    faults = list(problems(samples, options))
    for fault in faults:
        log.error("%s", fault)
    print(f"{counted(len(samples), 'stack')} checked, {counted(len(faults), 'problem')}.")
    return 1 if faults else 0


def problems(samples: list[Sample], options: argparse.Namespace) -> Iterator[str]:
    """Yield a sentence for every stack that cannot be read or does not fit its reference."""
    headers: dict[tuple[str, str], StackHeader] = {}
    for sample in samples:
        try:
            header = read_header(sample.path)
            check_block_fits(header, options.blockSizeXY, "blockSizeXY", sample.path)
            if options.alignByBlock:
                check_block_fits(header, options.blockSize, "blockSize", sample.path)
            headers[sample.roi, sample.cycle] = header
        except UserError as error:
            yield str(error)
    for sample in samples:
        reference = headers.get((sample.roi, options.reference))
        header = headers.get((sample.roi, sample.cycle))
        if reference and header:
            try:
                check_same_size(reference, header, sample.path)
                check_same_pixel_size(reference, header, sample.path)
            except UserError as error:
                yield str(error)


if __name__ == "__main__":
    sys.exit(run(parser(), main))
