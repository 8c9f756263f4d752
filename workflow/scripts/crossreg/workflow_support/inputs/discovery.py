"""Which stacks make up an experiment: the fiducial stacks of ROIs x cycles."""

import os
from collections import Counter
from collections.abc import Iterable
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
from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import UserError
from crossreg.io.images.which_stack import NUMBERED_CHANNEL
from crossreg.workflow_support.inputs.found_files import is_image


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
