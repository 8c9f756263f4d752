"""Cycles that could not be registered, and why: what a run hands to the steps that go on."""

import argparse
import csv
import io
from collections.abc import Mapping
from pathlib import Path

from crossreg.io.files import read_text, write_text


def add_missing_option(parser: argparse.ArgumentParser) -> None:
    """Add the option --missing, whose value is a file or None."""
    parser.add_argument(
        "--missing",
        type=Path,
        help="cycles that could not be registered: TSV with the columns roi, cycle, reason",
    )


def read_missing(path: Path | None) -> dict[tuple[str, str], str]:
    """Return why a (ROI, cycle) could not be registered, of those that could not; {} for None."""
    if path is None:
        return {}
    rows = csv.DictReader(io.StringIO(read_text(path)), delimiter="\t", quoting=csv.QUOTE_NONE)
    return {(row["roi"], row["cycle"]): row["reason"] for row in rows}


def write_missing(path: Path | str, reasons: Mapping[tuple[str, str], str]) -> None:
    """Write what `read_missing` reads, sorted; a reason comes on one line."""
    lines = ["\t".join((*key, " ".join(text.split()))) for key, text in sorted(reasons.items())]
    write_text(path, "\n".join(["roi\tcycle\treason", *lines, ""]))
