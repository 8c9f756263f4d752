"""One stack (Z, Y, X) of an open image file: the one that a choice means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crossreg.io.errors import UserError
from crossreg.io.images.image_file import ImageFile, Plane, Series
from crossreg.io.images.which_stack import NUMBERED_CHANNEL, Choice
from crossreg.io.plurals import counted

# How many names a sentence lists.
MOST_NAMES = 12


@dataclass(frozen=True)
class Stack:
    """One stack (Z, Y, X) of an open file: its place there, and its planes on demand."""

    file: ImageFile
    series_index: int
    time: int
    channel: int
    frames: range
    """The planes of that channel that are its planes."""

    @property
    def series(self) -> Series:
        """Return the series that it is a part of."""
        return self.file.series[self.series_index]

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        """Return planes, rows, columns."""
        return len(self.frames), *self.series.shape_tczyx[3:]

    @property
    def channel_name(self) -> str:
        """Return the name of its channel; empty where the file has none."""
        return self.series.channels[self.channel] if self.series.channels else ""

    def planes(self, indices: Sequence[int], threads: int = 1) -> Iterator[Plane]:
        """Yield planes (Y, X), each valid until the next one is asked for."""
        wanted = [self.frames[index] for index in indices]
        return self.file.planes(self.series_index, self.time, self.channel, wanted, threads)


def chosen(file: ImageFile, choice: Choice, path: object) -> Stack:
    """Return the stack that a choice means; raise UserError that lists what there is otherwise."""
    series_index = _series_index(file.series, choice.series, path)
    series = file.series[series_index]
    if series.fault:
        raise UserError(f"{path}: {series.fault}.")
    times, channels, planes, rows, columns = series.shape_tczyx
    if min(series.shape_tczyx) < 1 or min(rows, columns) < 2:
        raise UserError(f"{path}: the planes have {rows} x {columns} px; that is no image.")
    if series.dtype.kind not in "uif":
        raise UserError(
            f"{path}: pixels of type {series.dtype} are not supported; save grey values."
        )
    time = _time_index(times, choice.time, path)
    channel = _channel_index(series, channels, choice.channel, path)
    frames = choice.planes(planes)
    if not frames:
        raise UserError(
            f"{path}: the file holds {counted(planes, 'frame')}, none of which is in"
            f" '{choice.frames}'; correct the frames of the fiducial."
        )
    return Stack(file, series_index, time, channel, frames)


def _series_index(series: Sequence[Series], wanted: str, path: object) -> int:
    usable = [index for index, one in enumerate(series) if not one.fault]
    if not wanted:
        if len(series) == 1 or not usable:
            return 0
        if len(usable) == 1:
            return usable[0]
        raise UserError(
            f"{path}: the file holds {len(series)} images of different sizes or kinds"
            f" ({_listed([one.name for one in series])}); say in the column 'series' of the sheet"
            " which one is meant."
        )
    return _named_or_numbered([one.name for one in series], len(series), wanted, "series", path)


def _time_index(times: int, wanted: str, path: object) -> int:
    if not wanted:
        if times == 1:
            return 0
        raise UserError(
            f"{path}: the file holds {times} times; say in the column 'time' of the sheet which one"
            " is meant (0 is the first)."
        )
    if not wanted.isdigit() or int(wanted) >= times:
        raise UserError(
            f"{path}: there is no time '{wanted}'; the file holds {times}, counted from 0."
        )
    return int(wanted)


def _channel_index(series: Series, count: int, wanted: str, path: object) -> int:
    if count == 1 and (not wanted or not series.channels or NUMBERED_CHANNEL.fullmatch(wanted)):
        # A file's only channel, which the name of the file may number as the microscope does.
        return 0
    if not wanted:
        raise UserError(
            f"{path}: the file holds {count} channels ({_listed(series.channels, count)}); say"
            " which one shows the fiducials: with the key 'channel' of the section 'fiducial', or"
            " in the column 'channel' of the sheet."
        )
    return _named_or_numbered(series.channels, count, wanted, "channel", path)


def _named_or_numbered(
    names: Sequence[str], count: int, wanted: str, kind: str, path: object
) -> int:
    """Return the index of a name, else of a number counted from 0."""
    exact = [index for index, name in enumerate(names) if name == wanted]
    similar = [index for index, name in enumerate(names) if name.lower() == wanted.lower()]
    for found in (exact, similar):
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(
                f"{path}: the {kind} name '{wanted}' stands {len(found)} times; give the number"
                " instead, counted from 0."
            )
    number = NUMBERED_CHANNEL.fullmatch(wanted) if kind == "channel" else None
    digits = number[1] if number else wanted
    if digits.isdigit() and int(digits) < count:
        return int(digits)
    raise UserError(
        f"{path}: there is no {kind} '{wanted}'; the file holds {count}: {_listed(names, count)}."
    )


def _listed(names: Sequence[str], count: int | None = None) -> str:
    """Return names with their numbers: "0 DAPI, 1 Cy3"."""
    total = len(names) if count is None else count
    shown = [
        f"{index} {names[index]}".strip() if index < len(names) else str(index)
        for index in range(min(total, MOST_NAMES))
    ]
    return ", ".join(shown) + (", ..." if total > MOST_NAMES else "")
