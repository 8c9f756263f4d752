"""A task of a job array turns into its own job, as the SLURM plugin hands it over."""

import base64
import json
import zlib

import pytest

from crossreg.array_tasks import own_command

COMMANDS = {"2": "cd /a && snakemake --target-jobs b:c=d", "3": "snakemake 'x=y'"}
PAYLOAD = base64.b64encode(
    json.dumps({n: zlib.compress(c.encode(), 9).hex() for n, c in COMMANDS.items()}).encode()
).decode()
FORMS = {
    "one word": [f"--slurm-jobstep-array-execs={PAYLOAD}"],
    "two words": ["--slurm-jobstep-array-execs", PAYLOAD],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("task", "command"), [("1", None), *COMMANDS.items()])
def test_task_of_an_array(form, task, command):
    argv = ["snakemake", "--config", "a=b", *FORMS[form]]
    assert own_command(argv, {"SLURM_ARRAY_TASK_ID": task}) == command


def test_no_array_or_already_the_own_job():
    assert own_command(["snakemake", *FORMS["one word"]], {}) is None
    assert own_command(["snakemake", "--cores", "1"], {"SLURM_ARRAY_TASK_ID": "2"}) is None
    assert own_command(["snakemake"], {"SLURM_ARRAY_TASK_ID": "2"}) is None
