"""Which stack of an image file a user means: series, time, channel and frames of it."""

import argparse
import re
from dataclasses import dataclass

from crossreg.io.errors import UserError

# pyHiM's and others' way to count channels from 0.
NUMBERED_CHANNEL = re.compile(r"(?:ch|c|channel)?0*(\d+)", re.IGNORECASE)

PARTS = ("series", "channel", "time", "frames")
"""What a choice consists of, as its word for a command names them."""
FRAMES = re.compile(r"([0-9]{0,9}):([0-9]{0,9})(?::([1-9][0-9]{0,8}))?")


@dataclass(frozen=True)
class Choice:
    """What a user says of which stack of a file is meant. Empty: the only one there is.

    Attributes
    ----------
    series, channel : str
        A name, or a number counted from 0.
    time : str
        A number counted from 0.
    frames : str
        Which planes of these are the stack, as first:stop:step ("2::5": every fifth, from the
        third): channels may alternate from plane to plane in a file that does not say so.

    """

    series: str = ""
    channel: str = ""
    time: str = ""
    frames: str = ""

    def planes(self, count: int) -> range:
        """Return which of `count` planes are the stack; raise UserError unless `frames` says it."""
        if not self.frames:
            return range(count)
        slices = FRAMES.fullmatch(self.frames)
        if not slices:
            raise UserError(
                f"The frames '{self.frames}' are not first:stop:step; write 2::5 for every fifth"
                " one from the third, 0:20 for the first 20."
            )
        return range(count)[slice(*(int(part) if part else None for part in slices.groups()))]

    def text(self) -> str:
        """Return the choice as one word for a command: series=2,channel=DAPI; empty for none."""
        parts = {name: getattr(self, name) for name in PARTS}
        return ",".join(f"{name}={value}" for name, value in parts.items() if value)


def choice_of(text: str) -> Choice:
    """Return the choice that `Choice.text` wrote; raise UserError for anything else."""
    values: dict[str, str] = {}
    # A name of a channel may hold a comma.
    for part in re.split(rf",(?=(?:{'|'.join(PARTS)})=)", text) if text else []:
        name, equal, value = part.partition("=")
        if not equal or name not in PARTS or name in values:
            raise UserError(
                f"'{text}' does not say which image of a file is meant; write it as"
                " series=0,channel=DAPI,time=3, without what is not needed."
            )
        values[name] = value
    return Choice(**values)


ONLY_ONE = Choice()
"""For files that hold one stack."""


def add_image_option(parser: argparse.ArgumentParser, of: str) -> None:
    """Add the option `--OF-image` beside `--OF`: which stack of that file is meant."""
    parser.add_argument(
        f"--{of}-image",
        default="",
        metavar="WORD",
        help=f"which stack of the file of the {of} is meant, as series=0,channel=DAPI,time=3"
        " (default: the only one)",
    )
