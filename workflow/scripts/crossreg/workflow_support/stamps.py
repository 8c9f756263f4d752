"""What shows that a file is another than before."""

import os
from functools import cache
from pathlib import Path


@cache
def stamp(path: Path | str) -> str:
    """Return size and time stamp of a file, by which also an older replacement is seen.

    It is looked at once a run. The folder does not count, so that files may move together.
    """
    try:
        status = os.stat(path)
    except OSError:
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"
