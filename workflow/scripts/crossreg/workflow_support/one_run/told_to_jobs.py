"""What the main process of a run tells its jobs on other nodes, by their environment.

Such a job reads the rules again. It takes over what the main process found out.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TOLD = "CROSSREG_TOLD"
"""The environment variable: JSON {absolute path of the results: what is told about this run}."""


@dataclass(frozen=True)
class Told:
    """The folder that a run was started in, and the hash of each script's code."""

    folder: str
    code: Mapping[str, str]


def tell_jobs(results: str, told: Told) -> None:
    """Let processes that this one starts know that they are jobs of a run on `results`."""
    os.environ[TOLD] = json.dumps(_all_told() | {results: asdict(told)})


def is_of_a_run() -> bool:
    """Return whether this process was started by a run of the workflow, not by hand."""
    return bool(_all_told())


def told_about(results: str) -> Told | None:
    """Return what was told about a run on `results`; None if this process is no job of one."""
    told = _all_told().get(results)
    return Told(**told) if told else None


def folder_of_run(folder: Path) -> Path:
    """Return the folder that relative paths of a configuration are relative to.

    That is the `folder` of this process, but for a job that was started in the results.
    """
    here = folder.resolve()
    for results, told in _all_told().items():
        if Path(results).resolve() == here:
            return Path(told["folder"])
    return folder


def _all_told() -> dict[str, dict[str, Any]]:
    told: dict[str, dict[str, Any]] = json.loads(os.environ.get(TOLD, "{}"))
    return told
