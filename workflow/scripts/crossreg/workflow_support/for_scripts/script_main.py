"""What every script shares when it runs as a command: options, log and errors."""

import argparse
import contextlib
import errno
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from crossreg import __version__
from crossreg.io.errors import DamagedResultError, UserError
from crossreg.io.missing_notes import note_missing
from crossreg.workflow_support.for_scripts.chosen_outputs import check_outputs
from crossreg.workflow_support.for_scripts.marks_to_remake import ask_again, ask_if_damaged
from crossreg.workflow_support.one_run.locks import share_results

log = logging.getLogger("crossreg")


def new_parser(docstring: str | None, outcome: bool = False) -> argparse.ArgumentParser:
    """Return a parser described by a script's `docstring`, with the options all scripts have.

    With `outcome`, there is the option --note-missing, for `run` with outputs.
    """
    parser = argparse.ArgumentParser(
        description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"crossreg {__version__}")
    parser.add_argument(
        "--log",
        type=Path,
        metavar="FILE",
        help="write a dated log here; the terminal then shows warnings and errors only",
    )
    if outcome:
        parser.add_argument(
            "--note-missing",
            action="store_true",
            help="if the stacks cannot be registered, write why in place of outputs and succeed",
        )
    return parser


def add_tolerance_option(parser: argparse.ArgumentParser) -> None:
    """Add the option --tolerance-nm, whose value is two numbers or None."""
    parser.add_argument(
        "--tolerance-nm",
        type=float,
        nargs=2,
        metavar=("XY", "Z"),
        help="standard error in nm up to which a block is registered well enough",
    )


def run(
    parser: argparse.ArgumentParser,
    main: Callable[[argparse.Namespace], int | None],
    argv: Sequence[str] | None = None,
    outputs: Sequence[str] = (),
) -> int:
    """Run `main` with the parsed options and return the exit status.

    `main` returns None or an exit status. A UserError, a full disk or a missing permission
    becomes one sentence and status 1. Any other exception is a fault of the program: its
    traceback goes to the log (to the terminal where there is no log), status 2.
    `outputs` are options whose values are what the command writes. With them and the option
    --note-missing, a UserError is an outcome: every output that was asked for becomes a note with
    the sentence, which is a warning, and the status is 0.
    """
    options = parser.parse_args(argv)
    try:
        _start_log(None)
        # A log is a file of the user's choosing, too.
        check_outputs(options)
        _start_log(options.log)
        with share_results():
            return _main_or_note(main, options, outputs)
    except UserError as error:
        log.error("%s", error)
        return 1
    except OSError as error:
        log.error("%s", describe_os_error(error))
        log.debug("where it happened:", exc_info=True)
        return 1
    except MemoryError as error:
        log.error("Not enough memory (%s): give the job more, or use fewer cores.", error)
        return 1
    except Exception as error:
        where = f"; the traceback is in {options.log}" if options.log else ""
        log.error("unexpected %s: %s%s", type(error).__name__, error, where)
        traceback_level = logging.DEBUG if options.log else logging.ERROR
        log.log(traceback_level, "where it happened:", exc_info=True)
        return 2
    finally:
        logging.shutdown()


@contextlib.contextmanager
def in_one_sentence() -> Iterator[None]:
    """End the program with one sentence after a UserError or an error of the operating system."""
    try:
        yield
    except UserError as error:
        raise SystemExit(f"ERROR: {error}") from None
    except OSError as error:
        raise SystemExit(f"ERROR: {describe_os_error(error)}") from None


def _main_or_note(
    main: Callable[[argparse.Namespace], int | None],
    options: argparse.Namespace,
    outputs: Sequence[str],
) -> int:
    try:
        return main(options) or 0
    except DamagedResultError as error:
        # Of an earlier job, which shall make it again: this is no outcome.
        ask_if_damaged(error)
        raise
    except UserError as error:
        if not outputs or not options.note_missing:
            raise
        for path in filter(None, (getattr(options, name) for name in outputs)):
            note_missing(path, str(error))
            ask_again(path, str(error))
        log.warning("%s", error)
        return 0


def describe_os_error(error: OSError) -> str:
    """Return one plain sentence for an error of the operating system."""
    name = error.filename2 or error.filename or "a file"
    if error.errno == errno.ENOSPC:
        return f"{name}: the disk is full; free some space and run again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{name}: no permission; make it accessible or choose another place."
    if error.errno == errno.ENOENT:
        return f"{name}: the file is gone; it was removed or renamed during the run."
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return f"{name}: a file is where a folder is needed; choose another place."
    return f"{name}: {error.strerror or error}."


def _start_log(path: Path | None) -> None:
    """Send messages to the terminal in short and to `path` with dates and debug messages.

    With a `path` the terminal shows warnings and errors only: there are thousands of jobs.
    """
    for handler in list(log.handlers):
        log.removeHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    # A log that a full disk keeps from being written is no reason for a traceback.
    logging.raiseExceptions = False
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(logging.INFO if path is None else logging.WARNING)
    terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    log.addHandler(terminal)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = logging.FileHandler(path, mode="w", encoding="utf-8")
        file.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S")
        )
        log.addHandler(file)
