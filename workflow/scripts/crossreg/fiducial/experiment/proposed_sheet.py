"""The sheet that a folder of images suggests, for a person to look at and correct."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from crossreg.fiducial.experiment.file_names import (
    FIDUCIALS,
    ONLY_ROI,
    FileName,
    names_by_template,
    suggested_template,
)
from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.images.image_file import Series

UNSAFE = re.compile(r"[^\w|.+-]+")


@dataclass
class Proposal:
    """The samples of a proposed sheet, and what was assumed, in sentences."""

    samples: list[Sample]
    assumed: list[str] = field(default_factory=list)


def proposed_samples(
    images: Mapping[str, Sequence[Series]], template: str | None = None
) -> Proposal:
    """Return the samples that images suggest: path -> what series each holds.

    ROI and cycle come from the names, by `template` or by one that is guessed. Several series of a
    file are what their names say, else ROIs; several times are cycles. Where there are several
    channels, the one that is named like fiducials or beads is taken, else the first.
    """
    proposal = Proposal([])
    if template is None:
        folder = os.path.commonpath(list(images)) if len(images) > 1 else ""
        template = suggested_template([os.path.relpath(path, folder or None) for path in images])
    names = names_by_template(template) if template else None
    if template:
        proposal.assumed.append(f'Names are read as "{template}" (option --file-names).')
    else:
        proposal.assumed.append("Names tell nothing of ROI and cycle: each file is a cycle.")
    parsed = {path: names.parsed(path) if names else None for path in images}
    channel = _named_fiducial([name for name in parsed.values() if name], proposal)
    for path, series in images.items():
        name = parsed[path] or FileName(ONLY_ROI, os.path.basename(path).split(".")[0])
        if name.channel in (None, channel):
            proposal.samples += _samples_of(path, name, series)
    _tell(images, proposal)
    return proposal


def _samples_of(path: str, name: FileName, series: Sequence[Series]) -> Iterator[Sample]:
    """Yield a sample for each usable series and time of a file."""
    usable = [index for index, one in enumerate(series) if not one.fault]
    said = _said_by_series([series[index].name for index in usable])
    for rank, index in enumerate(usable):
        times, channels = series[index].shape_tczyx[:2]
        roi, cycle = name.roi, name.cycle
        if said:
            cycle = said[rank].cycle
            roi = said[rank].roi if said[rank].roi != ONLY_ROI else roi
        elif len(usable) > 1:
            roi = f"{roi}_S{index}"
        for time in range(times):
            yield Sample(
                UNSAFE.sub("_", roi),
                UNSAFE.sub("_", cycle if times == 1 else f"{cycle}_T{time}"),
                path,
                channel=_fiducial_of(series[index].channels) if channels > 1 else "",
                series=str(index) if len(series) > 1 else "",
                time=str(time) if times > 1 else "",
            )


def _said_by_series(names: Sequence[str]) -> list[FileName]:
    """Return what the names of a file's series say, where they tell ROI and cycle; else []."""
    # The last word of a file's name is its ending, which series lack.
    template = suggested_template([f"{name}.x" for name in names]) if len(names) > 1 else None
    if template is None:
        return []
    parsed = [names_by_template(template).parsed(f"{name}.x") for name in names]
    found = [name for name in parsed if name]
    return found if len(set(found)) == len(names) else []


def _fiducial_of(channels: Sequence[str]) -> str:
    """Return the channel that is named like fiducials; else the first, by its number."""
    named = [name for name in channels if FIDUCIALS.search(name)]
    return named[0] if named else "0"


def _named_fiducial(names: Sequence[FileName], proposal: Proposal) -> str | None:
    """Return which of the channels in the names of files is taken for the fiducial."""
    channels = sorted({name.channel for name in names if name.channel})
    if not channels:
        return None
    taken = next((name for name in channels if FIDUCIALS.search(name)), channels[0])
    if len(channels) > 1:
        proposal.assumed.append(
            f"Of the channels {', '.join(channels)} in the names, {taken} is taken for the"
            " fiducials; give another with the key 'channel' of the section 'fiducial' and"
            " 'file_names' instead of this sheet."
        )
    return taken


def _tell(images: Mapping[str, Sequence[Series]], proposal: Proposal) -> None:
    """Say what was assumed of files that hold several images."""
    kinds = {
        "series are ROIs or, where their names say so, cycles": any(
            len(series) > 1 for series in images.values()
        ),
        "times are cycles": any(
            one.shape_tczyx[0] > 1 for series in images.values() for one in series
        ),
    }
    proposal.assumed += [
        f"Several {kind} here; change the sheet if they are something else."
        for kind, holds in kinds.items()
        if holds
    ]
    lines = Counter((sample.roi, sample.cycle) for sample in proposal.samples)
    several = [place for place, number in lines.items() if number > 1]
    if several:
        proposal.assumed.append(
            f"Lines that share ROI and cycle, as {lines[several[0]]} of ROI {several[0][0]}, cycle"
            f" {several[0][1]}: keep the one of the fiducial."
        )
    if any(sample.channel for sample in proposal.samples):
        proposal.assumed.append(
            "Files hold several channels: correct the column 'channel' where another one (name, or"
            " number from 0) shows the fiducials."
        )
