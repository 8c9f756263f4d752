"""A registration of several sections on disk: stacks, parameter file, frozen, projects."""

import copy
import importlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crossmodal import planted_project as pp
from crossreg.crossmodal import affine
from crossreg.crossmodal.freeze.frozen import read_frozen, read_section
from crossreg.crossmodal.freeze.records import Frozen
from crossreg.crossmodal.render.folder_store import FolderStore
from crossreg.crossmodal.render.stack_store import TILES, StackStore
from crossreg.crossmodal.render.tile_specs import tile_corners
from crossreg.crossmodal.trakem2.patches import Patch
from crossreg.workflow_support.for_scripts.script_main import run
from saved_by_trakem2 import saved_by_trakem2

ZS = (1.0, 2.0, 3.0)
OUTPUT = "EM_registered"
FAR = 50_000.0
"""px to the right of the box: where EM tiles are that no project holds."""


def section(specs: dict, z: float) -> dict:
    """Return planted tile specs as a section z; ids end in the z."""
    tiles = {}
    for name, spec in specs.items():
        tile_id = f"{name}_{z:g}"
        kept = {key: value for key, value in spec.items() if key not in ("minX", "maxX")}
        # Tests change the tiles of a section: the planted ones stay as they are.
        tiles[tile_id] = copy.deepcopy(kept) | {"tileId": tile_id, "z": z}
    return {TILES: tiles, "transformIdToSpecMap": pp.SHARED}


def em_section(z: float, far: bool = False) -> dict:
    specs = {name: spec for name, spec in pp.EM_SPECS.items() if name != "bare"}
    if far:
        specs["far"] = pp.spec("far", pp.leaf("AffineModel2D", f"1 0 0 1 {FAR} {FAR}"))
    return section(specs, z)


def fill(store: StackStore, zs=ZS, far: bool = False) -> None:
    """Make the stacks EM and LM, COMPLETE."""
    version = {"stackResolutionX": 4.0, "stackResolutionY": 8.0, "stackResolutionZ": 40.0}
    for stack in ("EM", "LM"):
        store.create(stack, version)
        for z in zs:
            tiles = em_section(z, far) if stack == "EM" else section(pp.LM_SPECS, z)
            store.upload_section(stack, z, tiles)
        store.complete(stack)


@dataclass
class Registration:
    """The folder of a test and what is in it."""

    root: Path
    store: StackStore
    options: list[str]
    """Of all commands: parameter file and place of the stacks."""
    parsed: list[str] = field(default_factory=list)
    """Names of projects, for tests that count how often they are read."""

    @property
    def folder(self) -> Path:
        return self.root / "trakem2_registered" / "first"

    @property
    def frozen(self) -> Frozen:
        return read_frozen(self.folder)

    def project(self, z: float) -> Path:
        return self.folder / f"{z:05.0f}.xml"

    def patches(self, z: float) -> list[Patch]:
        frozen = self.frozen
        entry = next(one for one in frozen.sections if one.z == z)
        return list(read_section(self.folder, frozen, entry).patches)

    def save(self, z: float, motion: affine.Affine = affine.IDENTITY, stack: str = "EM") -> None:
        """Move all tiles of a stack by `motion` in the frame of the project, and save."""
        moved = {p.oid: pp.moved(p, motion) for p in self.patches(z) if p.stack == stack}
        path = self.project(z)
        path.write_bytes(saved_by_trakem2(path.read_bytes(), moved, str(self.folder)))

    def command(self, script: str, *options: object) -> int:
        """Run a script in this process and return its exit status."""
        module = importlib.import_module(script)
        return run(module.parser(), module.main, [str(option) for option in options])

    def check(self, *options: object) -> int:
        files = {"reports": "sections", "table": "sections.tsv", "text": "sections.txt"}
        files |= {"motions": "motions.tsv"}
        paths = (f"--{key}={self.root / 'out' / name}" for key, name in files.items())
        registration = ("--registration", self.folder)
        return self.command("trakem2_check", *self.options, *registration, *paths, *options)

    def verdict(self) -> int:
        files = {"reports": "sections", "text": "sections.txt"}
        paths = (f"--{key}={self.root / 'out' / name}" for key, name in files.items())
        return self.command("trakem2_verdict", *paths)

    def report(self, z: float) -> dict:
        return json.loads((self.root / "out" / "sections" / f"{z:05.0f}.json").read_text())

    def bring_back(self, *options: object) -> int:
        """Run trakem2_import."""
        registration = ("--registration", self.folder, "--output", self.root / "out" / "import.txt")
        return self.command("trakem2_import", *self.options, *registration, *options)

    def result(self, stack: str = OUTPUT) -> dict[float, dict]:
        return {z: self.store.section(stack, z) for z in self.store.z_values(stack)}

    def in_stack(self, motion: affine.Affine) -> affine.Affine:
        """Return a motion of the frame of the projects in the frame of the stacks."""
        bounds = self.frozen.bounds
        away = affine.translation(-bounds["minX"], -bounds["minY"])
        return affine.compose(affine.invert(away), motion, away)

    def corners(self, spec: dict) -> np.ndarray:
        return tile_corners(spec, pp.SHARED, spec["tileId"])

    def assert_moved(self, z: float, motion: affine.Affine = affine.IDENTITY) -> None:
        """Assert that every corner of the section came back moved by `motion`, to 1e-6 px."""
        before, after = self.store.section("EM", z), self.store.section(OUTPUT, z)
        assert before[TILES].keys() == after[TILES].keys()
        for tile_id, spec in before[TILES].items():
            old = tile_corners(spec, before["transformIdToSpecMap"], tile_id)
            new = tile_corners(after[TILES][tile_id], after["transformIdToSpecMap"], tile_id)
            expected = affine.apply(self.in_stack(motion), old)
            np.testing.assert_allclose(new, expected, rtol=0, atol=1e-6)


def write_parameters(path: Path, **keys: object) -> Path:
    given = {
        "render": {"owner": "me", "project": "mine"},
        "inputStack": "EM",
        "LMstack": "LM",
        "outputStack": OUTPUT,
        "checkTileImages": False,
        "minX": 900,
        "minY": 1900,
        "maxX": 2000,
        "maxY": 3000,
    }
    path.write_text(json.dumps(given | keys))
    return path


def planted_registration(root: Path, zs=ZS, far: bool = False) -> Registration:
    """Return a registration over stacks in a folder, its projects as created."""
    store = FolderStore(root / "stacks", "me", "mine")
    fill(store, zs, far)
    parameters = write_parameters(root / "p.json")
    options = ["--parameters", parameters, "--stacks", root / "stacks"]
    return created(Registration(root, store, options))


def created(made: Registration) -> Registration:
    """Return the registration after its projects were created."""
    options = ("--name", "first", "--registration", made.folder)
    receipts = made.root / "out"
    assert made.command("trakem2_freeze", *made.options, *options, f"--output={receipts}/f") == 0
    registration = ("--registration", made.folder)
    assert made.command("trakem2_projects", *registration, f"--output={receipts}/p") == 0
    return made


def snapshot(folder: Path) -> dict:
    """Return bytes and time stamps of all below a folder, and of the folder."""
    return {
        path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in [folder, *folder.rglob("*")]
    }
