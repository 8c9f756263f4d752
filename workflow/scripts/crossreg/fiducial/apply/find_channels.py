"""Which stacks hold the channels of a cycle: in one file, or in files beside one another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crossreg.io.errors import UserError
from crossreg.io.images.which_stack import NUMBERED_CHANNEL, Choice
from crossreg.io.read_stacks import read_header


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
    if wanted:
        chosen = [_meant(name, found) for name in wanted]
        if None in chosen:
            raise UserError(
                f"{path}: there is no channel '{wanted[chosen.index(None)]}' of this cycle; there"
                f" are: {', '.join(stack.name for stack in found)}; correct"
                " register_stacks.channels."
            )
        found = [stack for stack in found if stack in chosen]
    for stack in found:
        other = read_header(stack.path, stack.choice)
        if (other.shape_zyx, other.dtype) != (header.shape_zyx, header.dtype):
            raise UserError(
                f"{stack.path}: channel {stack.name} has {other.shape_zyx} planes, rows and columns"
                f" of {other.dtype}, but the fiducial has {header.shape_zyx} of {header.dtype};"
                " correct the file, or leave it out with register_stacks.channels."
            )
    return found


def _meant(wanted: str, found: Sequence[ChannelStack]) -> ChannelStack | None:
    """Return the channel that a name or a number from 0 means: 1 is C1 and ch01, and the second."""
    named = [stack for stack in found if stack.name == wanted]
    if named or not wanted.isdecimal():
        return next(iter(named), None)
    for stack in found:
        said = NUMBERED_CHANNEL.fullmatch(stack.name)
        if (said and int(said[1]) == int(wanted)) or stack.choice.channel == str(int(wanted)):
            return stack
    return None
