"""What the headers of all stacks of an experiment say, and what of it does not fit together."""

import filecmp
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crossreg.fiducial.experiment.parameters import spelt
from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import UserError
from crossreg.io.plurals import counted
from crossreg.io.read_stacks import (
    StackHeader,
    check_block_fits,
    check_given_pixel_size,
    check_same_pixel_size,
    check_same_size,
    check_z_step,
    read_header,
    without_z_step,
    z_step_of,
)

PROBE_BYTES = 65536
"""Of each file so many bytes of its middle are read, to find copies: noise differs there."""
COLUMNS = (
    "roi",
    "cycle",
    "path",
    "format",
    "planes",
    "rows",
    "columns",
    "type",
    "channels",
    "fiducial",
    "pixel_size_um",
    "z_step_um",
    "problems",
    "remarks",
)


@dataclass
class CheckedStack:
    """A stack with its header (None: it cannot be read), its problems, and what else to know."""

    sample: Sample
    header: StackHeader | None
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def note(self, check: Callable[..., None], *arguments: Any) -> None:
        """Note as a problem what a check says."""
        try:
            check(*arguments)
        except UserError as error:
            self.problems.append(str(error))

    @property
    def kind(self) -> str:
        """Return in words what the stack is: its format, size, pixel size and fiducial."""
        if self.header is None:
            return "not readable"
        header = self.header
        z, y, x = header.pixel_size_um
        size = "pixel size unknown" if y is None or x is None else f"{y:g} x {x:g} um"
        step = "z step unknown" if z is None else f"z step {z:g} um"
        shape = " x ".join(map(str, header.shape_zyx))
        count = counted(len(header.channels), "channel")
        taken = f"{count}, fiducial: {self.fiducial}" if len(header.channels) > 1 else count
        return f"{header.format}, {shape} {header.dtype}, {size}, {step}, {taken}"

    @property
    def fiducial(self) -> str:
        """Return the channel that is taken: its name, or what the user or the file's name says."""
        named = self.header.channel if self.header else ""
        return named or self.sample.channel or self.sample.named_channel or "the only one"

    def row(self) -> dict[str, str]:
        """Return the stack's line of the table, by column."""
        sample, header = self.sample, self.header
        row = dict.fromkeys(COLUMNS, "")
        row |= {"roi": sample.roi, "cycle": sample.cycle, "path": sample.path}
        row |= {"problems": " ".join(self.problems), "remarks": " ".join(self.remarks)}
        if header is None:
            return row
        planes, rows, columns = header.shape_zyx
        z, y, x = header.pixel_size_um
        return row | {
            "format": header.format,
            "planes": str(planes),
            "rows": str(rows),
            "columns": str(columns),
            "type": str(header.dtype),
            "channels": _listed(header),
            "fiducial": self.fiducial,
            "pixel_size_um": "" if y is None or x is None else f"{y:g} x {x:g}",
            "z_step_um": "" if z is None else f"{z:g}",
        }


def checked_stacks(
    samples: Sequence[Sample], reference: str, options: Mapping[str, Any]
) -> list[CheckedStack]:
    """Return all stacks with what is wrong with them; their headers alone are read.

    `options` are those of `check_images.py`: blockSizeXY, written_in, and pixel_size_xy,
    pixel_size_z (None: the files say it), ignore_pixel_sizes, resample_z.
    """
    checked = [_checked(sample, options) for sample in samples]
    references = {one.sample.roi: one for one in checked if one.sample.cycle == reference}
    for one in checked:
        first = references.get(one.sample.roi, one)
        if not options["ignore_pixel_sizes"]:
            _compare_sizes(first, one, options)
        if first is not one:
            _compare(first, one)
    for copy, original in _copies(checked):
        copy.problems.append(
            f"The file is a copy of that of ROI {original.sample.roi}, cycle"
            f" {original.sample.cycle}; replace one of the two."
        )
    return checked


def _checked(sample: Sample, options: Mapping[str, Any]) -> CheckedStack:
    try:
        header = read_header(sample.path, sample.choice)
    except UserError as error:
        return CheckedStack(sample, None, [str(error)])
    one = CheckedStack(sample, header)
    called = spelt("blockSizeXY", options["written_in"])
    one.note(check_block_fits, header, options["blockSizeXY"], called, sample.path)
    if header.remark:
        one.remarks.append(f"{header.remark[0].upper()}{header.remark[1:]}.")
    return one


def _compare_sizes(
    reference: CheckedStack, cycle: CheckedStack, options: Mapping[str, Any]
) -> None:
    """Note a pixel size that is neither that of the experiment nor that of the reference."""
    if reference.header is None or cycle.header is None:
        return
    has_distance = reference.header.shape_zyx[0] > 1
    size = options["pixel_size_xy"], options["pixel_size_z"] if has_distance else None
    header = cycle.header
    z_step = z_step_of(reference.header, header, size[1])
    if options["resample_z"] and z_step != 1 and cycle is not reference:
        header = without_z_step(header)
        cycle.note(check_z_step, z_step, cycle.sample.path)
        cycle.remarks.append(
            f"Its planes are {z_step:.3g} planes of the reference apart: it is resampled along z."
        )
    cycle.note(check_given_pixel_size, header, *size, cycle.sample.path)
    cycle.note(check_same_pixel_size, reference.header, header, cycle.sample.path)


def _compare(reference: CheckedStack, cycle: CheckedStack) -> None:
    """Note how a cycle differs from its reference."""
    if reference.header is None or cycle.header is None:
        return
    first, other = reference.header, cycle.header
    cycle.note(check_same_size, first, other, cycle.sample.path)
    if first.shape_zyx[0] != other.shape_zyx[0]:
        cycle.remarks.append(
            f"{counted(other.shape_zyx[0], 'plane')}, the reference has {first.shape_zyx[0]}."
        )
    if first.dtype != other.dtype:
        cycle.remarks.append(f"Pixels are {other.dtype}, those of the reference {first.dtype}.")
    if first.channel and other.channel and first.channel != other.channel:
        cycle.remarks.append(
            f"Its fiducial is the channel {other.channel}, that of the reference {first.channel}."
        )
    elif first.channels != other.channels:
        cycle.remarks.append(
            f"Its channels are {_listed(other)}, those of the reference {_listed(first)}."
        )


def _listed(header: StackHeader) -> str:
    """Return the channels of a file: their names, or their numbers."""
    return ", ".join(name or str(index) for index, name in enumerate(header.channels))


def _copies(checked: Iterable[CheckedStack]) -> Iterator[tuple[CheckedStack, CheckedStack]]:
    """Yield (copy, original) of files with the same content."""
    alike: dict[tuple[int, int, bytes], list[CheckedStack]] = defaultdict(list)
    for one in checked:
        path = one.sample.path
        if one.header is not None:
            alike[_probe(path)].append(one)
    for original, *others in alike.values():
        for other in others:
            paths = original.sample.path, other.sample.path
            if paths[0] != paths[1] and _are_copies(*map(_files, paths)):
                yield other, original


def _files(path: str) -> list[str]:
    """Return the files of an image, by their place in it: itself, or those of a store."""
    if not os.path.isdir(path):
        return [path]
    return sorted(
        os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names
    )


def _probe(path: str) -> tuple[int, int, bytes]:
    """Return how many files an image has, the size of the largest, and bytes of its middle."""
    files = _files(path)
    size, largest = max((os.path.getsize(file), file) for file in files)
    with open(largest, "rb") as file:
        file.seek(max(0, size // 2 - PROBE_BYTES // 2))
        return len(files), size, file.read(PROBE_BYTES)


def _are_copies(files: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether two images have the same bytes in all their files."""
    pairs = zip(files, others, strict=True)
    return all(filecmp.cmp(*pair, shallow=False) for pair in pairs)


def kinds_in_words(checked: Iterable[CheckedStack]) -> list[str]:
    """Return a line for each kind of stack, the most frequent first."""
    counts = Counter(one.kind for one in checked)
    return [f"{counted(count, 'stack')}: {kind}" for kind, count in counts.most_common()]
