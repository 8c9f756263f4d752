"""One run at a time on a results folder, and none while jobs of a killed run still write to it.

A run holds `logs/run.lock` alone, its jobs share `logs/jobs.lock`, which names the run. The
operating system frees the locks of a process that dies in whatever way, so none is ever left over.
Jobs of a killed run that are still in the queue of a cluster find another run named there, and do
nothing.
"""

import contextlib
import errno
import fcntl
import json
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from crossreg.io.errors import UserError

RUNS = "CROSSREG_RUNS"
"""The environment variable that tells jobs which locks to share: JSON {lock: name of the run}."""
# What a file system says that knows no locks: runs on it are not protected from each other.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def run_lock(results: Path | str) -> Path:
    """Return the path of the lock that a run holds alone."""
    return Path(results, "logs", "run.lock")


def jobs_lock(results: Path | str) -> Path:
    """Return the path of the lock that the jobs of a run share."""
    return Path(results, "logs", "jobs.lock")


def hold_results(results: Path | str, tell: Callable[[str], None]) -> IO[str] | None:
    """Return the open file by which this process holds `results` alone, until it is closed.

    From now on jobs of other runs refuse to start; those of this one know its name.
    Waits, after a sentence to `tell`, for jobs of a killed run that still write to the folder.
    Returns None where the file system knows no locks. Raises UserError if another run holds it.
    """
    run_name = uuid.uuid4().hex
    file = _opened(run_lock(results))
    try:
        if not _lock_at_once(file):
            raise UserError(
                f"{results}: another run ({_holder(file)}) works on this folder; wait for it to"
                " end, or give another folder with the key 'results'."
            )
        lock = jobs_lock(results).absolute()
        with _opened(lock) as jobs:
            # First, so that a job either finds the new name, or is waited for.
            _write_over(jobs, run_name)
            os.environ[RUNS] = json.dumps({**_runs(), str(lock): run_name})
            if not _lock_at_once(jobs):
                tell(
                    f"{results}: jobs of a run that was killed are still at work here; waiting for"
                    " them to end."
                )
                fcntl.flock(jobs, fcntl.LOCK_EX)
    except BaseException as error:
        file.close()
        if isinstance(error, OSError) and error.errno in NO_LOCKS:
            return None
        raise
    _write_over(file, f"process {os.getpid()} on {socket.gethostname()}")
    return file


@contextlib.contextmanager
def share_results() -> Iterator[None]:
    """Share the results with other jobs while the block, a job, is at work.

    Does nothing if no run has started it. Raises UserError if its run is not the current one.
    """
    with contextlib.ExitStack() as held:
        for lock, run_name in _runs().items():
            file = held.enter_context(_opened(Path(lock)))
            with _unless_unknown():
                fcntl.flock(file, fcntl.LOCK_SH)
            file.seek(0)
            # Nothing stands there where the file system knows no locks.
            if file.read().strip() not in ("", run_name):
                raise UserError(
                    f"{lock}: another run works on these results by now; this job is of an earlier"
                    " one and does nothing."
                )
        yield


def _runs() -> dict[str, str]:
    """Return lock -> name of the run, of the runs that this process belongs to."""
    runs: dict[str, str] = json.loads(os.environ.get(RUNS, "{}"))
    return runs


def _opened(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a+", encoding="utf-8")


def _write_over(file: IO[str], line: str) -> None:
    file.truncate(0)
    file.write(f"{line}\n")
    file.flush()


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip() or "just started"


def _lock_at_once(file: IO[str]) -> bool:
    """Return whether the lock could be taken alone, without waiting."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _unless_unknown() -> Iterator[None]:
    """Go on after the error of a file system that knows no locks."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
