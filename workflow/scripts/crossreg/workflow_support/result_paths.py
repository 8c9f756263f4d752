"""Where every result lies, below the folder of results: for rules, prune and report alike."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RESULT_PATHS: Mapping[str, str] = {
    # What is known before the first stack is read.
    "samples": "samples.tsv",
    "gaps": "gaps.tsv",
    # What the main process tells jobs on other nodes, and people.
    "known_stacks": "logs/stacks.tsv",
    "ignored_files": "logs/discovery.log",
    "old_files": "logs/old_files.txt",
    "code_hashes": "logs/code.json",
    # One file per ROI.
    "projection": "reference/{roi}/projection.npy",
    "blocks": "reference/{roi}/blocks.npz",
    "reference_preview": "previews/{roi}/reference.npz",
    "drift_picture": "pictures/{roi}/drift.png",
    "pyhim_export": "pyhim/{roi}/README.txt",
    # One file a cycle of a ROI.
    "global_table": "register_global/{roi}/{cycle}.ecsv",
    "local_table": "register_local/{roi}/{cycle}.ecsv",
    "field": "fields/{roi}/{cycle}.npz",
    "registered_stack": "registered/{roi}/{cycle}.txt",
    "cycle_preview": "previews/{roi}/cycles/{cycle}.npz",
    "cycle_picture": "pictures/{roi}/{cycle}/{kind}.png",
    # What sums up all cycles.
    "merged_global_table": "register_global.ecsv",
    "merged_global_json": "register_global.json",
    "merged_local_table": "register_local_block3D.ecsv",
    "summary": "summary.tsv",
    "closing_table": "summary.txt",
    "learned_motion": "motion.json",
    "experiment_picture": "pictures/experiment.png",
    "all_cycles_registered": "all_cycles_registered.txt",
    "report": "report.html",
    # One file a table of spots.
    "registered_spots": "localizations/{table}",
    "spots_receipt": "receipts/localizations/{table}.txt",
    # The cross-modal chain: a folder for each registration by hand.
    "frozen_receipt": "trakem2/{name}/frozen.txt",
    "projects_receipt": "trakem2/{name}/projects.txt",
    "section_reports": "trakem2/{name}/sections",
    "section_table": "trakem2/{name}/sections.tsv",
    "section_text": "trakem2/{name}/sections.txt",
    "section_motions": "trakem2/{name}/motions.tsv",
    "section_pictures": "trakem2/{name}/pictures",
    "import_receipt": "trakem2/{name}/import.txt",
    # The demo: how far its results are from what was planted.
    "demo_comparison": "demo_comparison.txt",
    "demo_spots": "demo_spots.txt",
    "crossmodal_comparison": "crossmodal_comparison.txt",
}
"""Name of a result -> its path below the results; {roi} and the like stand for names."""

IMAGE_SUFFIXES = {"ome-zarr": ".ome.zarr", "ome-tiff": ".ome.tif"}
"""What the image beside the receipt of a registered stack ends in, by its format."""

PICTURES_OF_CYCLE = ("before_after", "details", "shifts", "precision", "quality", "preprocessing")
"""The kinds of a cycle's pictures; without a local step there is the first alone."""

OF_REFERENCES = frozenset({"projection", "blocks", "reference_preview"})
"""Results of a ROI that are there even if it has no cycle beside its reference."""


@dataclass(frozen=True)
class ResultPaths:
    """Paths of results, for a run or a script whose working folder sees them below `root`.

    `root` is "" where the results are the working folder itself.
    """

    root: str = ""

    @classmethod
    def seen_from(cls, folder: Path | str, results: str) -> "ResultPaths":
        """Return the paths in `results` for a process in `folder`: as short as they can be."""
        if not Path(results).is_relative_to(folder):
            return cls(results)
        relative = os.path.relpath(results, folder)
        return cls("" if relative == os.curdir else relative)

    def __call__(self, result: str, /, **values: str) -> str:
        """Return the path of a result; wildcards without a value stay as they are: {roi}."""
        path = RESULT_PATHS[result]
        for wildcard, value in values.items():
            path = path.replace(f"{{{wildcard}}}", value)
        return os.path.join(self.root, path)

    def log(self, *names: str) -> str:
        """Return the path of a job's log, by the name of its rule and its wildcards."""
        return os.path.join(self.root, "logs", *names) + ".log"

    def benchmark(self, *names: str) -> str:
        """Return the path of a job's run time and memory."""
        return os.path.join(self.root, "benchmarks", *names) + ".tsv"


def image_of_receipt(receipt: str, image_format: str) -> str:
    """Return the path of the registered image beside its receipt (.txt)."""
    return receipt.removesuffix(".txt") + IMAGE_SUFFIXES[image_format]
