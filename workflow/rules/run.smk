# What happens once a run, in the main process only: before its first job, and after its last.

import contextlib
import subprocess
import uuid
from functools import cache

from crossreg.workflow_support import locks
from crossreg.workflow_support.command import describe_os_error
from crossreg.workflow_support.missing import write_missing
from crossreg.io.files import write_text_if_new
from crossreg.workflow_support.records import check_records, keep_records
from crossreg.workflow_support.versions import changed_code, remember_code

CODE_FILE = log_file("code.json")
MISSING_FILE = log_file("missing.tsv")
# Rules that sum up cycles, in their order: they can do with the cycles that are done.
MERGED_TABLES = ("merge_register_global", "merge_register_local")
FROM_TABLES_OF_CYCLES = (*MERGED_TABLES, "summary_of_roi")
FROM_DONE_CYCLES = (
    *FROM_TABLES_OF_CYCLES,
    "summary",
    "picture_drift",
    "picture_experiment",
    "report",
)
# File -> its text: what jobs or people read and the main process found out.
TEXTS = {}
# Functions to call once this run holds the results folder.
BEFORE_FIRST_JOB = []
if workflow.is_main_process:
    os.environ[locks.JOBS_LOCK] = str(locks.jobs_lock(RESULTS).absolute())
    os.environ[locks.RUN_NAME] = uuid.uuid4().hex


@cache
def run_begins():
    """Hold the results folder and prepare jobs; a dry run or a mere question leaves no trace.

    Rules call it where their inputs are worked out: only then is known whether this is a real
    run, and Snakemake has not yet looked at its own locks, of which those of killed runs go.
    """
    if not workflow.is_main_process or workflow.executor_plugin is None:
        return None
    # Which makes records of all results, once it has got to its end.
    is_forced = workflow.dag_settings.forceall
    try:
        if workflow.dryrun:
            if not is_forced:
                check_records(RESULTS, Path.cwd())
            return None
        held = locks.hold_results(RESULTS, os.environ[locks.RUN_NAME], logger.info)
        if held:
            locks.remove_stale_locks(Path(".snakemake", "locks"), RESULTS)
        else:
            logger.warning(
                f"{RESULTS}: its file system knows no locks, so that nothing keeps a second run off;"
                " start no other run on this folder until this one has ended."
            )
        if not is_forced:
            check_records(RESULTS, Path.cwd())
            keep_records(RESULTS, Path.cwd())
        for path, text in TEXTS.items():
            write_text_if_new(path, text)
        for function in BEFORE_FIRST_JOB:
            function()
    except (UserError, OSError) as error:
        sentence = str(error) if isinstance(error, UserError) else describe_os_error(error)
        raise SystemExit(f"ERROR: {sentence}") from None
    changed = changed_code(CODE_FILE, CODE_HASHES)
    if changed:
        logger.warning(
            f"{RESULTS} was made by another version of {', '.join(changed)}: jobs that use it, and"
            " what depends on them, run again. To keep the old results, stop now and give another"
            " folder with the key 'results'."
        )
    return held


@contextlib.contextmanager
def os_errors_told():
    """Tell an error of the operating system in the block, such as a full disk, and go on."""
    try:
        yield
    except OSError as error:
        logger.error(f"ERROR: {describe_os_error(error)}")


def unfinished_jobs():
    """Return the jobs that this run should have done and did not."""
    return [job for job in workflow.dag.needrun_jobs() if not workflow.dag.finished(job)]


def remember_finished_code():
    """Keep the hashes of the scripts that made results and are done with it, for `changed_code`."""
    unfinished = {job.rule.name for job in unfinished_jobs()}
    used = {
        job.params.get("code")
        for job in workflow.dag.jobs
        if job.output and job.rule.name not in unfinished
    }
    remember_code(CODE_FILE, {name: value for name, value in CODE_HASHES.items() if value in used})


def told_in_logs(job, level):
    """Return the messages of a level in the logs that a job wrote in this run."""
    told = []
    for path in job.log:
        with contextlib.suppress(OSError):
            # A job that was never started leaves the log of an earlier run as it is. Both times
            # are of the same file system, whose clock need not be that of this machine.
            if os.stat(path).st_mtime >= os.stat(locks.run_lock(RESULTS)).st_mtime:
                lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
                told += [line.partition(level)[2] for line in lines if level in line]
    return told


def reason_of_failure(job):
    """Return in one sentence why a job failed: the last error in its log."""
    errors = told_in_logs(job, " ERROR ")
    if errors:
        return " ".join(errors[-1].split())
    return (
        f"the job {job.rule.name} was ended from outside (memory, run time, a full disk, or"
        " cancelled)."
    )


def reasons_of_cycle(roi, cycle):
    """Return why a cycle's rows are missing: its own failed jobs, or those of its ROI's reference."""
    failed = [
        job
        for job in workflow.scheduler.failed
        if job.wildcards_dict.get("roi") == roi and job.wildcards_dict.get("cycle", cycle) == cycle
    ]
    reasons = " ".join(dict.fromkeys(reason_of_failure(job) for job in failed))
    return reasons or "the run was stopped before."


def make_what_there_is():
    """Make the tables, summaries and pictures of many cycles from the cycles that are done.

    They name the others and say why. Snakemake would wait for all cycles; it is told that these
    files are unfinished, so that the next run makes them anew. A run that somebody stopped only
    merges its tables.
    """
    if not WITH_FIDUCIALS:
        return
    failed = workflow.scheduler.failed
    not_made = set()
    for name in FROM_DONE_CYCLES if failed else MERGED_TABLES:
        for job in [job for job in unfinished_jobs() if job.rule.name == name]:
            # Those that read the tables of cycles can do without one that is damaged.
            lost = job in failed and name not in FROM_TABLES_OF_CYCLES
            if lost or not not_made.isdisjoint(job.input) or not made(job):
                not_made.update(job.output)


@cache
def missing_cycles(step):
    """Return why a step of a (ROI, cycle) was not done, of those that this run left undone."""
    keys = [
        (job.wildcards.roi, job.wildcards.cycle)
        for job in unfinished_jobs()
        if job.rule.name == step
    ]
    return {key: reasons_of_cycle(*key) for key in keys}


def made(job):
    """Make a job's files without the cycles that are missing; return whether that went well."""
    step = job.rule.name.removeprefix("merge_") if job.rule.name in MERGED_TABLES else LAST_STEP
    missing = missing_cycles(step)
    command = job.shellcmd
    if job.rule.name in FROM_TABLES_OF_CYCLES:
        write_missing(MISSING_FILE, missing)
        command += f" --missing {shlex.quote(MISSING_FILE)}"
    for path in (*job.output, *job.log):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    workflow.persistence.started(job)
    return subprocess.run(command, shell=True).returncode == 0
