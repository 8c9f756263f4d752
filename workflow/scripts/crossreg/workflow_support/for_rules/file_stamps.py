"""What shows that a file or an image store is another than before."""

from functools import cache
from pathlib import Path

from crossreg.io.files import stamp_of


@cache
def stamp(path: Path | str) -> str:
    """Return size and time stamp of a file, or a hash of those in a store; "missing" without one.

    It is looked at once a run. The folder does not count, so that files may move together.
    """
    try:
        return stamp_of(path)
    except OSError:
        return "missing"
