"""What a run says itself to the person in front of it, before its first job and at its end."""

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from crossreg.io.files import read_text, write_text, write_text_if_new
from crossreg.io.plurals import counted
from crossreg.workflow_support.for_rules.fiducial_chain import FiducialChain
from crossreg.workflow_support.one_run.code_versions import changed_code, remember_code
from crossreg.workflow_support.one_run.locks import hold_results, run_lock
from crossreg.workflow_support.one_run.old_files import old_files
from crossreg.workflow_support.one_run.told_to_jobs import Told, tell_jobs
from crossreg.workflow_support.result_paths import RESULT_PATHS, ResultPaths

STOPPED = (
    "Not everything is done; the messages above say why. What is done is kept: run the same command"
    " again to go on."
)
LAST_WORDS = {
    "closing_table": ("summary", "all_cycles_registered"),
    "demo_comparison": ("compare_with_planted",),
}
"""Text that a run prints at its end -> the rules of which a job must have been in it."""


def begin(
    held: contextlib.ExitStack,
    results: str,
    folder: Path,
    hashes: Mapping[str, str],
    chain: FiducialChain | None,
) -> None:
    """Hold the results for this run and say what is to be known before its first job.

    They are held until `held` is closed. `folder` is the one that the run was started in. Raises
    UserError if another run is at work on them.
    """
    paths = ResultPaths(results)
    lock = hold_results(results, tell)
    if lock:
        held.enter_context(lock)
    else:
        tell(
            f"WARNING: {results}: its file system knows no locks, so that nothing keeps a second"
            " run off; start no other run on this folder until this one has ended."
        )
    if chain:
        _begin_chain(paths, chain)
    tell_jobs(results, Told(str(folder), hashes))
    changed = changed_code(paths("code_hashes"), hashes)
    if changed:
        tell(
            f"WARNING: {results} was made by another version of {', '.join(changed)}: jobs that use"
            " it, and what depends on them, run again. To keep the old results, stop now and give"
            " another folder with the key 'results'."
        )


def _begin_chain(paths: ResultPaths, chain: FiducialChain) -> None:
    """Write what jobs on other nodes need to know of the stacks, and say what a person should."""
    experiment = chain.experiment
    for name, text in (
        ("known_stacks", experiment.sheet_for_jobs),
        ("ignored_files", "".join(f"{line}\n" for line in experiment.ignored)),
    ):
        write_text_if_new(paths(name), text)
    _mend_lists(paths, chain)
    rois, rounds = counted(len(chain.rois), "ROI"), {cycle for _, cycle in chain.cycles}
    tell(
        f"{rois}, {counted(len(rounds), 'cycle')}: {counted(len(chain.cycles), 'stack')} to"
        f" register to {chain.reference}."
    )
    for sentence in (*experiment.remarks, *(f"WARNING: {one}" for one in experiment.warnings)):
        tell(sentence)
    _tell_old_files(paths, chain)


def _mend_lists(paths: ResultPaths, chain: FiducialChain) -> None:
    """Write the lists of stacks again that were cut or changed since their job wrote them.

    No job of this run has read them yet, and all that did will run again.
    """
    log = Path(paths.log("samples"))
    written = log.read_text(encoding="utf-8").split() if log.is_file() else []
    for name, text in zip(("samples", "gaps"), chain.texts, strict=True):
        path = Path(paths(name))
        if written and path.is_file() and sha256(path.read_bytes()).hexdigest() not in written:
            write_text(path, text)
            tell(
                f"WARNING: {path} was damaged or changed by hand, and is written anew; to leave out"
                " stacks, use the keys 'rois' and 'cycles'."
            )


def _tell_old_files(paths: ResultPaths, chain: FiducialChain) -> None:
    """Say once a run which files nothing makes any more; only `prune` removes them."""
    old = old_files(paths.root, chain.experiment.samples, chain.reference)
    if old:
        listed = paths("old_files")
        write_text_if_new(listed, "".join(f"{path}\n" for path in old))
        tell(
            f"In {paths.root} there are {counted(len(old), 'file')} of cycles no longer there, or"
            f" of another format, such as {old[0]}; {listed} lists them all, and the target"
            " 'prune' removes them."
        )


def end_well(results: str, hashes: Mapping[str, str]) -> None:
    """Say what came out of a run that succeeded, and keep which code made it."""
    paths = ResultPaths(results)
    remember_code(paths("code_hashes"), hashes)
    _tell_last_words(paths)
    kinds = {"tables": "", "pictures": "pictures", "report": "report.html", "logs": "logs"}
    there = {kind: os.path.join(results, name) for kind, name in kinds.items()}
    tell(", ".join(f"{kind}: {path}" for kind, path in there.items() if os.path.exists(path)))
    for sentence in out_of_date(paths):
        tell(sentence)


def out_of_date(paths: ResultPaths) -> list[str]:
    """Return a sentence for each result that was made on request before those that it is made from.

    A run makes such results only where it is asked for them.
    """
    tables = [paths(name) for name in ("merged_global_table", "merged_local_table", "summary")]
    root = Path(paths.root)
    fields = [str(path) for path in root.glob(RESULT_PATHS["field"].format(roi="*", cycle="*"))]
    receipts = [str(path) for path in root.glob(RESULT_PATHS["spots_receipt"].format(table="*"))]
    # The receipt of a stack lies as its field does; one of spots rests on all fields.
    of_stacks = {
        paths("registered_stack", roi=Path(field).parent.name, cycle=Path(field).stem): [field]
        for field in fields
    }
    kinds = {
        "report": ({paths("report"): tables}, paths("report")),
        "register_localizations": (
            dict.fromkeys(receipts, fields),
            os.path.dirname(paths("registered_spots")),
        ),
        "register_stacks": (
            of_stacks,
            os.path.dirname(paths("registered_stack").partition("{")[0]),
        ),
    }
    return [
        f"{shown} is older than what it is made from; make it anew with the target {target}."
        for target, (made_from, shown) in kinds.items()
        if any(_is_older(path, sources) for path, sources in made_from.items())
    ]


def _is_older(path: str, sources: Sequence[str]) -> bool:
    """Return whether a file is there, and older than one of those that it is made from."""
    if not os.path.exists(path):
        return False
    made = os.path.getmtime(path)
    return any(os.path.getmtime(source) > made for source in sources if os.path.exists(source))


def end_with_error(results: str) -> None:
    """Say what came out of a run that failed or was stopped."""
    _tell_last_words(ResultPaths(results))
    tell(STOPPED)


def _tell_last_words(paths: ResultPaths) -> None:
    """Print the texts of rules that had a job in this run: its log is newer than the run's lock."""
    begun = os.path.getmtime(run_lock(paths.root))

    def had_job(rule: str) -> bool:
        log = paths.log(rule)
        return os.path.exists(log) and os.path.getmtime(log) >= begun

    for text, of_rules in LAST_WORDS.items():
        if any(map(had_job, of_rules)) and os.path.exists(paths(text)):
            tell(read_text(paths(text)).rstrip())


def tell(sentence: str) -> None:
    """Print a sentence where Snakemake prints its own."""
    print(sentence, file=sys.stderr, flush=True)
