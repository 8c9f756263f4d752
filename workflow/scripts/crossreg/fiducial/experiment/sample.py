"""One stack to register, as sheets list it and discovery finds it."""

from dataclasses import dataclass, field

from crossreg.io.images.which_stack import Choice


@dataclass(frozen=True, order=True)
class Sample:
    """The fiducial stack of one cycle of one ROI, and its global shift where the user gave one.

    All is text, so that it stays as it is through all files.

    Attributes
    ----------
    roi, cycle : str
        Their names.
    path : str
        The file or store.
    channel, series, time : str
        Which stack of the file is meant, by name or by number from 0; empty: the only one.
    frames : str
        Which planes of that stack are meant, as first:stop:step; empty: all.
    named_channel, run : str
        Channel and run number that stand in the file's name; empty if none does.
    given_x, given_y : str
        Global shift (rows, columns; px) that the user gave.
    pixel_xy, pixel_z : str
        Size of a pixel and distance of planes (um) that a file said; empty if the user gave them.
    listed_in : str
        The line of the sheet that lists it, if one does.

    """

    roi: str
    cycle: str
    path: str
    channel: str = ""
    series: str = ""
    time: str = ""
    frames: str = ""
    named_channel: str = ""
    run: str = ""
    given_x: str = ""
    given_y: str = ""
    pixel_xy: str = ""
    pixel_z: str = ""
    listed_in: str = field(default="", compare=False)

    @property
    def origin(self) -> str:
        """Return where the sample comes from, for errors: the line of the sheet and the path."""
        return f"{self.listed_in}: {self.path}" if self.listed_in else self.path

    @property
    def choice(self) -> Choice:
        """Return which stack of its file is meant."""
        return Choice(self.series, self.channel, self.time, self.frames)

    @property
    def image(self) -> str:
        """Return the same as one word for a command; empty: the only one."""
        return self.choice.text()
