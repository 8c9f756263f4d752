"""Which stacks hold the channels of a cycle: in one file, or in files beside one another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crossreg.fiducial.experiment.file_names import FileNames
from crossreg.io.errors import UserError
from crossreg.io.images.choice import Choice
from crossreg.io.stacks import read_header


@dataclass(frozen=True)
class ChannelStack:
    """One channel of a cycle: its name, and which stack of which file it is."""

    name: str
    path: Path
    choice: Choice


def channel_stacks(
    path: Path, choice: Choice, names: FileNames, wanted: Sequence[str] = ()
) -> list[ChannelStack]:
    """Return the channels of the cycle whose fiducial stack is `choice` of the file `path`.

    They are the channels of that file; and, where it has only one, the files of its folder whose
    `names` say the same ROI and cycle, too. `wanted` are names of channels, all if empty. Raises
    UserError if one of them is not there, or if the stacks differ in size.
    """
    header = read_header(path, choice)
    if len(header.channels) > 1:
        found = [
            ChannelStack(name or f"ch{number:02d}", path, replace(choice, channel=str(number)))
            for number, name in enumerate(header.channels)
        ]
    else:
        found = _beside(path, choice, names) or [
            ChannelStack(header.channel or "ch00", path, choice)
        ]
    there = [stack.name for stack in found]
    missing = [name for name in wanted if name not in there]
    if missing:
        raise UserError(
            f"{path}: there is no channel '{missing[0]}' of this cycle; there are:"
            f" {', '.join(there)}; correct register_stacks.channels."
        )
    found = [stack for stack in found if not wanted or stack.name in wanted]
    for stack in found:
        other = read_header(stack.path, stack.choice)
        if (other.shape_zyx, other.dtype) != (header.shape_zyx, header.dtype):
            raise UserError(
                f"{stack.path}: channel {stack.name} has {other.shape_zyx} planes, rows and columns"
                f" of {other.dtype}, but the fiducial has {header.shape_zyx} of {header.dtype};"
                " correct the file, or leave it out with register_stacks.channels."
            )
    return found


def _beside(path: Path, choice: Choice, names: FileNames) -> list[ChannelStack]:
    """Return the files of the cycle by channel, that of the fiducial among them; [] if unnamed."""
    own = names.parsed(str(path))
    if own is None or own.channel is None:
        return []
    found = {own.channel: ChannelStack(own.channel, path, choice)}
    for other in sorted(path.parent.iterdir()):
        said = names.parsed(str(other))
        if said is None or said.channel is None or other.name.startswith("."):
            continue
        if (said.roi, said.cycle) == (own.roi, own.cycle):
            found.setdefault(said.channel, ChannelStack(said.channel, other, Choice()))
    return [found[name] for name in sorted(found)]
