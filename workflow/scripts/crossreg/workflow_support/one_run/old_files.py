"""Files in a results folder that belong to cycles or ROIs which are no longer registered."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.files import TEMPORARY_PREFIX
from crossreg.workflow_support.for_scripts.marks_to_remake import MARK_PREFIX
from crossreg.workflow_support.inputs.sample_checks import SAFE_NAME
from crossreg.workflow_support.result_paths import (
    IMAGE_SUFFIXES,
    OF_REFERENCES,
    PICTURES_OF_CYCLE,
    RESULT_PATHS,
    image_of_receipt,
)

WILDCARDS = {
    "roi": SAFE_NAME.pattern,
    "cycle": SAFE_NAME.pattern,
    "kind": "|".join(PICTURES_OF_CYCLE),
    "step": "(?:reference|register|registered|picture)_[a-z_]+",
}
LOGS = {
    "log_of_cycle": "logs/{step}/{roi}/{cycle}.log",
    "benchmark_of_cycle": "benchmarks/{step}/{roi}/{cycle}.tsv",
    "log_of_roi": "logs/{step}/{roi}.log",
    "benchmark_of_roi": "benchmarks/{step}/{roi}.tsv",
}
RECEIPT = RESULT_PATHS["registered_stack"]
IMAGES = {
    # First, as the shorter name of a cycle goes before one that ends in .ome.
    suffix: image_of_receipt(RECEIPT, image_format)
    for image_format, suffix in IMAGE_SUFFIXES.items()
}
OF_ROIS_AND_CYCLES = {
    name: path for name, path in {**IMAGES, **RESULT_PATHS, **LOGS}.items() if "{roi}" in path
}
FOLDERS = sorted({path.split("/")[0] for path in OF_ROIS_AND_CYCLES.values()})


def _pattern(path: str) -> re.Pattern[str]:
    """Return the expression that the paths of a result match."""
    text = re.escape(path).replace(r"\{", "{").replace(r"\}", "}")
    for name, expression in WILDCARDS.items():
        text = text.replace(f"{{{name}}}", f"(?P<{name}>{expression})")
    return re.compile(text)


# Files below a results folder as the rules name them; those of other names are somebody else's.
PATTERNS = {name: _pattern(path) for name, path in OF_ROIS_AND_CYCLES.items()}


@dataclass(frozen=True)
class _Known:
    """A folder of results, and what is registered into it: cycles by ROI, without the reference."""

    results: Path
    cycles: Mapping[str, set[str]]
    reference: str


def old_files(results: Path | str, samples: Iterable[Sample], reference: str) -> list[Path]:
    """Return the files in `results` of no sample, and those that killed jobs left.

    A store of a registered stack, which is a folder, counts as a file. Files of a cycle that has no
    log of its registration are not the workflow's. The logs come last, so that whoever removes the
    files one by one may be stopped at any time.
    """
    cycles: dict[str, set[str]] = {}
    for sample in samples:
        names = cycles.setdefault(sample.roi, set())
        if sample.cycle != reference:
            names.add(sample.cycle)
    known = _Known(Path(results), cycles, reference)
    files = (path for name in FOLDERS for path in _files_in(known.results / name))
    old = [path for path in files if not path.is_symlink() and _is_old(path, known)]
    return sorted(old, key=lambda path: (path.relative_to(results).parts[0] == "logs", path))


def _files_in(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder; a store of an image as one, whatever is in it."""
    for parent, folders, files in os.walk(folder):
        stores = [name for name in folders if name.endswith(IMAGE_SUFFIXES["ome-zarr"])]
        folders[:] = [name for name in folders if name not in stores]
        yield from (Path(parent, name) for name in stores + files)


def _is_old(path: Path, known: _Known) -> bool:
    name = path.name.removeprefix(TEMPORARY_PREFIX).removeprefix(MARK_PREFIX)
    below = path.relative_to(known.results).with_name(name).as_posix()
    for kind, expression in PATTERNS.items():
        match = expression.fullmatch(below)
        if match:
            values = match.groupdict()
            roi, cycle = values["roi"], values.get("cycle")
            if path.name.startswith(TEMPORARY_PREFIX):
                return True
            if below.startswith("registered/") or values.get("step") == "registered_stack":
                return _was_written(known, roi, cycle) and not _is_written(path, known, roi, cycle)
            return _was_registered(known, roi, cycle) and not _is_needed(kind, known, roi, cycle)
    return False


def _is_needed(kind: str, known: _Known, roi: str, cycle: str | None) -> bool:
    """Return whether a run over these cycles makes or uses a result."""
    if cycle is not None:
        return cycle in known.cycles.get(roi, ())
    needs_a_cycle = kind not in OF_REFERENCES | LOGS.keys()
    return roi in known.cycles and not (needs_a_cycle and not known.cycles[roi])


def _was_registered(known: _Known, roi: str, cycle: str | None) -> bool:
    """Return whether there is the log of a registration; else the files are not the workflow's."""
    log = known.results / "logs" / "register_global" / roi
    return log.is_dir() if cycle is None else (log / f"{cycle}.log").is_file()


def _is_written(path: Path, known: _Known, roi: str, cycle: str | None) -> bool:
    """Return whether a run writes a file of a registered stack, and it is the image of its receipt.

    An image in another format than the receipt's was written before the format changed.
    """
    if cycle not in {*known.cycles.get(roi, ()), known.reference} or roi not in known.cycles:
        return False
    receipt = known.results / RECEIPT.format(roi=roi, cycle=cycle)
    if not path.name.endswith(tuple(IMAGES)) or not receipt.is_file():
        return True
    return receipt.read_text(encoding="utf-8", errors="replace").startswith(f"{path.name}:")


def _was_written(known: _Known, roi: str, cycle: str | None) -> bool:
    """Return whether there is the log of a stack that was written."""
    return (known.results / "logs" / "registered_stack" / roi / f"{cycle}.log").is_file()
