"""Files in a results folder that belong to cycles or ROIs which are no longer registered."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from crossreg.fiducial.discovery import Sample
from crossreg.files import TEMPORARY_PREFIX

# Folders of a results folder, and of its logs, that hold files as FOLDER/ROI... and
# FOLDER/ROI/CYCLE...; nothing else is looked at.
OF_ROIS = ("reference", "logs/reference_projection", "logs/reference_blocks")
OF_CYCLES = (
    *("register_global", "register_local", "previews", "pictures"),
    *("logs/register_global", "logs/register_local", "logs/picture_cycle"),
)
# What stands where a cycle's name does and is none.
PARTS_OF_ROI = ("reference", "cycles")


def old_files(results: Path | str, samples: Iterable[Sample]) -> list[Path]:
    """Return the files in `results` of no sample, and those that killed jobs left; sorted."""
    cycles: dict[str, set[str]] = {}
    for sample in samples:
        cycles.setdefault(sample.roi, set()).add(sample.cycle)
    old: set[Path] = set()
    for name in OF_ROIS + OF_CYCLES:
        folder = Path(results, name)
        for path in _files(folder):
            roi, *rest = path.relative_to(folder).with_suffix("").parts
            gone = roi not in cycles or (
                name in OF_CYCLES and rest[:1] and rest[0] not in cycles[roi]
            )
            if gone or path.name.startswith(TEMPORARY_PREFIX):
                old.add(path)
    return sorted(old)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
