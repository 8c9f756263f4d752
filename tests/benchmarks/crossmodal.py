"""Time and memory of the cross-modal chain, in one table.

    python tests/benchmarks/crossmodal.py           # all cases
    python tests/benchmarks/crossmodal.py --small   # without the 500 sections

A case is a number of sections with EM tiles (a shared lens distortion, then an affine) and LM
tiles, in stacks in a folder, without images. Each step is the command of the workflow in a
process of its own; interpreter start and imports count. Between out and back a person is
played, who moves each section by an affine. `worst px` is the largest distance of any corner
in the output stack from where that affine sends it. Exit status 1 when a limit is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tables import text_table

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = REPOSITORY / "workflow" / "scripts"
sys.path[:0] = [str(SCRIPTS), str(REPOSITORY / "demo")]

from crossreg.crossmodal import affine  # noqa: E402
from crossreg.crossmodal.freeze.frozen import read_frozen, read_section  # noqa: E402
from crossreg.crossmodal.render.folder_store import FolderStore  # noqa: E402
from crossreg.crossmodal.render.stack_store import TILES, TRANSFORMS  # noqa: E402
from crossreg.crossmodal.render.tile_specs import tile_corners  # noqa: E402
from crossreg.crossmodal.render.transforms import AFFINE_CLASS  # noqa: E402
from planted_sections import LENS_ID, resolved  # noqa: E402
from saved_by_trakem2 import saved_by_trakem2  # noqa: E402

TILE_SIZE, PITCH = 2048, 1900  # px
OUTPUT = "EM_registered"
LARGEST_SECTION_S = 5.0  # for out, check and back each
MANY_S = {"check": 12.0, "import": 10.0}
WORST_PX = 1e-6
MEMORY_GROWTH = 1.2  # of the peak, from the few to the many sections of equal size
STEPS = ("freeze", "projects", "check", "import")
HEADING = ("sections x EM tiles", *(f"{step} s" for step in STEPS), *(f"{s} MB" for s in STEPS))


@dataclass(frozen=True)
class Case:
    """So many sections with so many tiles each."""

    sections: int
    em_tiles: int
    lm_tiles: int

    @property
    def name(self) -> str:
        """Return the case as the table has it."""
        return f"{self.sections} x {self.em_tiles}"


LARGEST_SECTION = Case(1, 1227, 100)
FEW, MANY = Case(50, 50, 4), Case(500, 50, 4)


@dataclass(frozen=True)
class Measured:
    """Seconds and MB at the peak of each step, and the largest error."""

    seconds: dict[str, float]
    megabytes: dict[str, float]
    worst: float

    @property
    def out_check_back(self) -> tuple[float, float, float]:
        """Return the seconds of the way out, the check and the way back."""
        seconds = self.seconds
        return seconds["freeze"] + seconds["projects"], seconds["check"], seconds["import"]


def make_stacks(folder: Path, case: Case) -> Path:
    """Write the stacks and the parameter file of a case; return the latter's path."""
    store = FolderStore(folder / "stacks", "lab", "speed")
    for stack, count in (("EM", case.em_tiles), ("LM", case.lm_tiles)):
        store.create(stack, {"stackResolutionX": 4.0, "stackResolutionY": 4.0})
        for z in range(case.sections):
            tiles = dict(planted_tile(stack, float(z), i, count) for i in range(count))
            store.upload_section(stack, float(z), resolved(tiles))
        store.complete(stack)
    given = {
        "render": {"owner": "lab", "project": "speed"},
        "inputStack": "EM",
        "LMstack": "LM",
        "outputStack": OUTPUT,
        "checkTileImages": False,
    }
    path = folder / "parameters.json"
    path.write_text(json.dumps(given))
    return path


def planted_tile(stack: str, z: float, index: int, count: int) -> tuple[str, dict]:
    """Return id and spec of a tile of a square mosaic, turned a little."""
    rng = np.random.default_rng([int(z), index, stack == "EM"])
    columns = int(np.ceil(np.sqrt(count)))
    row, column = divmod(index, columns)
    angle = rng.normal(0, 0.01)
    cos, sin = np.cos(angle), np.sin(angle)
    place = (cos, sin, -sin, cos, column * PITCH + rng.normal(0, 20), row * PITCH)
    tile_id = f"{stack}_{z:g}_{index}"
    leaf = {"className": AFFINE_CLASS, "dataString": " ".join(repr(float(v)) for v in place)}
    return tile_id, {
        "tileId": tile_id,
        "z": z,
        "width": TILE_SIZE,
        "height": TILE_SIZE,
        "minIntensity": 0.0,
        "maxIntensity": 255.0,
        "mipmapLevels": {"0": {"imageUrl": f"file:/nas/{stack}/{tile_id}.tif"}},
        "transforms": {
            "type": "list",
            "specList": [{"type": "ref", "refId": LENS_ID}, leaf | {"type": "leaf"}],
        },
    }


def planted_motion(z: float) -> affine.Affine:
    """Return how the person moves a section, in the frame of the projects."""
    rng = np.random.default_rng([1, int(z)])
    values = affine.IDENTITY + rng.normal(0, [0.01] * 4 + [50] * 2)
    return affine.affine(values)


def play_person(registration: Path) -> None:
    """Move the EM tiles of all sections, and save as TrakEM2 does."""
    frozen = read_frozen(registration)
    for entry in frozen.sections:
        patches = read_section(registration, frozen, entry).patches
        motion = planted_motion(entry.z)
        moved = {p.oid: affine.compose(motion, p.matrix) for p in patches if p.stack == "EM"}
        path = registration / f"{entry.stem}.xml"
        path.write_bytes(saved_by_trakem2(path.read_bytes(), moved))


def worst_corner(folder: Path, registration: Path) -> float:
    """Return the largest distance of a corner from where the person moved it, px."""
    store = FolderStore(folder / "stacks")
    bounds = read_frozen(registration).bounds
    away = affine.translation(-bounds["minX"], -bounds["minY"])
    worst = 0.0
    for z in store.z_values("EM"):
        before, after = (store.section(stack, z) for stack in ("EM", OUTPUT))
        motion = affine.compose(affine.invert(away), planted_motion(z), away)
        for tile_id, spec in before[TILES].items():
            old = tile_corners(spec, before[TRANSFORMS], tile_id)
            new = tile_corners(after[TILES][tile_id], after[TRANSFORMS], tile_id)
            worst = max(worst, float(np.abs(new - affine.apply(motion, old)).max()))
    return worst


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command; return its seconds, and the MB at its peak."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return time.perf_counter() - start, usage.ru_maxrss * 1024 / 1e6


def measured(case: Case, folder: Path) -> Measured:
    """Return time and memory of all steps of a case."""
    parameters = make_stacks(folder, case)
    registration = folder / "registration"
    stacks = [f"--parameters={parameters}", f"--stacks={folder / 'stacks'}"]
    names = {"reports": "r", "table": "t", "text": "x", "motions": "m"}
    reports = [f"--{key}={folder / name}" for key, name in names.items()]
    options = {
        "freeze": [*stacks, "--name=speed", f"--output={folder / 'frozen.txt'}"],
        "projects": [f"--output={folder / 'projects.txt'}"],
        "check": [*stacks, *reports],
        "import": [*stacks, f"--output={folder / 'import.txt'}", f"--reports={folder / 'r'}"],
    }
    seconds, megabytes = {}, {}
    for step in STEPS:
        if step == "check":
            play_person(registration)
        script = [sys.executable, str(SCRIPTS / f"trakem2_{step}.py")]
        command = [*script, f"--registration={registration}", *options[step]]
        seconds[step], megabytes[step] = timed(command)
    return Measured(seconds, megabytes, worst_corner(folder, registration))


def criteria(results: dict[Case, Measured]) -> list[tuple[str, bool]]:
    """Return each limit in words and whether it is kept."""
    largest = results[LARGEST_SECTION]
    found = [
        (
            f"a section of {LARGEST_SECTION.em_tiles} tiles: out, check and back below"
            f" {LARGEST_SECTION_S:g} s each",
            max(largest.out_check_back) < LARGEST_SECTION_S,
        ),
        (
            f"corners within {WORST_PX:g} px",
            max(one.worst for one in results.values()) < WORST_PX,
        ),
    ]
    if MANY in results:
        few, many = (results[case].megabytes for case in (FEW, MANY))
        growth = max(many[step] / few[step] for step in STEPS)
        text = f"memory of {MANY.sections} sections at most {MEMORY_GROWTH:g} of {FEW.sections}"
        found.append((text, growth <= MEMORY_GROWTH))
        seconds = results[MANY].seconds
        for step, limit in MANY_S.items():
            text = f"{step} of {MANY.sections} sections x {MANY.em_tiles} tiles below {limit:g} s"
            found.append((text, seconds[step] < limit))
    return found


def main() -> int:
    """Print the table and the criteria; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="leave the 500 sections out")
    options = parser.parse_args()
    results = {}
    for case in (LARGEST_SECTION, FEW) if options.small else (LARGEST_SECTION, FEW, MANY):
        with tempfile.TemporaryDirectory() as folder:
            results[case] = measured(case, Path(folder))
    lines = [
        [
            case.name,
            *(f"{one.seconds[step]:.1f}" for step in STEPS),
            *(f"{one.megabytes[step]:.0f}" for step in STEPS),
            f"{one.worst:.1e}",
        ]
        for case, one in results.items()
    ]
    print(text_table([*HEADING, "worst px"], lines))
    kept = criteria(results)
    for text, good in kept:
        print(f"{'pass' if good else 'FAIL'}  {text}")
    return 0 if all(good for _, good in kept) else 1


if __name__ == "__main__":
    sys.exit(main())
