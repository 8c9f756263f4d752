"""Files in a results folder that belong to cycles or ROIs which are no longer registered."""

import re
from collections.abc import Iterable
from pathlib import Path

from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.files import TEMPORARY_PREFIX
from crossreg.workflow_support.discovery import SAFE_NAME

PARTS = {
    "roi": "(?P<roi>[0-9]+)",
    "cycle": f"(?P<cycle>{SAFE_NAME.pattern})",
    "picture": "(before_after|details|shifts|quality|preprocessing)",
    "step": "(reference|register|picture|summary)_[a-z_]+",
}


def _patterns(*places: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(place.replace(".", r"\.").format(**PARTS)) for place in places)


# Files below a results folder as the rules name them; those of other names are somebody else's.
OF_CYCLES = _patterns(
    "register_global/{roi}/{cycle}.ecsv",
    "register_local/{roi}/{cycle}.ecsv",
    "fields/{roi}/{cycle}.npz",
    "previews/{roi}/cycles/{cycle}.npz",
    "pictures/{roi}/{cycle}/{picture}.png",
    "logs/{step}/{roi}/{cycle}.log",
    "benchmarks/{step}/{roi}/{cycle}.tsv",
)
OF_ROIS = _patterns(
    "reference/{roi}/projection.npy",
    "reference/{roi}/blocks.npz",
    "previews/{roi}/reference.npz",
    "logs/{step}/{roi}.log",
    "benchmarks/{step}/{roi}.tsv",
)
# Made only where there are cycles beside the reference.
OF_ROIS_WITH_CYCLES = _patterns("summary/{roi}.tsv", "pictures/{roi}/drift.png")
FOLDERS = {pattern.pattern.split("/")[0] for pattern in OF_CYCLES + OF_ROIS + OF_ROIS_WITH_CYCLES}


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
    name = path.name.removeprefix(TEMPORARY_PREFIX)
    place = path.relative_to(results).with_name(name).as_posix()
    log = results / "logs" / "register_global"
    for patterns, is_needed in (
        (
            OF_CYCLES,
            lambda roi, cycle: (
                cycle in cycles.get(roi, ()) or not (log / roi / f"{cycle}.log").is_file()
            ),
        ),
        (OF_ROIS, lambda roi: roi in cycles or not (log / roi).is_dir()),
        (OF_ROIS_WITH_CYCLES, lambda roi: bool(cycles.get(roi)) or not (log / roi).is_dir()),
    ):
        for pattern in patterns:
            match = pattern.fullmatch(place)
            if match:
                return name != path.name or not is_needed(**match.groupdict())
    return False
