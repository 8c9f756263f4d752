# What a run tells the person in front of it, at its start, during it and at its end.

import logging

from crossreg.workflow_support import progress


def targets():
    """Return how many jobs of this run only gather what others made."""
    return sum(job.is_norun for job in workflow.dag.needrun_jobs(exclude_finished=False))


def registered_cycles():
    """Return how many cycles this run has registered, and how many it registers in all."""
    if not WITH_FIDUCIALS:
        return 0, 0
    jobs = [
        job
        for job in workflow.dag.needrun_jobs(exclude_finished=False)
        if job.rule.name == LAST_STEP
    ]
    return sum(map(workflow.dag.finished, jobs)), len(jobs)


def wildcards_of(number):
    """Return the wildcards of the job of this number."""
    jobs = workflow.dag.needrun_jobs(exclude_finished=False)
    return next((job.wildcards_dict for job in jobs if workflow.dag.jobid(job) == number), {})


# A line that a plain locale cannot spell, as with the name of a folder, is no reason for a traceback.
logging.raiseExceptions = False
for handler in logger.handlers:
    if handler.name == "DefaultStreamHandler":
        run_log = progress.RunLog(
            logger.log, lambda: workflow.dryrun, targets, registered_cycles, wildcards_of
        )
        handler.filters.insert(0, run_log)


def registers_cycles():
    """Return whether this run works on the fiducial chain."""
    jobs = workflow.dag.needrun_jobs(exclude_finished=False)
    return any("roi" in job.rule.wildcard_names for job in jobs)


def makes_report():
    """Return whether this run makes the page that shows it all."""
    jobs = workflow.dag.needrun_jobs(exclude_finished=False)
    return any(job.rule.name == "report" for job in jobs)


def tell_start():
    """Print what this run will do, and what it takes from earlier results."""
    jobs = [job for job in workflow.dag.needrun_jobs() if not job.is_norun]
    if registers_cycles():
        to_register = sum(job.rule.name == LAST_STEP for job in jobs)
        names = [job.rule.name for job in jobs]
        text = progress.start_text(len(ROIS), len(CYCLES), REFERENCE, names, to_register)
        logger.info(text)


def warnings_of_jobs():
    """Return the warnings in the logs of this run's jobs."""
    jobs = workflow.dag.needrun_jobs(exclude_finished=False)
    return [warning for job in jobs for warning in told_in_logs(job, " WARNING ")]


def tell_end():
    """Print warnings of jobs, a table of the results and where they are; the demo's figures last.

    There is no table where somebody stopped the run: it would show what was there before.
    """
    warnings = progress.warnings_text(warnings_of_jobs())
    if warnings:
        logger.warning(warnings)
    if "trakem2" in CONFIGURATION:
        tell_projects()
    if registers_cycles() and unfinished_jobs() and not workflow.scheduler.failed:
        logger.info("The run was stopped: run it again to go on.")
    elif registers_cycles():
        tell_registered()
    elif makes_report() and os.path.exists(results("report.html")):
        logger.info(f"report: {results('report.html')}")


def report_kind():
    """Return what to call the report there may be: made of these results, or of earlier ones."""
    times = [
        os.path.getmtime(results(name))
        for name in ("report.html", "summary.tsv")
        if os.path.exists(results(name))
    ]
    old = len(times) == 2 and times[0] < times[1]
    return "report of earlier results (make it anew with the target 'report')" if old else "report"


def tell_registered():
    """Print a table of the registered cycles and where the results are."""
    # Only here, where a run ends: the library of tables takes a second to import.
    from crossreg.fiducial.summary import read_summaries

    parts = [results("summary", f"{roi}.tsv") for roi in ROIS]
    try:
        summaries = [
            cycle for part in parts if os.path.isfile(part) for cycle in read_summaries(part)
        ]
    except UserError as error:
        logger.error(f"ERROR: {error}")
        return
    if summaries:
        logger.info(progress.summary_text(summaries))
        kinds = {"tables": "", "pictures": "pictures", "logs": "logs", report_kind(): "report.html"}
        places = {kind: results(name) for kind, name in kinds.items()}
        told = [f"{kind}: {place}" for kind, place in places.items() if os.path.exists(place)]
        logger.info(", ".join(told))
    comparison = results("demo_comparison.txt")
    if IS_DEMO and os.path.isfile(comparison):
        logger.info(Path(comparison).read_text(encoding="utf-8").rstrip())
