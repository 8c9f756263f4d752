"""Which job a task of a SLURM job array is.

Snakemake's SLURM plugin (2.8, jobstep 0.6) starts every task of an array as the array's first job,
and the task's own job from within that. So whenever a job fails, the outputs of the first one are
removed, and when the first one fails or is late, all others count as failed. A task that turns
into its own job at once is free of both, and starts Snakemake once less.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence

OPTION = "--slurm-jobstep-array-execs"
"""Holds the commands of the other tasks: base64 of JSON {task: hex of the zlib of a command}."""


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
    # The first task of an array is not among them.
    return zlib.decompress(bytes.fromhex(commands[task])).decode() if task in commands else None
