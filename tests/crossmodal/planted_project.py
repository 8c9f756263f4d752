"""A section with two LM tiles and EM tiles of every kind, frozen and as a project."""

from dataclasses import dataclass

import numpy as np

from crossreg.crossmodal import affine
from crossreg.crossmodal.freeze.records import FrozenSection
from crossreg.crossmodal.render.transform_data import PREFIX
from crossreg.crossmodal.trakem2.patches import Image, Patch, Slot, patch_of_tile
from crossreg.crossmodal.trakem2.project_xml import Layer, Project, project_xml

ORIGIN = (1000, 2000)
SIZE = (900, 700)
FINGERPRINT = "f00d"
STEM = "00042"

POLYNOMIAL = "-3.6 1.02 0.01 0.0001 0.0002 -0.0001 2.5 0.02 0.98 0.00005 0.0001 0.0002"
SHARED = {
    "lens": {
        "id": "lens",
        "type": "list",
        "specList": [
            {
                "type": "leaf",
                "className": PREFIX + "PolynomialTransform2D",
                "dataString": POLYNOMIAL,
            },
            {"type": "ref", "refId": "shift"},
        ],
    },
    "shift": {
        "id": "shift",
        "type": "leaf",
        "className": PREFIX + "TranslationModel2D",
        "dataString": "1.25 -0.75",
    },
}


def leaf(name: str, data: str) -> dict:
    return {"type": "leaf", "className": PREFIX + name, "dataString": data}


def spec(tile_id: str, *entries: dict, width: int = 100, height: int = 80) -> dict:
    return {
        "tileId": tile_id,
        "z": 42.0,
        "minX": -1.0,
        "maxX": -1.0,
        "width": float(width),
        "height": float(height),
        "minIntensity": 0.0,
        "maxIntensity": 200.0,
        "layout": {"sectionId": "42.0", "pixelsize": 0.1},
        "mipmapLevels": {"0": {"imageUrl": f"file:/data/{tile_id}.tif"}},
        "transforms": {"type": "list", "specList": list(entries)},
    }


LENS = {"type": "ref", "refId": "lens"}
LM_SPECS = {
    "lm_1": spec("lm_1", leaf("AffineModel2D", "4 0 0 4 1010.5 2020.25")),
    "lm_2": spec("lm_2", LENS, leaf("AffineModel2D", "4 0.01 -0.01 4 1400 2020")),
}
EM_SPECS = {
    "plain": spec("plain", leaf("AffineModel2D", "0.9 0.1 -0.1 0.9 1050.125 2060.5")),
    "long": spec(
        "long",
        leaf("AffineModel2D", "1 0 0 1 3 4"),
        LENS,
        leaf("RigidModel2D", "0.1 0 0"),
        {"type": "list", "specList": [leaf("TranslationModel2D", "1200.3 2100.7")]},
        leaf("SimilarityModel2D", "0.95 -0.05 10 20"),
    ),
    "lens": spec("lens", LENS, leaf("AffineModel2D", "1.1 0 0.02 1.05 1300.25 2200.125")),
    "bare": spec("bare"),
}


@dataclass(frozen=True)
class Planted:
    frozen: FrozenSection
    xml: bytes

    def patch(self, tile_id: str) -> Patch:
        return next(patch for patch in self.frozen.patches if patch.tile_id == tile_id)


def planted(lm: dict | None = None, em: dict | None = None, origin=ORIGIN, shared=None) -> Planted:
    """Return the section frozen with these tile specs ({tileId: spec}), and its project."""
    stacks = {"LM": LM_SPECS if lm is None else lm, "EM": EM_SPECS if em is None else em}
    patches = []
    for layer, (stack, specs) in enumerate(stacks.items()):
        for tile_id, one in specs.items():
            place = Slot(100 + len(patches), stack, tile_id, layer)
            path = f"/data/{stack}/image_{len(patches)}.tif"
            image = Image(path, 0, int(one["width"]), int(one["height"]), 0.0, 200.0)
            transforms = SHARED if shared is None else shared
            patches.append(patch_of_tile(place, one, transforms, image, origin))
    layers = (Layer(0, "LM", 10), Layer(1, "EM", 11))
    frozen = FrozenSection(STEM, FINGERPRINT, *SIZE, layers, tuple(patches))
    project = Project(
        "z00042", "1.2.3", FINGERPRINT, STEM, 3, *SIZE, (4.0, 4.0, 40.0), layers, tuple(patches)
    )
    return Planted(frozen, project_xml(project))


def moved(patch: Patch, motion: affine.Affine) -> affine.Affine:
    """Return the matrix of a patch after a motion in the frame of the project."""
    return affine.compose(motion, patch.matrix)


def about(motion: affine.Affine, x: float, y: float) -> affine.Affine:
    """Return a motion that is about (x, y) instead of about the origin."""
    there = affine.translation(x, y)
    return affine.compose(there, motion, affine.invert(there))


def turn(degrees: float, x: float = 0.0, y: float = 0.0, scale: float = 1.0) -> affine.Affine:
    cos, sin = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return affine.affine([cos, sin, -sin, cos, x, y])
