"""LM and EM stacks in a folder, with or without their images, for tests of the way out."""

import json
from pathlib import Path

import numpy as np
import tifffile

from crossreg.crossmodal.freeze.freezing import freeze
from crossreg.crossmodal.freeze.parameters import normalised
from crossreg.crossmodal.render.folder_store import FolderStore
from crossreg.crossmodal.render.transform_data import PREFIX

VERSION = {"stackResolutionX": 4.0, "stackResolutionY": 5.0, "stackResolutionZ": 40.0}
GIVEN = {"inputStack": "EM", "LMstack": "LM", "checkTileImages": False}
SIZE = (100, 80)


def leaf(data: str, name: str = "AffineModel2D") -> dict:
    return {"type": "leaf", "className": PREFIX + name, "dataString": data}


def tile(tile_id: str, x: float = 0.0, y: float = 0.0, url: str | None = None, **keys) -> dict:
    """Return a spec of 100 x 80 px moved by (x, y); `entries` replaces its transforms."""
    entries = keys.pop("entries", [leaf(f"1 0 0 1 {x!r} {y!r}")])
    return {
        "tileId": tile_id,
        "width": SIZE[0],
        "height": SIZE[1],
        "minIntensity": 3.0,
        "maxIntensity": 200.0,
        "layout": {"sectionId": "1"},
        "mipmapLevels": {"0": {"imageUrl": url or "file:/images/some.tif"}},
        "transforms": {"type": "list", "specList": entries},
    } | keys


def fill(folder: Path, stack: str, sections: dict[float, list[dict]], version=VERSION, shared=None):
    """Make a COMPLETE stack of these tiles."""
    store = FolderStore(folder)
    store.create(stack, version)
    for z, tiles in sections.items():
        specs = {spec["tileId"]: spec | {"z": z} for spec in tiles}
        raw = {"tileIdToSpecMap": specs, "transformIdToSpecMap": shared or {}}
        store.upload_section(stack, z, raw)
    store.complete(stack)


def frozen_from(folder: Path, name: str = "first", **given):
    """Return the frozen configuration of the stacks in folder/stacks, made in folder/name."""
    chosen = {key: value for key, value in (GIVEN | given).items() if value is not None}
    parameters = normalised(chosen, "p.json")
    store = FolderStore(folder / "stacks")
    return freeze(folder / name, name, parameters, store, {"created": "then"})


def two_stacks(folder: Path, em=None, lm=None, zs=(1.0,), **keys) -> Path:
    """Make the stacks EM and LM, of one tile a section if nothing else is given."""
    stacks = folder / "stacks"
    fill(stacks, "EM", {z: em or [tile(f"em_{z:g}", 10.0, 20.0)] for z in zs}, **keys)
    fill(stacks, "LM", {z: lm or [tile(f"lm_{z:g}")] for z in zs})
    return folder


def write_image(path: Path, dtype="uint8", size=SIZE, low=10, high=90) -> str:
    """Write a ramp of grey values; return its url."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(low, high, size[0] * size[1]).reshape(size[::-1]).astype(dtype)
    tifffile.imwrite(path, ramp, photometric="minisblack")
    return f"file:{path}"


def experiment(folder: Path, zs=(1.0, 2.0, 3.0), **given) -> Path:
    """Make stacks with images, p.json and my.yaml, for runs of the workflow in `folder`."""
    for z in zs:
        write_image(folder / "images" / f"{z}.tif")
    urls = {z: f"file:{folder}/images/{z}.tif" for z in zs}
    stacks = folder / "stacks"
    fill(stacks, "EM", {z: [tile(f"em_{z:g}", 9.0, 8.0, url)] for z, url in urls.items()})
    fill(stacks, "LM", {z: [tile(f"lm_{z:g}", url=url)] for z, url in urls.items()})
    write_parameters(folder, **given)
    (folder / "my.yaml").write_text(
        "trakem2:\n  name: first\n  parameters: p.json\n  stacks: {folder: stacks}\n"
    )
    return folder


def write_parameters(folder: Path, **given) -> None:
    (folder / "p.json").write_text(json.dumps(GIVEN | {"checkTileImages": True} | given))
