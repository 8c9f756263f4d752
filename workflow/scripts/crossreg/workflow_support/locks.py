"""One run at a time on a results folder, and none while jobs of a killed run still write to it.

A run holds `logs/run.lock` alone, its jobs share `logs/jobs.lock`, which names the run. The
operating system frees the locks of a process that dies in whatever way, so none is ever left over.
Jobs of a killed run that are still in the queue of a cluster find another run named there, and do
nothing.
"""

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from crossreg.io.errors import UserError

# The environment variables that tell jobs which lock to share, and which run they belong to.
JOBS_LOCK = "CROSSREG_JOBS_LOCK"
RUN_NAME = "CROSSREG_RUN"
# What a file system says that knows no locks: runs on it are not protected from each other.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def run_lock(results: Path | str) -> Path:
    """Return the path of the lock that a run holds alone."""
    return Path(results, "logs", "run.lock")


def jobs_lock(results: Path | str) -> Path:
    """Return the path of the lock that the jobs of a run share."""
    return Path(results, "logs", "jobs.lock")


def hold_results(results: Path | str, run_name: str, tell: Callable[[str], None]) -> IO[str] | None:
    """Return the open file by which this process holds `results` alone, until it is closed.

    From now on jobs of runs by another name than `run_name` refuse to start.
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
            # First, so that a job either finds the new name, or is waited for.
            _write_over(jobs, run_name)
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


def share_results() -> IO[str] | None:
    """Return the open file by which this process, a job, shares the results with other jobs.

    Returns None if no run has started it. Raises UserError if its run is not the current one.
    """
    if JOBS_LOCK not in os.environ:
        return None
    file = _opened(Path(os.environ[JOBS_LOCK]))
    with _unless_unknown():
        fcntl.flock(file, fcntl.LOCK_SH)
    file.seek(0)
    current = file.read().strip()
    # Nothing stands there where the file system knows no locks.
    if current in ("", os.environ.get(RUN_NAME, "")):
        return file
    file.close()
    raise UserError(
        f"{file.name}: another run works on these results by now; this job is of an earlier one and"
        " does nothing."
    )


def remove_stale_locks(folder: Path | str, results: Path | str) -> None:
    """Remove from `folder` Snakemake's locks of files in `results`: left by killed runs.

    Only for a process that holds `results`. Locks of runs on other folders stay.
    """
    prefix = os.path.join(os.path.abspath(results), "")
    for lock in list(Path(folder).glob("*.lock")):
        with contextlib.suppress(FileNotFoundError):
            lines = lock.read_text(encoding="utf-8").splitlines()
            if any(os.path.abspath(line).startswith(prefix) for line in lines):
                # Those of inputs and outputs of a run have one number.
                for kind in ("input", "output"):
                    Path(folder, f"{lock.name.split('.')[0]}.{kind}.lock").unlink(missing_ok=True)


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
    """Pass over the error of a file system that knows no locks."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
