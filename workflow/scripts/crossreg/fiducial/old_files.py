"""Files in a results folder that belong to cycles or ROIs which are no longer registered."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from crossreg.fiducial.discovery import Sample
from crossreg.files import TEMPORARY_PREFIX

# Folders of a results folder, and of its logs, that hold files as FOLDER/ROI... and
# FOLDER/ROI/CYCLE...; nothing else is looked at.
OF_ROIS = (
    *("reference", "summary"),
    *("logs/reference_projection", "logs/reference_blocks"),
    *("logs/summary_of_roi", "logs/picture_drift"),
    *("benchmarks/reference_projection", "benchmarks/reference_blocks"),
)
OF_CYCLES = (
    *("register_global", "register_local", "previews", "pictures"),
    *("logs/register_global", "logs/register_local", "logs/picture_cycle"),
    *("benchmarks/register_global", "benchmarks/register_local", "benchmarks/picture_cycle"),
)
# Files and folders of a ROI that stand where a cycle's name does: a file belongs to the ROI, what
# lies in a folder to the cycles.
FILES_OF_ROI = ("previews/reference.npz", "pictures/drift.png")
FOLDER_OF_CYCLES = "cycles"


def old_files(results: Path | str, samples: Iterable[Sample]) -> list[Path]:
    """Return the files in `results` of no sample, and those that killed jobs left; sorted."""
    cycles: dict[str, set[str]] = {}
    for sample in samples:
        cycles.setdefault(sample.roi, set()).add(sample.cycle)
    old: set[Path] = set()
    for name in OF_ROIS + OF_CYCLES:
        folder = Path(results, name)
        for path in _files(folder):
            first, *rest = path.relative_to(folder).parts
            roi = first if rest else Path(first).stem
            of_cycle = name in OF_CYCLES and f"{name}/{'/'.join(rest)}" not in FILES_OF_ROI
            gone = roi not in cycles or (of_cycle and _cycle(rest) not in cycles[roi])
            if name in OF_CYCLES and not rest:
                gone = False  # of all ROIs together, such as pictures/experiment.png
            if gone or path.name.startswith(TEMPORARY_PREFIX):
                old.add(path)
    return sorted(old)


def _cycle(parts: list[str]) -> str:
    """Return the name of the cycle in the parts of a path below the folder of its ROI."""
    names = parts[1:] if parts[:1] == [FOLDER_OF_CYCLES] and len(parts) > 1 else parts
    if len(names) > 1:
        return names[0]
    return names[0].rpartition(".")[0] if names else ""


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
