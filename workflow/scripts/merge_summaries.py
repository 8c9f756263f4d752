"""Put the summaries of all ROIs into one.

In: the summaries (ROI.tsv). Out: a TSV, ROI by ROI, in the order of their numbers; if asked
for, also the table that ends a run.
"""

import argparse
import sys
from pathlib import Path

from crossreg.fiducial.closing_table import summary_text
from crossreg.fiducial.experiment.roi_numbers import numbers_of_rois
from crossreg.fiducial.summary import read_summaries, write_summaries
from crossreg.io.files import write_text
from crossreg.workflow_support.for_scripts.script_main import new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--summaries", type=Path, nargs="*", default=[], help="summaries of the ROIs (.tsv)"
    )
    parser.add_argument("--output", type=Path, required=True, help="summary to write (.tsv)")
    parser.add_argument("--text", type=Path, help="table for reading to write (.txt)")
    return parser


def main(options: argparse.Namespace) -> None:
    """Read in the order of ROIs, write; a ROI with a reference only has no summary."""
    numbers = numbers_of_rois(path.stem for path in options.summaries)
    paths = sorted(options.summaries, key=lambda path: numbers[path.stem])
    summaries = [one for path in paths for one in read_summaries(path)]
    write_summaries(options.output, summaries)
    if options.text:
        write_text(options.text, f"{summary_text(summaries)}\n")


if __name__ == "__main__":
    sys.exit(run(parser(), main))
