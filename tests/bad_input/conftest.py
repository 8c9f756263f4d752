"""What a command says to bad input."""

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from crossreg.workflow_support.for_scripts.script_main import new_parser, run


@pytest.fixture
def sentence_of(tmp_path, capsys) -> Callable[..., str]:
    """Return a function that runs a command or a reader and returns the one error it ends with.

    A command is the name of a script and its options; a reader is a function and its arguments,
    run as a script would. Neither may leave or change a file.
    """

    def told(what, *words) -> str:
        before = files_below(tmp_path)
        if callable(what):
            status = run(new_parser("a reader"), lambda _: what(*words) and None, [])
        else:
            script = importlib.import_module(what)
            status = run(script.parser(), script.main, [str(word) for word in words])
        said = capsys.readouterr().err
        errors = [line for line in said.splitlines() if line.startswith("ERROR: ")]
        assert (status, len(errors)) == (1, 1), said
        assert "Traceback" not in said
        assert files_below(tmp_path) == before
        return errors[0]

    return told


def files_below(folder: Path) -> dict[Path, bytes | None]:
    """Return the content of all files below a folder; None for what is no plain file."""
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if not path.is_dir()
    }
