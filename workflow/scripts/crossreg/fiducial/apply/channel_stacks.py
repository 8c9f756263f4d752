"""Which stacks hold the channels of a cycle: in one file, or in files beside one another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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
    fiducial: ChannelStack, others: Mapping[str, Path], wanted: Sequence[str] = ()
) -> list[ChannelStack]:
    """Return the channels of the cycle that this fiducial stack is of, in the order of their names.

    They are the channels of its file; and, where that has only one, those of the `others`, too:
    files of other channels by name. `wanted` are names of channels, all if empty. Raises UserError
    if one of them is not there, or if the stacks differ in size.
    """
    path, choice = fiducial.path, fiducial.choice
    header = read_header(path, choice)
    if len(header.channels) > 1:
        found = [
            ChannelStack(name or f"ch{number:02d}", path, replace(choice, channel=str(number)))
            for number, name in enumerate(header.channels)
        ]
    else:
        stacks = {name: ChannelStack(name, other, Choice()) for name, other in others.items()}
        name = fiducial.name or header.channel or "ch00"
        stacks[name] = ChannelStack(name, path, choice)
        found = [stacks[name] for name in sorted(stacks)]
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
