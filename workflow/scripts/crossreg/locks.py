"""One run at a time on a results folder, and none while jobs of a killed run still write to it.

A run holds `logs/run.lock` alone, its jobs share `logs/jobs.lock`. The operating system frees the
locks of a process that dies in whatever way, so none is ever left over.
"""

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from crossreg.errors import UserError

# The environment variable that tells jobs which lock to share.
JOBS_LOCK = "CROSSREG_JOBS_LOCK"
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

    Waits, after a sentence to `tell`, for jobs of a killed run that still write to the folder.
    Returns None where the file system knows no locks. Raises UserError if another run holds it,
    or if there can be no such folder.
    """
    try:
        file = _opened(run_lock(results))
    except (FileExistsError, FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{results}: no folder can be made there; correct the key 'results'."
        ) from None
    try:
        if not _lock_at_once(file):
            raise UserError(
                f"{results}: another run ({_holder(file)}) works on this folder; wait for it to"
                " end, or give another folder with the key 'results'."
            )
        with _opened(jobs_lock(results)) as jobs:
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
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    return file


@contextlib.contextmanager
def shared_by_job() -> Iterator[None]:
    """Hold the lock that the environment variable JOBS_LOCK names, if any, beside other jobs."""
    with contextlib.ExitStack() as stack:
        if JOBS_LOCK in os.environ:
            file = stack.enter_context(_opened(Path(os.environ[JOBS_LOCK])))
            with _unless_unknown():
                fcntl.flock(file, fcntl.LOCK_SH)
        yield


def remove_stale_locks(folder: Path | str, results: Path | str) -> None:
    """Remove from `folder` Snakemake's locks of outputs in `results`: left by killed runs.

    Only for a process that holds `results`. Locks of runs on other folders stay.
    """
    prefix = os.path.join(os.path.abspath(results), "")
    for outputs in Path(folder).glob("*.output.lock"):
        with outputs.open(encoding="utf-8") as file:
            stale = any(os.path.abspath(line).startswith(prefix) for line in file)
        if stale:
            outputs.unlink(missing_ok=True)
            outputs.with_name(outputs.name.replace("output", "input")).unlink(missing_ok=True)


def _opened(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a+", encoding="utf-8")


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
    """Pass over the error of a file system that knows no locks."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
