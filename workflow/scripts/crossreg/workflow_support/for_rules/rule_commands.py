"""The shell commands of rules: which script, run by which Python, and the hash of its code."""

import os
import shlex
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from crossreg.workflow_support.for_rules.code_hash import code_hash


class Commands:
    """The scripts of a folder as commands; their hashes are worked out once a run."""

    def __init__(self, folder: Path, hashes: Mapping[str, str]) -> None:
        """`hashes` are those that are known already."""
        self._folder, self.hashes = folder, dict(hashes)

    def command(self, name: str) -> str:
        """Return the shell command that runs a script."""
        return f"python3 {shlex.quote(str(self._folder / name))}"

    def code(self, name: str) -> str:
        """Return a hash of a script and its modules: jobs rerun when code changes, only then."""
        if name not in self.hashes:
            self.hashes[name] = code_hash(self._folder / name)
        return self.hashes[name]


def prefer_this_python(environment: MutableMapping[str, str]) -> None:
    """Make `python3` the interpreter that runs now, unless a job's own environment has another.

    It need not be the first on the PATH, where Snakemake was called by its path.
    """
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    folder = os.path.dirname(sys.executable)
    if folders[0] != folder:
        environment["PATH"] = os.pathsep.join([folder, *folders])
