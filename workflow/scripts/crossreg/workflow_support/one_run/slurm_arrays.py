"""Repairs of job arrays in the releases of Snakemake's SLURM plugin that are known here; no others.

This is the one module that knows internals of another program. With any other release of the plugin
it changes nothing, and says so once.

The plugin (2.8, jobstep 0.6) starts every task of an array as the array's first job,
and the task's own job from within that. So whenever a job fails, the outputs of the first one are
removed, and when the first one fails or is late, all others count as failed. A task that turns
into its own job at once is free of both. It is on its node already, so it does without the job step
that would start Snakemake once more: two starts instead of three.
"""

import base64
import importlib.metadata
import json
import os
import sys
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

PLUGIN = "snakemake_executor_plugin_slurm"
KNOWN_RELEASES = {
    "snakemake-executor-plugin-slurm": ("2.8.",),
    "snakemake-executor-plugin-slurm-jobstep": ("0.6.",),
}
"""The beginnings of the releases whose faults are known."""

OPTION = "--slurm-jobstep-array-execs"
"""Holds the commands of the other tasks: base64 of JSON {task: hex of the zlib of a command}."""
AS_JOB_STEP = "--executor slurm-jobstep --jobs 1"
"""What makes such a command start itself once more, by `srun`."""


def repair(is_job: bool) -> None:
    """Mend the arrays of this run, or become the job that this task of an array is meant to be.

    Does nothing without the plugin; with a release that is not known, only warns.
    """
    command = own_command(sys.argv, os.environ) if is_job else None
    if command is None and (is_job or PLUGIN not in sys.modules):
        return
    unknown = unknown_releases()
    if unknown and not is_job:
        print(
            f"WARNING: job arrays of {', '.join(unknown)} are not known here and are left as they"
            ' are; if jobs fail without a reason, add the option --slurm-array-jobs "".',
            file=sys.stderr,
        )
    elif command is not None and not unknown:
        sys.stdout.flush()
        os.execvp("sh", ["sh", "-c", command])
    elif not is_job:
        submit_all_jobs()


def unknown_releases() -> list[str]:
    """Return name and release of the packages that are not known here."""
    installed = {name: importlib.metadata.version(name) for name in KNOWN_RELEASES}
    return [
        f"{name} {installed[name]}"
        for name, known in KNOWN_RELEASES.items()
        if not installed[name].startswith(known)
    ]


def own_command(argv: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Return the shell command of the job that this process should be; None if it is that job.

    `argv` are the words of this process, `environment` its variables.
    """
    task = environment.get("SLURM_ARRAY_TASK_ID")
    words: list[str] = []
    for word in argv:
        words += word.split("=", 1) if word.startswith(OPTION) else [word]
    if task is None or OPTION not in words[:-1]:
        return None
    commands = json.loads(base64.b64decode(words[words.index(OPTION) + 1]))
    if task not in commands:
        # The first task of an array is not among them.
        return None
    return zlib.decompress(bytes.fromhex(commands[task])).decode().replace(AS_JOB_STEP, "")


def submit_all_jobs() -> None:
    """Make the plugin submit every job that it is handed, if it is there.

    It holds back an array as long as more jobs of its rule are ready, but is never handed those it
    held back again: with more ready jobs than Snakemake hands over at once (`jobs`, 100 a second)
    a run never ends (https://github.com/snakemake/snakemake-executor-plugin-slurm/issues/473).
    And it asks for the resources of the first job for a whole array, so that a repeated job would
    get no more than before beside a new one: only jobs that ask for the same share an array.
    """
    plugin = sys.modules.get(PLUGIN)
    if plugin:
        plugin.pending_jobs_for_rule = lambda dag, rule: 0  # type: ignore[attr-defined]
        submit_array = plugin.Executor._submit_array_jobs

        def submit_alike(executor: Any, jobs: Sequence[Any]) -> None:
            """Submit jobs that ask for the same together."""
            for alike in groups_of_alike(jobs):
                if len(alike) == 1:
                    executor._submit_job(alike[0])
                else:
                    submit_array(executor, alike)

        plugin.Executor._submit_array_jobs = submit_alike


def groups_of_alike(jobs: Sequence[Any]) -> list[list[Any]]:
    """Return the jobs grouped by the threads and resources that they ask for."""
    groups: dict[Any, list[Any]] = {}
    for job in jobs:
        asked = sorted((name, str(value)) for name, value in job.resources.items())
        groups.setdefault((job.threads, tuple(asked)), []).append(job)
    return list(groups.values())
