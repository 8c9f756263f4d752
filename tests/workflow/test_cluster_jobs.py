"""What a job costs on a cluster: no discovery, few submissions, and every rule fit for it."""

import itertools
import json
import os
import re
import subprocess
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from crossreg.workflow_support.one_run.told_to_jobs import TOLD
from experiment import REPOSITORY

RULES = sorted((REPOSITORY / "workflow" / "rules").glob("*.smk"))
# Notes every folder that is listed and every file that is opened by a process and its children.
AUDIT = """\
import os, sys
def note(event, arguments):
    if event in ("os.listdir", "os.scandir", "open") and isinstance(arguments[0], str):
        path = os.path.realpath(arguments[0])
        if path.startswith(os.environ["WATCHED"]):
            os.write(NOTES, f"{event} {path}\\n".encode())
NOTES = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
sys.addaudithook(note)
"""
# What the SLURM executor makes a job run on its node.
JOB_ON_A_NODE = [
    *("--target-jobs", "register_global:roi=001,cycle=RT1", "--allowed-rules", "register_global"),
    *("--force", "--nolock", "--no-hooks", "--ignore-incomplete", "--max-inventory-time", "0"),
    *("--mode", "remote"),
    # As the profile of SLURM has it.
    *("--shared-fs-usage", "input-output", "software-deployment", "sources", "source-cache"),
    "storage-local-copies",
]


def let_the_main_process_know(again):
    """Write what the main process of a run here would: the copy's own stacks."""
    (again.results / "logs" / "stacks.tsv").write_text(
        "roi\tcycle\tpath\n"
        + "".join(
            f"{roi}\t{cycle}\t{again.image(roi, cycle)}\n"
            for roi in ("001", "002")
            for cycle in ("RT0", "RT1", "RT2")
        )
    )


def job_on_a_node(experiment, environment):
    """Run a job as SLURM does: started by another process, whose folder is that of the results."""
    command = experiment.command(*JOB_ON_A_NODE)
    command[command.index("config.yaml")] = str(experiment.folder / "config.yaml")
    told = {str(experiment.results): {"folder": str(experiment.folder), "code": {}}}
    done = subprocess.run(
        command,
        cwd=experiment.results,
        env=os.environ | environment | {TOLD: json.dumps(told)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_job_on_a_cluster_lists_no_images_and_opens_only_its_own(again, tmp_path):
    let_the_main_process_know(again)
    (tmp_path / "sitecustomize.py").write_text(AUDIT)
    notes = tmp_path / "notes"
    watched = again.folder / "images"
    environment = {
        "PYTHONPATH": f"{tmp_path}:{REPOSITORY / 'workflow' / 'scripts'}",
        "NOTES": str(notes),
        "WATCHED": str(watched.resolve()),
        # Else Python looks for modules in all folders of the working directory.
        "PYTHONSAFEPATH": "1",
    }
    job_on_a_node(again, environment)
    opened = {line.split(maxsplit=1)[0] for line in notes.read_text().splitlines()}
    paths = {Path(line.split(maxsplit=1)[1]).name for line in notes.read_text().splitlines()}
    assert opened == {"open"}
    assert paths == {again.image("001", cycle).name for cycle in ("RT0", "RT1")}
    # The same notes do see that a run of its own discovers the images.
    notes.write_text("")
    assert again.snakemake("--dry-run", env=environment).returncode == 0
    assert f"os.scandir {watched.resolve()}" in notes.read_text()


def test_a_job_that_ends_after_its_run_was_killed_is_made_again(again):
    table = "register_global/001/RT1.ecsv"
    # Snakemake's mark that a job has begun, which the killed run could not take back.
    mark = urlsafe_b64encode(table.encode()).decode()
    (again.results / ".snakemake" / "incomplete" / mark).write_text("{}")
    job_on_a_node(again, {})
    planned = again.succeed("--dry-run")
    assert re.search("^register_global +1$", planned, re.MULTILINE), planned


def rules():
    """Return (name, text) of every rule that makes something or runs a script."""
    for path in RULES:
        parts = re.split(r"^ *rule (\w+):$", path.read_text(), flags=re.MULTILINE)
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            # One script is Snakemake's own: it writes what a run found out.
            if "    script:\n" not in text and ("    output:\n" in text or "command(" in text):
                yield name, text


@pytest.mark.parametrize(("name", "text"), [pytest.param(*rule, id=rule[0]) for rule in rules()])
def test_every_rule_reruns_by_its_code_and_has_a_log_and_an_environment(name, text):
    (script,) = re.findall(r'command\((f?"[^"]+\.py")\)', text)
    assert f"code=code({script})" in text
    assert "    log:\n" in text
    assert "--log {log:q}" in text
    assert re.search(r"^ +conda:\s+ENVIRONMENT$", text, re.MULTILINE)


def test_every_setting_of_the_profiles_has_a_comment():
    for path in (REPOSITORY / "profiles").glob("*/config.yaml"):
        lines = path.read_text().splitlines()
        for before, line in itertools.pairwise(lines):
            if re.match(r"[a-z-]+:", line):
                assert before.startswith("#"), f"{path}: {line}"
