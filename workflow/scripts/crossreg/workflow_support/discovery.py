"""Which stacks make up an experiment: the fiducial stacks of ROIs x cycles."""

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from crossreg.fiducial.experiment.parameters import REQUIRED_GROUPS, Parameters, fiducial_channel
from crossreg.io.errors import UserError
from crossreg.io.files import TEMPORARY_PREFIX

IMAGE_SUFFIXES = (".tif", ".tiff")
# ROI and cycle become parts of file names, so they may not lead out of the results folder.
SAFE_NAME = re.compile(r"\w[\w|.+-]*")
# Bytes; leaves room for prefixes and suffixes below the 255 that file systems allow.
LONGEST_NAME = 100
# Snakemake takes what stands in braces for a wildcard, and a command what starts with - for an
# option; control signs and halves of signs (names that are not UTF-8) cannot stand in tables.
UNUSABLE_PATH = re.compile(r"^-|[{}\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, order=True)
class Sample:
    """The fiducial stack of one cycle of one ROI, and its global shift where the user gave one.

    The given shift (rows, columns; px) is text, so that it stays as it is through all files.
    `listed_in` names the line of the sheet that lists it, if one does.
    """

    roi: str
    cycle: str
    path: str
    channel: str = ""
    given_x: str = ""
    given_y: str = ""
    listed_in: str = field(default="", compare=False)

    @property
    def place(self) -> str:
        """Return where the sample comes from, for errors: the line of the sheet and the path."""
        return f"{self.listed_in}: {self.path}" if self.listed_in else self.path


@dataclass
class Discovered:
    """Fiducial stacks, and what was passed over: other channels, unmatched names, no images."""

    samples: list[Sample] = field(default_factory=list)
    other_channels: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    no_images: list[str] = field(default_factory=list)
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)


def find_files(folder: Path | str, without: Iterable[Path | str] = ()) -> list[str]:
    """Return all files below `folder`, sorted, except hidden ones and those below `without`.

    Symbolic links are followed, each folder once. Raises UserError if `folder` is no folder.
    """
    if not os.path.isdir(folder):
        raise UserError(f"{folder}: there is no such folder; correct the key 'images'.")
    visited = {os.path.realpath(other) for other in without}
    found: list[str] = []
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.join(parent, name) for name in files if not name.startswith(".")]
    return sorted(found)


def select_fiducials(files: Iterable[str], parameters: Parameters) -> Discovered:
    """Return which of the `files` are fiducial stacks, judged by their base names."""
    pattern = re.compile(parameters["fileNameRegExp"])
    discovered = Discovered()
    for path in files:
        name = os.path.basename(path)
        match = pattern.search(name)
        if not name.lower().endswith(IMAGE_SUFFIXES) or name.startswith(TEMPORARY_PREFIX):
            discovered.no_images.append(path)
        elif match is None or None in match.group(*REQUIRED_GROUPS):
            discovered.unmatched.append(path)
        else:
            cycle, channel = match["cycle"], match["channel"]
            discovered.seen[cycle, channel] += 1
            if channel == fiducial_channel(cycle, parameters):
                discovered.samples.append(Sample(match["roi"], cycle, path, channel))
            else:
                discovered.other_channels.append(path)
    return discovered


def check_found(discovered: Discovered, folder: Path | str) -> None:
    """Raise UserError if no fiducial was found, naming what was seen instead."""
    if discovered.samples:
        return
    if discovered.other_channels:
        seen = ", ".join(f"{cycle} {channel}" for cycle, channel in sorted(discovered.seen)[:20])
        raise UserError(
            f"{folder}: none of the {len(discovered.other_channels)} images is a fiducial; cycles"
            f" and channels seen are {seen}; correct fiducialBarcode_channel, fiducialMask_channel"
            " or fiducialDAPI_channel."
        )
    if discovered.unmatched:
        raise UserError(
            f"{folder}: none of the {len(discovered.unmatched)} images matches fileNameRegExp"
            f" (for example '{os.path.basename(discovered.unmatched[0])}'); correct the expression,"
            " or list the stacks in a samples sheet."
        )
    raise UserError(f"{folder}: there is no TIFF file in this folder; correct the key 'images'.")


def restrict(
    samples: Iterable[Sample],
    reference: str,
    rois: Collection[str] | None,
    cycles: Collection[str] | None,
) -> list[Sample]:
    """Return the samples of the wanted ROIs and cycles, sorted; the reference always stays.

    None means all. A wanted ROI may be written without its leading zeros. Raises UserError for a
    wanted ROI or cycle that does not exist.
    """
    samples = sorted(samples)
    for key, wanted, present in (
        ("rois", rois, {sample.roi for sample in samples}),
        ("cycles", cycles, {sample.cycle for sample in samples}),
    ):
        for name in wanted or ():
            if not any(_same(name, other) for other in present):
                raise UserError(
                    f"The key '{key}' asks for '{name}', which is not there;"
                    f" there are: {', '.join(sorted(present)[:50])}."
                )
    return [
        sample
        for sample in samples
        if (rois is None or any(_same(roi, sample.roi) for roi in rois))
        and (cycles is None or sample.cycle in (*cycles, reference))
    ]


def check_samples(samples: Iterable[Sample], reference: str) -> None:
    """Raise UserError if names, paths or links are unusable, or files and references do not fit.

    No two files may be of one cycle, and every ROI needs its reference.
    """
    files: dict[tuple[int, str], Sample] = {}
    cycles: dict[str, set[str]] = {}
    for sample in samples:
        check_path(sample.path, sample.place)
        if os.path.islink(sample.path) and not os.path.exists(sample.path):
            raise UserError(
                f"{sample.place}: this is a link to {os.readlink(sample.path)}, which is not there;"
                " mount its disk, or remove the link."
            )
        _check_name(sample.roi, "ROI", sample.place)
        _check_name(sample.cycle, "cycle", sample.place)
        other = files.setdefault((roi_number(sample), sample.cycle), sample)
        if other is not sample:
            raise UserError(
                f"{sample.place}: ROI {sample.roi}, cycle {sample.cycle} is also in {other.place};"
                " keep one of the two."
            )
        cycles.setdefault(sample.roi, set()).add(sample.cycle)
    without = [roi for roi, names in sorted(cycles.items()) if reference not in names]
    if without:
        names = sorted(set().union(*cycles.values()))
        raise UserError(
            f"The reference cycle {reference} is missing in ROI {', '.join(without[:10])}; add its"
            " file, leave the ROI out with the key 'rois', or name another referenceFiducial"
            f" (cycles there are: {', '.join(names[:20])})."
        )


def check_path(path: str, place: str = "") -> None:
    """Raise UserError if a path cannot stand in the workflow's rules, tables or commands.

    `place` is what the error calls it, if not by the path alone.
    """
    if UNUSABLE_PATH.search(path):
        raise UserError(
            f"{place or path}: a path must not start with '-' nor hold curly braces, line ends or"
            " signs that are not UTF-8; rename the file or folder."
        )


def roi_number(sample: Sample) -> int:
    """Return the number of a sample's ROI; raise UserError if its name is not a number."""
    if not (sample.roi.isascii() and sample.roi.isdigit() and len(sample.roi) < 19):
        raise UserError(
            f"{sample.place}: the ROI is named '{sample.roi}', but it must be a whole number."
        )
    return int(sample.roi)


def _same(wanted: str, roi: str) -> bool:
    return wanted == roi or (wanted.isdigit() and roi.isdigit() and int(wanted) == int(roi))


def _check_name(name: str, kind: str, place: str) -> None:
    if not SAFE_NAME.fullmatch(name) or len(name.encode()) > LONGEST_NAME:
        raise UserError(
            f"{place}: the {kind} is named '{name[:LONGEST_NAME]}'; use letters, digits and the"
            f" signs _ | . + -, at most {LONGEST_NAME} bytes, no sign first."
        )
