# What a run tells the person in front of it, at its start, during it and at its end.

from crossreg import progress


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


for handler in logger.handlers:
    if handler.name == "DefaultStreamHandler":
        run_log = progress.RunLog(logger.log, lambda: workflow.dryrun, targets, registered_cycles)
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
    found = []
    for job in workflow.dag.needrun_jobs(exclude_finished=False):
        for path in job.log:
            if os.path.isfile(path):
                lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
                found += [line.partition(" WARNING ")[2] for line in lines if " WARNING " in line]
    return found


def tell_end():
    """Print warnings of jobs, a table of the results and where they are; the demo's figures last."""
    warnings = progress.warnings_text(warnings_of_jobs())
    if warnings:
        logger.warning(warnings)
    if "trakem2" in CONFIGURATION:
        tell_projects()
    if registers_cycles():
        tell_registered()
    elif makes_report() and os.path.exists(results("report.html")):
        logger.info(f"report: {results('report.html')}")


def tell_registered():
    """Print a table of the registered cycles and where the results are."""
    # Only here, where a run ends: the library of tables takes a second to import.
    from crossreg.fiducial.summary import read_summaries

    parts = [results("summary", f"{roi}.tsv") for roi in ROIS]
    summaries = [cycle for part in parts if os.path.isfile(part) for cycle in read_summaries(part)]
    if summaries:
        logger.info(progress.summary_text(summaries))
        kinds = {"tables": "", "pictures": "pictures", "logs": "logs", "report": "report.html"}
        places = [f"{kind}: {results(name)}" for kind, name in kinds.items()]
        logger.info(", ".join(place for place in places if os.path.exists(place.split(": ")[1])))
    comparison = results("demo_comparison.txt")
    if IS_DEMO and os.path.isfile(comparison):
        logger.info(Path(comparison).read_text(encoding="utf-8").rstrip())
