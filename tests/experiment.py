"""A tiny experiment on disk, and runs of the real Snakemake on it."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from scipy.ndimage import gaussian_filter

REPOSITORY = Path(__file__).resolve().parents[1]
REFERENCE = "RT0"
# Smallest stacks that still have 2 x 2 blocks, so that a run takes seconds.
SHAPE_ZYX, BLOCK = (6, 64, 64), 32
# What a run makes again after every change, since it says what there is.
WHAT_IS_SAID = ("all_cycles_registered", "samples", "gaps")
# What is drawn again after every change: pictures of ROIs and of all cycles, in one job.
PICTURES_OF_ALL = ("pictures/001/drift", "pictures/002/drift", "pictures/experiment")
# As many processes as the tests may use.
CORES = 2
# A run on a busy machine; none takes a tenth of it on an idle one.
TIMEOUT_S = 300


@dataclass(frozen=True)
class Experiment:
    """A working directory with `images`, `parameters.json`, `config.yaml` and maybe `results`."""

    folder: Path
    repository: Path = REPOSITORY

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def image(self, roi: str, cycle: str) -> Path:
        return self.folder / "images" / image_name(roi, cycle)

    def command(self, *options: str) -> list[str]:
        """Return the command that runs the workflow here."""
        return [
            sys.executable,
            *("-m", "snakemake", "--snakefile", str(self.repository / "Snakefile")),
            *("--configfile", "config.yaml", "--cores", str(CORES)),
            *options,
        ]

    def snakemake(self, *options: str, env: dict[str, str] | None = None):
        """Run the workflow and return the finished process, with its text."""
        return subprocess.run(
            self.command(*options),
            cwd=self.folder,
            env=os.environ | (env or {}),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )

    def start(self, *options: str, env: dict[str, str] | None = None) -> subprocess.Popen:
        """Start a run and return its process; what it prints comes together through a pipe."""
        return subprocess.Popen(
            self.command(*options),
            cwd=self.folder,
            env=os.environ | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A shell lets what it runs in the background ignore SIGINT, and that is inherited: a
            # run that was started so could not be stopped by it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def succeed(self, *options: str) -> str:
        """Run the workflow, which must succeed, and return what it printed."""
        done = self.snakemake(*options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def pending(self) -> set[str]:
        """Return what in `results` a plain run would make now: STEP/ROI/CYCLE, merged tables."""
        return {place for place in self._pending() if not of_many_cycles(place)}

    def pending_pictures(self) -> set[str]:
        """Return the pictures of cycles (as above), ROIs and of all that a run would make now."""
        return {place for place in self._pending() if place.startswith("pictures/")}

    def _pending(self) -> set[str]:
        done = self.snakemake("--summary", "all")
        assert done.returncode == 0, done.stderr
        rows = csv.DictReader(io.StringIO(done.stdout), delimiter="\t")
        outputs = {row["output_file"] for row in rows if row["plan"] != "no update"}
        places = {_place(Path(path)) for path in outputs}
        # Previews and fields come out of the jobs of the other steps.
        others = ("previews", "fields", *WHAT_IS_SAID)
        return {place for place in places if not place.startswith(others)}

    def tables(self) -> dict[str, bytes]:
        """Return the merged tables: name -> content."""
        paths = [*self.results.glob("*.ecsv"), *self.results.glob("*.json")]
        return {path.name: path.read_bytes() for path in paths}

    def leftovers(self) -> list[Path]:
        """Return temporary files that someone left behind."""
        return list(self.folder.rglob(".unfinished-*"))

    def copy(self, folder: Path, repository: Path | None = None) -> "Experiment":
        """Return a copy of everything, time stamps included, in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Experiment(folder, repository or self.repository)

    def change_parameter(self, section: str, key: str, value) -> None:
        """Set a key of parameters.json."""
        path = self.folder / "parameters.json"
        content = json.loads(path.read_text())
        content["common"][section][key] = value
        path.write_text(json.dumps(content))


def of_many_cycles(place: str) -> bool:
    """Return whether a result sums up cycles to be looked at, which every change makes again."""
    return place.startswith("summary") or place.endswith(("/drift", "pictures/experiment"))


def _place(path: Path) -> str:
    """Return FOLDER/ROI/CYCLE of an output of a cycle, FOLDER/ROI of a ROI, or the table's name."""
    depth = 2 if path.parts[0] == "reference" else 3
    return "/".join(path.with_suffix("").parts[:depth])


def make_experiment(
    folder: Path, rois: tuple[str, ...] = ("001", "002"), cycles: tuple[str, ...] = ("RT1", "RT2")
) -> Experiment:
    """Return a new experiment whose cycles are moved by whole pixels against the reference."""
    experiment = Experiment(folder)
    (folder / "images").mkdir(parents=True)
    for roi in rois:
        for cycle in (REFERENCE, *cycles):
            write_stack(experiment.image(roi, cycle), roi, cycle)
    content = json.loads((REPOSITORY / "config" / "parameters.json").read_text())
    content["common"]["alignImages"] |= {
        "referenceFiducial": REFERENCE,
        "blockSize": BLOCK,
        "blockSizeXY": BLOCK,
    }
    (folder / "parameters.json").write_text(json.dumps(content))
    (folder / "config.yaml").write_text(
        "images: images\nparameters: parameters.json\nresults: results\n"
    )
    return experiment


def image_name(roi: str, cycle: str) -> str:
    """Return the name of a fiducial stack as the demo's fileNameRegExp expects it."""
    return f"scan_001_{cycle}_{roi}_ROI_converted_decon_ch00.tif"


def write_stack(path: Path, roi: str, cycle: str, seed: int = 0) -> None:
    """Write a stack of blurred noise, moved by as many px as the cycle's name has bytes."""
    rng = np.random.default_rng([seed, *roi.encode()])
    field = gaussian_filter(rng.standard_normal(SHAPE_ZYX), (1, 1.5, 1.5))
    moved = np.roll(field, int(cycle[2:]) if cycle[2:].isdigit() else 0, axis=1)
    noise = np.random.default_rng([seed, *cycle.encode()]).normal(0, 2, SHAPE_ZYX)
    stack = 1000 + 400 * moved / field.std() + noise
    tifffile.imwrite(path, np.clip(stack, 0, None).astype(np.uint16), metadata={"axes": "ZYX"})


def copied_repository(folder: Path) -> Path:
    """Return a copy of the workflow, whose code a test may edit."""
    for name in ("workflow", "config", "profiles", "envs"):
        shutil.copytree(
            REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy2(REPOSITORY / "Snakefile", folder)
    return folder
