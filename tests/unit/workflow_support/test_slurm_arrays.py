"""A task of a job array turns into its own job, as the SLURM plugin hands it over."""

import base64
import json
import logging
import zlib
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm as plugin
import yaml

from crossreg.workflow_support.one_run.slurm_arrays import (
    groups_of_alike,
    own_command,
    submit_all_jobs,
)
from experiment import REPOSITORY

STEP = "--executor slurm-jobstep --jobs 1"
COMMANDS = {"2": f"cd /a && snakemake --target-jobs b:c=d {STEP}", "3": f"snakemake 'x=y' {STEP}"}
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
    expected = command and command.replace(STEP, "")
    assert own_command(argv, {"SLURM_ARRAY_TASK_ID": task}) == expected


def test_no_array_or_already_the_own_job():
    assert own_command(["snakemake", *FORMS["one word"]], {}) is None
    assert own_command(["snakemake", "--cores", "1"], {"SLURM_ARRAY_TASK_ID": "2"}) is None
    assert own_command(["snakemake"], {"SLURM_ARRAY_TASK_ID": "2"}) is None


def test_every_job_is_submitted_however_few_are_handed_over_at_once(monkeypatch):
    """Snakemake hands over at most 100 a second, or as many as `jobs` leaves room for."""
    for owner, name in (
        (plugin, "pending_jobs_for_rule"),
        (plugin.Executor, "_submit_array_jobs"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    ready = [SimpleNamespace(rule=SimpleNamespace(name="a"), is_group=lambda: False)] * 390
    submitted = []
    executor = SimpleNamespace(
        array_jobs={"all"},
        max_array_size=500,
        workflow=SimpleNamespace(dag=SimpleNamespace(ready_jobs=ready)),
        logger=logging.getLogger("plugin"),
        _main_event_loop=object(),
        _submit_job=lambda job: submitted.append(job),
        _submit_array_jobs=submitted.extend,
    )
    plugin.Executor.run_jobs(executor, ready[:100])
    assert submitted == []  # as the plugin is
    submit_all_jobs()
    for count in (100, 100, 100, 89, 1):
        plugin.Executor.run_jobs(executor, ready[:count])
    assert len(submitted) == 390


def test_a_repeated_job_that_asks_for_more_shares_no_array_with_others():
    def job(attempt):
        return SimpleNamespace(threads=1, resources={"mem_mb": 1000 * attempt, "runtime": 10})

    jobs = [job(1), job(2), job(1), job(1), job(2), job(3)]
    asked = [[one.resources["mem_mb"] for one in group] for group in groups_of_alike(jobs)]
    assert asked == [[1000, 1000, 1000], [2000, 2000], [3000]]


def test_commands_of_the_largest_array_fit_into_one_argument():
    settings = yaml.safe_load((REPOSITORY / "profiles/slurm/config.yaml").read_text())
    folder = "/gpfs/projects/laboratory_of_chromatin/people/first.second/" + "experiment_2026_" * 8
    paths = " ".join(f"'{folder}/images/scan_001_RT{n}_001_ROI_decon_ch00.tif'" for n in range(4))
    options = " ".join(f"--option-{number} value{number**5}" for number in range(50))
    commands = {
        str(task): zlib.compress(f"python -m snakemake {task**9} {paths} {options}".encode(), 9)
        for task in range(2, settings["slurm-array-limit"] + 1)
    }
    assert len(zlib.decompress(commands["2"])) > 2000
    payload = base64.b64encode(json.dumps({t: c.hex() for t, c in commands.items()}).encode())
    # MAX_ARG_STRLEN of Linux, less the command of the first job and the options of sbatch.
    assert len(payload) < 131_072 - 10_000
