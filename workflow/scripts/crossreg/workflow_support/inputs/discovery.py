"""Which stacks make up an experiment: the fiducial stacks of ROIs x cycles."""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from crossreg.fiducial.experiment.file_names import (
    FileName,
    FileNames,
    names_by_expression,
    names_by_template,
    suggested_template,
)
from crossreg.fiducial.experiment.parameters import PLAIN, Parameters, fiducial_channel
from crossreg.fiducial.experiment.roi_numbers import numbers_of_rois, roi_called, rois_in_words
from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import UserError
from crossreg.io.files import TEMPORARY_PREFIX
from crossreg.io.images.image_suffixes import IMAGE_SUFFIXES, STORE_MARKS, STORE_SUFFIX
from crossreg.io.images.which_stack import NUMBERED_CHANNEL

# ROI and cycle become parts of file names, so they may not lead out of the results folder.
SAFE_NAME = re.compile(r"\w[\w|.+-]*")
# Bytes; leaves room for prefixes and suffixes below the 255 that file systems allow.
LONGEST_NAME = 100
# Snakemake takes what stands in braces for a wildcard, and a command what starts with - for an
# option; control signs and halves of signs (names that are not UTF-8) cannot stand in tables.
UNUSABLE_PATH = re.compile(r"^-|[{}\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


@dataclass
class Discovered:
    """Fiducial stacks, and what was left out: other channels, unmatched names, no images.

    `others` are the stacks of other channels, which have files of their own. `seen` counts (cycle,
    channel in the name), `seen_cycles` are the (ROI, cycle) with an image of any channel.
    """

    samples: list[Sample] = field(default_factory=list)
    others: list[Sample] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    no_images: list[str] = field(default_factory=list)
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    seen_cycles: set[tuple[str, str]] = field(default_factory=set)

    @property
    def other_channels(self) -> list[str]:
        """Return the files of other channels."""
        return [sample.path for sample in self.others]


def find_files(folder: Path | str, without: Iterable[Path | str] = ()) -> list[str]:
    """Return all files and image stores below `folder`, sorted, except hidden ones.

    A store (a folder that is one image) counts as a file: nothing in it is looked at. Symbolic
    links are followed, each folder once; what is below `without` is left out. Raises UserError if
    `folder` is no folder.
    """
    if not os.path.isdir(folder):
        raise UserError(f"{folder}: there is no such folder; correct the key 'images'.")
    visited = {os.path.realpath(other) for other in without}
    found: list[str] = []
    waiting = [os.fspath(folder)]
    while waiting:
        parent = waiting.pop()
        real = os.path.realpath(parent)
        if real in visited:
            continue
        visited.add(real)
        with _listing_told(parent), os.scandir(parent) as entries:
            listed = [(entry.name, entry.path, entry.is_dir()) for entry in entries]
        if parent != os.fspath(folder) and any(name in STORE_MARKS for name, _, _ in listed):
            found.append(parent)
            continue
        for name, path, is_folder in listed:
            if is_folder and name.lower().endswith(STORE_SUFFIX):
                found.append(path)
            elif not name.startswith("."):
                (waiting if is_folder else found).append(path)
    return sorted(found)


@contextlib.contextmanager
def _listing_told(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{folder}: the folder cannot be read ({error.strerror}); correct its permissions."
        ) from None


def is_image(path: str) -> bool:
    """Return whether a file that `find_files` returned is one, judged by its name."""
    name = os.path.basename(path)
    if name.startswith(TEMPORARY_PREFIX):
        return False
    suffix = os.path.splitext(name)[1].lower()
    return suffix in IMAGE_SUFFIXES or suffix == STORE_SUFFIX or os.path.isdir(path)


def select_fiducials(
    files: Iterable[str], parameters: Parameters, names: FileNames | None = None
) -> Discovered:
    """Return which of the `files` are fiducial stacks, judged by their names.

    Where names speak of channels, the fiducial's is taken, or, where nobody says which that is, the
    only one there is; else the fiducial's is one of the channels in each file. `names` default to
    pyHiM's expression.
    """
    names = names or names_by_expression(parameters["fileNameRegExp"])
    discovered = Discovered()
    for path in files:
        parsed = names.parsed(path)
        if not is_image(path):
            discovered.no_images.append(path)
        elif parsed is None:
            discovered.unmatched.append(path)
        else:
            _sort_in(discovered, path, parsed, parameters)
    if not any(fiducial_channel(cycle, parameters) for cycle, _ in discovered.seen):
        _take_only_channel(discovered)
    return discovered


def _sort_in(discovered: Discovered, path: str, parsed: FileName, parameters: Parameters) -> None:
    """Add a file with a fitting name to the fiducials or to the other channels."""
    fiducial = fiducial_channel(parsed.cycle, parameters)
    named = parsed.channel or ""
    sample = Sample(
        parsed.roi,
        parsed.cycle,
        path,
        channel=fiducial if parsed.channel is None else "",
        frames=str(parameters.values.get("frames", "")),
        named_channel=named,
        run=parsed.run or "",
    )
    discovered.seen[parsed.cycle, named] += 1
    discovered.seen_cycles.add((parsed.roi, parsed.cycle))
    is_fiducial = parsed.channel is None or (fiducial and same_channel(fiducial, named))
    (discovered.samples if is_fiducial else discovered.others).append(sample)


def _take_only_channel(discovered: Discovered) -> None:
    """Take the files of the only channel there is."""
    channels = {channel for _, channel in discovered.seen}
    if not discovered.samples and len(channels) == 1:
        discovered.samples, discovered.others = discovered.others, []


def files_beside(samples: Iterable[Sample]) -> list[str]:
    """Return all images in the folders of these samples, sorted; of folders that can be read."""
    found: list[str] = []
    for folder in {os.path.dirname(sample.path) for sample in samples}:
        with contextlib.suppress(OSError):
            found += (os.path.join(folder, name) for name in os.listdir(folder) if name[0] != ".")
    return sorted(filter(is_image, found))


def other_channels(
    files: Iterable[str], samples: Iterable[Sample], names: FileNames
) -> list[Sample]:
    """Return the stacks of other channels of samples: files beside them that are named alike.

    A sheet may call ROI and cycle otherwise than the names of its files do.
    """
    listed: dict[tuple[str, str, str], list[Sample]] = {}
    for sample in samples:
        said = names.parsed(sample.path)
        if said is not None and said.channel is not None:
            key = (os.path.dirname(sample.path), said.roi, said.cycle)
            listed.setdefault(key, []).append(sample)
    found = []
    for path in files:
        said = names.parsed(path)
        if said is None or said.channel is None:
            continue
        for sample in listed.get((os.path.dirname(path), said.roi, said.cycle), ()):
            if path != sample.path:
                found.append(Sample(sample.roi, sample.cycle, path, named_channel=said.channel))
    return found


def same_channel(wanted: str, named: str) -> bool:
    """Return whether a channel in a name is the wanted one: 0 stands for ch00 and C0, too."""
    if wanted == named or not wanted.isdigit():
        return wanted == named
    number = NUMBERED_CHANNEL.fullmatch(named)
    return number is not None and int(number[1]) == int(wanted)


def check_found(
    discovered: Discovered, folder: Path | str, names: FileNames, parameters: Parameters
) -> None:
    """Raise UserError if no fiducial was found, naming what was seen instead."""
    if discovered.samples:
        return
    if discovered.other_channels:
        seen = ", ".join(f"{cycle} {channel}" for cycle, channel in sorted(discovered.seen)[:20])
        keys = (
            "fiducial.channel"
            if parameters.written_in == PLAIN
            else "fiducialBarcode_channel, fiducialMask_channel or fiducialDAPI_channel"
        )
        raise UserError(
            f"{folder}: none of the {len(discovered.other_channels)} images is a fiducial; cycles"
            f" and channels seen are {seen}; correct {keys}."
        )
    if discovered.unmatched:
        raise UserError(_none_matches(discovered.unmatched, folder, names.key))
    raise UserError(
        f"{folder}: there is no image in this folder (TIFF, OME-Zarr, ND2, CZI, LIF, DAX, .npy);"
        " correct the key 'images'."
    )


def check_told_apart(discovered: Discovered, folder: Path | str, names: FileNames) -> None:
    """Raise UserError if several files are of one cycle, and folders would tell them apart."""
    found = discovered.samples
    if len({(sample.roi, sample.cycle) for sample in found}) == len(found):
        return
    below = [os.path.relpath(sample.path, folder) for sample in found]
    template = suggested_template(below)
    parsed = [names_by_template(template).parsed(path) for path in below] if template else []
    in_folders = template is not None and "/" in template
    if in_folders and None not in parsed and len(set(parsed)) == len(parsed):
        raise UserError(
            f"{folder}: several files are of one ROI and cycle by {names.key}; this would tell them"
            f' apart: file_names: "{template}".'
        )


def _none_matches(unmatched: list[str], folder: Path | str, key: str) -> str:
    """Return the sentence for a folder where no name matches: three names, and a way out."""
    below = [os.path.relpath(path, folder) for path in unmatched]
    shown = ", ".join(f"'{path}'" for path in below[:3])
    template = suggested_template(below)
    advice = (
        f'this would fit: file_names: "{template}"'
        if template
        else "give a template with the key 'file_names', such as Exp_{roi}_round{cycle}.tif, or"
        " list the stacks in a sheet (samples)"
    )
    count = f"none of the {len(below)} images" if len(below) > 1 else "the only image does not"
    verb = " matches" if len(below) > 1 else " match"
    return f"{folder}: {count}{verb} {key} (for example {shown}); {advice}."


def named_rois(key: str, wanted: Iterable[str] | None, there: Collection[str]) -> set[str] | None:
    """Return the names of the ROIs that a key asks for, by name or number; None means all.

    Raises UserError for one that is not there.
    """
    if wanted is None:
        return None
    found = {name: roi_called(name, there) for name in wanted}
    for name, roi in found.items():
        if roi is None:
            raise UserError(
                f"The key '{key}' asks for '{name}', which is not there; there are:"
                f" {rois_in_words(there, 50)}."
            )
    return {roi for roi in found.values() if roi is not None}


def named_cycles(key: str, wanted: Iterable[str] | None, there: Collection[str]) -> set[str] | None:
    """Return the names of the cycles that a key asks for, 1 for 01, too; None means all.

    Raises UserError for one that is not there.
    """
    if wanted is None:
        return None
    found: set[str] = set()
    for name in wanted:
        same = {name} & set(there) or {other for other in there if _same(name, other)}
        if not same:
            raise UserError(
                f"The key '{key}' asks for '{name}', which is not there; there are:"
                f" {', '.join(sorted(there)[:50])}."
            )
        found |= same
    return found


def restrict(
    names: Iterable[tuple[str, str]],
    reference: str,
    rois: Collection[str] | None,
    cycles: Collection[str] | None,
) -> set[tuple[str, str]]:
    """Return the wanted among (ROI, cycle); None means all, and the reference always stays."""
    return {
        (roi, cycle)
        for roi, cycle in names
        if (rois is None or roi in rois) and (cycles is None or cycle in (*cycles, reference))
    }


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


def _same(wanted: str, name: str) -> bool:
    return wanted.isdecimal() and name.isdecimal() and int(wanted) == int(name)


def _check_name(name: str, kind: str, origin: str) -> None:
    if not SAFE_NAME.fullmatch(name) or len(name.encode()) > LONGEST_NAME:
        raise UserError(
            f"{origin}: the {kind} is named '{name[:LONGEST_NAME]}'; use letters, digits and the"
            f" signs _ | . + -, at most {LONGEST_NAME} bytes, no sign first."
        )
