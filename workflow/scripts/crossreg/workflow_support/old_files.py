"""Files in a results folder that belong to cycles or ROIs which are no longer registered."""

from collections.abc import Iterable
from pathlib import Path

from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.files import TEMPORARY_PREFIX
from crossreg.workflow_support.again import MARK_PREFIX
from crossreg.workflow_support.discovery import SAFE_NAME
from crossreg.workflow_support.places import OF_REFERENCES, PICTURES_OF_CYCLE, PLACES, pattern

WILDCARDS = {
    "roi": "[0-9]+",
    "cycle": SAFE_NAME.pattern,
    "kind": "|".join(PICTURES_OF_CYCLE),
    "step": "(?:reference|register|picture|summary)_[a-z_]+",
}
LOGS = {
    "log_of_cycle": "logs/{step}/{roi}/{cycle}.log",
    "benchmark_of_cycle": "benchmarks/{step}/{roi}/{cycle}.tsv",
    "log_of_roi": "logs/{step}/{roi}.log",
    "benchmark_of_roi": "benchmarks/{step}/{roi}.tsv",
}
OF_ROIS_AND_CYCLES = {name: place for name, place in {**PLACES, **LOGS}.items() if "{roi}" in place}
# Files below a results folder as the rules name them; those of other names are somebody else's.
PATTERNS = {name: pattern(place, WILDCARDS) for name, place in OF_ROIS_AND_CYCLES.items()}
FOLDERS = sorted({place.split("/")[0] for place in OF_ROIS_AND_CYCLES.values()})


def old_files(results: Path | str, samples: Iterable[Sample], reference: str) -> list[Path]:
    """Return the files in `results` of no sample, and those that killed jobs left.

    Files of a cycle that has no log of its registration are not the workflow's. The logs come last,
    so that whoever removes the files one by one may be stopped at any time.
    """
    cycles: dict[str, set[str]] = {}
    for sample in samples:
        names = cycles.setdefault(sample.roi, set())
        if sample.cycle != reference:
            names.add(sample.cycle)
    files = (path for name in FOLDERS for path in Path(results, name).rglob("*"))
    old = [
        path
        for path in files
        if _is_old(path, Path(results), cycles) and path.is_file() and not path.is_symlink()
    ]
    return sorted(old, key=lambda path: (path.relative_to(results).parts[0] == "logs", path))


def _is_old(path: Path, results: Path, cycles: dict[str, set[str]]) -> bool:
    name = path.name.removeprefix(TEMPORARY_PREFIX).removeprefix(MARK_PREFIX)
    place = path.relative_to(results).with_name(name).as_posix()
    for kind, expression in PATTERNS.items():
        match = expression.fullmatch(place)
        if match:
            values = match.groupdict()
            roi, cycle = values["roi"], values.get("cycle")
            return path.name.startswith(TEMPORARY_PREFIX) or (
                _was_registered(results, roi, cycle) and not _is_needed(kind, roi, cycle, cycles)
            )
    return False


def _is_needed(kind: str, roi: str, cycle: str | None, cycles: dict[str, set[str]]) -> bool:
    """Return whether a run over these cycles makes or uses a result."""
    if cycle is not None:
        return cycle in cycles.get(roi, ())
    return roi in cycles if kind in OF_REFERENCES | LOGS.keys() else bool(cycles.get(roi))


def _was_registered(results: Path, roi: str, cycle: str | None) -> bool:
    """Return whether there is the log of a registration; else the files are not the workflow's."""
    log = results / "logs" / "register_global" / roi
    return log.is_dir() if cycle is None else (log / f"{cycle}.log").is_file()
