"""Samples that can be worked with: usable names and paths, one stack a cycle, a reference a ROI."""

import os
import re
from collections.abc import Iterable

from crossreg.fiducial.experiment.roi_numbers import numbers_of_rois
from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import UserError

# ROI and cycle become parts of file names, so they may not lead out of the results folder.
SAFE_NAME = re.compile(r"\w[\w|.+-]*")
# Bytes; leaves room for prefixes and suffixes below the 255 that file systems allow.
LONGEST_NAME = 100
# Snakemake takes what stands in braces for a wildcard, and a command what starts with - for an
# option; control signs and halves of signs (names that are not UTF-8) cannot stand in tables.
UNUSABLE_PATH = re.compile(r"^-|[{}\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


def check_samples(samples: Iterable[Sample], reference: str, key: str) -> None:
    """Raise UserError if names, paths or links are unusable, or files and references do not fit.

    `key` is what the user calls the parameter that names the reference.
    No two files may be of one cycle, no stack of two, and every ROI needs its reference.
    """
    files: dict[tuple[str, str], Sample] = {}
    stacks: dict[tuple[str, str], Sample] = {}
    cycles: dict[str, set[str]] = {}
    for sample in samples:
        check_path(sample.path, sample.origin)
        if os.path.islink(sample.path) and not os.path.exists(sample.path):
            raise UserError(
                f"{sample.origin}: this is a link to {os.readlink(sample.path)}, which is not"
                " there; mount its disk, or remove the link."
            )
        _check_name(sample.roi, "ROI", sample.origin)
        _check_name(sample.cycle, "cycle", sample.origin)
        other = files.setdefault((sample.roi.lstrip("0"), sample.cycle), sample)
        if other is not sample:
            raise UserError(
                f"{sample.origin}: ROI {sample.roi}, cycle {sample.cycle} is also in"
                f" {other.origin}; keep one of the two."
            )
        other = stacks.setdefault((sample.path, sample.image), sample)
        if other is not sample:
            raise UserError(
                f"{sample.origin}: the same stack is also ROI {other.roi}, cycle {other.cycle};"
                " correct one of the two."
            )
        cycles.setdefault(sample.roi, set()).add(sample.cycle)
    numbers_of_rois(cycles)
    without = [roi for roi, names in sorted(cycles.items()) if reference not in names]
    if without:
        names = sorted(set().union(*cycles.values()))
        raise UserError(
            f"The reference cycle {reference} is missing in ROI {', '.join(without[:10])}; add its"
            f" file, leave the ROI out with the key 'rois', or correct {key}"
            f" (cycles there are: {', '.join(names[:20])})."
        )


def check_path(path: str, called: str = "") -> None:
    """Raise UserError if a path cannot stand in the workflow's rules, tables or commands.

    `called` is what the error calls it, if not by the path alone.
    """
    if UNUSABLE_PATH.search(path):
        raise UserError(
            f"{called or path}: a path must not start with '-' nor hold curly braces, line ends or"
            " signs that are not UTF-8; rename the file or folder."
        )


def _check_name(name: str, kind: str, origin: str) -> None:
    if not SAFE_NAME.fullmatch(name) or len(name.encode()) > LONGEST_NAME:
        raise UserError(
            f"{origin}: the {kind} is named '{name[:LONGEST_NAME]}'; use letters, digits and the"
            f" signs _ | . + -, at most {LONGEST_NAME} bytes, no sign first."
        )
