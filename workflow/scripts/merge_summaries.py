"""Put the summaries of all ROIs into one.

In: the sheet of samples and the folder with the summaries (ROI.tsv). Out: a TSV, ROI by ROI.
"""

import argparse
import sys
from pathlib import Path

from crossreg.fiducial.summary import read_summaries, write_summaries
from crossreg.io.sheet import read_sheet
from crossreg.workflow_support.command import new_parser, run


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="sheet of all samples (.tsv)")
    parser.add_argument("--summaries", type=Path, required=True, help="folder with ROI.tsv")
    parser.add_argument("--reference", required=True, help="name of the reference cycle")
    parser.add_argument("--output", type=Path, required=True, help="summary to write (.tsv)")
    return parser


def main(options: argparse.Namespace) -> None:
    """Read in the order of ROIs, write; a ROI with a reference only has no summary."""
    samples = read_sheet(options.samples)
    rois = {sample.roi for sample in samples if sample.cycle != options.reference}
    parts = [
        read_summaries(options.summaries / f"{roi}.tsv")
        for roi in sorted(rois, key=lambda roi: (int(roi), roi))
    ]
    write_summaries(options.output, [summary for part in parts for summary in part])


if __name__ == "__main__":
    sys.exit(run(parser(), main))
