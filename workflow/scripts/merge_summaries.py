"""Put the summaries of all ROIs into one.

In: the summaries (ROI.tsv). Out: a TSV, ROI by ROI, in the order of their numbers.
"""

import argparse
import sys
from pathlib import Path

from crossreg.fiducial.summary import read_summaries, write_summaries
from crossreg.workflow_support.command import new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--summaries", type=Path, nargs="*", default=[], help="summaries of the ROIs (.tsv)"
    )
    parser.add_argument("--output", type=Path, required=True, help="summary to write (.tsv)")
    return parser


def main(options: argparse.Namespace) -> None:
    """Read in the order of ROIs, write; a ROI with a reference only has no summary."""
    paths = sorted(options.summaries, key=lambda path: (int(path.stem), path.stem))
    write_summaries(options.output, [one for path in paths for one in read_summaries(path)])


if __name__ == "__main__":
    sys.exit(run(parser(), main))
