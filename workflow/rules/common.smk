# What all rules share: configuration, discovery, hashes of code, stamps of files, places of files.

import gc
import os
import shlex
import sys
from pathlib import Path

from snakemake.persistence.file import FilePersistence

REPOSITORY = Path(workflow.basedir)
SCRIPTS = REPOSITORY / "workflow" / "scripts"
ENVIRONMENT = str(REPOSITORY / "envs" / "crossreg.yaml")
sys.path.insert(0, str(SCRIPTS))
# Snakemake keeps every job until it ends: looking for garbage among them every few hundred objects
# takes a fifth of the time of a large dry run and frees nothing.
gc.set_threshold(100_000, 50, 1000)

from crossreg.workflow_support.slurm_arrays import own_command, submit_all_jobs
from crossreg.workflow_support.code_hash import code_hash
from crossreg.workflow_support.configuration_file import check_keys_stand_once
from crossreg.io.errors import UserError
from crossreg.workflow_support.discovery import check_path
from crossreg.io.files import read_json
from crossreg.workflow_support.locks import share_results
from crossreg.io.schema import checked

ARRAY_TASK = own_command(sys.argv, os.environ)
if ARRAY_TASK:
    # This process was started as another job of the same array.
    sys.stdout.flush()
    os.execvp("sh", ["sh", "-c", ARRAY_TASK])
if workflow.is_main_process:
    submit_all_jobs()
else:
    # Of the files of a job on a node only the main process knows, once it has taken note of them,
    # that they are finished: should it be killed before, the next run makes them again.
    FilePersistence._unmark_incomplete = lambda *_: None
    try:
        JOB = share_results()
    except UserError as error:
        raise SystemExit(f"ERROR: {error}") from None

# Inside a conda environment `python` is the right one; otherwise it is the one that runs now,
# which need not be the first on the PATH.
PYTHON = (
    "python"
    if "conda" in str(workflow.deployment_settings.deployment_method).lower()
    else shlex.quote(sys.executable)
)
IS_DEMO = not workflow.overwrite_configfiles
# Script -> hash of its code, of all rules there are.
CODE_HASHES = {}
WITH_FIDUCIALS = any(key in config for key in ("images", "samples", "parameters"))
WITH_CROSSMODAL = any(key in config for key in ("trakem2", "apply_global_affine"))


def located(path):
    """Return a path of the configuration: the demo's are relative to the repository."""
    if path is None or os.path.isabs(path) or not IS_DEMO or Path.cwd() == REPOSITORY:
        return path
    return str(REPOSITORY / path)


def checked_configuration():
    """Return the configuration with defaults; raise UserError if it is faulty."""
    source = ", ".join(map(str, workflow.overwrite_configfiles)) or "config/config.yaml"
    for path in workflow.overwrite_configfiles if workflow.is_main_process else ():
        check_keys_stand_once(path)
    values = checked(
        dict(config),
        read_json(REPOSITORY / "workflow/scripts/crossreg/schemas/config.json"),
        source,
    )
    if WITH_FIDUCIALS:
        if "images" in values and "samples" in values:
            raise UserError(f"{source}: 'images' and 'samples' are both given; keep one of them.")
        if "images" not in values and "samples" not in values:
            raise UserError(f"{source}: the key 'images' or 'samples' is missing; add one of them.")
        if "parameters" not in values:
            raise UserError(f"{source}: the key 'parameters' is missing; add it.")
    elif not WITH_CROSSMODAL:
        raise UserError(
            f"{source}: nothing to do: give 'images' (or 'samples') and 'parameters', or 'trakem2'."
        )
    for key in ("images", "samples", "parameters", "register_global", "results"):
        if key in values:
            values[key] = located(values[key])
    check_path(values["results"])
    if os.path.realpath(values.get("images") or "") == os.path.realpath(values["results"]):
        raise UserError(
            f"{source}: 'images' and 'results' are one folder, {values['results']}; give the results"
            " a folder of their own."
        )
    for section in ("trakem2", "apply_global_affine"):
        locate_in_section(values.get(section, {}))
    return values


def locate_in_section(section):
    """Locate the paths in a section of the cross-modal chain."""
    for keys in (section, section.get("stacks", {})):
        for key in ("parameters", "registered", "folder"):
            if key in keys:
                keys[key] = located(keys[key])
                check_path(keys[key])


def listed(names):
    """Return a list of names from the configuration as text; None stays None."""
    return None if names is None else [str(name) for name in names]


def script(name):
    """Return the shell command that runs a script of this workflow."""
    return f"{PYTHON} {shlex.quote(str(SCRIPTS / name))}"


def code(name):
    """Return a hash of a script and its modules: jobs rerun when the code changes, and only then.

    Jobs need no hash: what the main process recorded counts.
    """
    if workflow.is_main_process and name not in CODE_HASHES:
        CODE_HASHES[name] = code_hash(SCRIPTS / name)
    return CODE_HASHES.get(name, "")


def results(*parts):
    """Return the path of a result."""
    return os.path.join(RESULTS, *parts)


def log_file(*parts):
    """Return the path of a job's log."""
    return results("logs", *parts)


def benchmark_file(rule, *parts):
    """Return the path of a job's run time and memory."""
    return results("benchmarks", rule, *parts) + ".tsv"


def stamp(path):
    """Return size and time stamp of an input file, by which also an older replacement is seen."""
    if IS_DEMO:
        return "made by the workflow"
    try:
        status = os.stat(path)
    except OSError:
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"


try:
    CONFIGURATION = checked_configuration()
except UserError as error:
    raise SystemExit(f"ERROR: {error}") from None
RESULTS = CONFIGURATION["results"]
