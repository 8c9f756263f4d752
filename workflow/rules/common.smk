# What all rules share: the configuration, the paths of results, the commands of scripts.

import contextlib
import gc
import logging
import os
import sys
from pathlib import Path

REPOSITORY = Path(workflow.snakefile).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "workflow" / "scripts"))
# A line that a plain locale cannot spell, as with the name of a folder, is no reason for a traceback.
logging.raiseExceptions = False
# Snakemake keeps every job until it ends: looking for garbage among them every few hundred objects
# takes a fifth of the time of a large dry run and frees nothing.
gc.set_threshold(100_000, 50, 1000)

from crossreg.workflow_support.one_run import locks, slurm_arrays
from crossreg.workflow_support.one_run.idle_timers import end_idle_timers
from crossreg.workflow_support.for_scripts.script_main import in_one_sentence
from crossreg.workflow_support.for_rules.rule_commands import Commands, prefer_this_python
from crossreg.workflow_support.inputs.configuration import (
    has_fiducials,
    has_sections,
    names_no_data,
    read_configuration,
)
from crossreg.workflow_support.result_paths import ResultPaths
from crossreg.workflow_support.one_run.told_to_jobs import folder_of_run, told_about
from crossreg.workflow_support.for_rules.resources import memory_of_sections, runtime_of_sections

# Another Snakefile that imports this one keeps its working folder: results lie below it.
IS_IMPORTED = Path(workflow.basedir).resolve() not in (REPOSITORY, REPOSITORY / "workflow")
# The default is the demo; a user's own file is complete in itself.
IS_DEMO = not workflow.configfiles and names_no_data(config)
if IS_DEMO:

    configfile: str(REPOSITORY / "config" / "config.yaml")


FOLDER = REPOSITORY if IS_DEMO else folder_of_run(Path.cwd())
with in_one_sentence():
    CONFIGURATION = read_configuration(config, workflow.configfiles, FOLDER)
    RESULTS = CONFIGURATION["results"]
    TOLD = told_about(RESULTS)
    IS_JOB = TOLD is not None
    # What this process holds until it ends.
    HELD = contextlib.ExitStack()
    if IS_JOB:
        HELD.enter_context(locks.share_results())
slurm_arrays.repair(IS_JOB)
prefer_this_python(os.environ)
end_idle_timers()

if not IS_IMPORTED:

    # Snakemake's records lie with the results, wherever a run is started.
    workdir: os.path.relpath(RESULTS)


ENVIRONMENT = str(REPOSITORY / "envs" / "crossreg.yaml")
commands = Commands(REPOSITORY / "workflow" / "scripts", TOLD.code if TOLD else {})
command, code = commands.command, commands.code
paths = ResultPaths.seen_from(Path.cwd(), RESULTS)


def caption(name):
    """Return the path of the text that says how to read a kind of picture."""
    return str(TEMPLATES / f"{name}.rst")
