"""Results that the next run makes again, though nothing that they are made from has changed.

A job leaves a mark beside a file: where it wrote a note instead of a result, since what kept the
cycle from being registered may have passed, and where it found a result of another job damaged.
Rules have the marks of their outputs among their parameters, so that a new one makes the next run
try again. A mark stays, and tells when and why: it is on record for what was made since then.
"""

import datetime
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from crossreg.io.errors import DamagedResultError, UserError, one_line
from crossreg.workflow_support.one_run.told_to_jobs import is_of_a_run

MARK_PREFIX = ".again-"
"""What stands before the name of a result in the name of its mark."""


def ask_again(path: Path | str, reason: str) -> None:
    """Let the next run make a result again."""
    path = Path(path)
    mark = path.with_name(MARK_PREFIX + path.name)
    now = datetime.datetime.now().isoformat(" ", "milliseconds")
    with mark.open("a", encoding="utf-8") as file:
        file.write(f"{now} {one_line(reason)}\n")


def ask_if_damaged(error: UserError) -> None:
    """Let the next run make again what an error found damaged, if it is such an error.

    A command that is called by hand leaves nothing beside the files that it was given.
    """
    if isinstance(error, DamagedResultError) and is_of_a_run():
        ask_again(error.path, str(error))


def asked(path: str) -> str:
    """Return when and why it was last asked to make a result again; "" if never.

    That is looked at once a run.
    """
    folder, name = os.path.split(path)
    return _last_lines(folder).get(MARK_PREFIX + name, "")


@cache
def _last_lines(folder: str) -> Mapping[str, str]:
    """Return the last line of every mark in a folder, by its name."""
    try:
        names = os.listdir(folder or os.curdir)
    except OSError:
        return {}
    marks = [name for name in names if name.startswith(MARK_PREFIX)]
    return {
        name: Path(folder, name).read_text(encoding="utf-8", errors="replace").splitlines()[-1]
        for name in marks
    }
