"""Writing of TrakEM2 projects: one section, LM on the first layers, EM on the last."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from crossreg.crossmodal.affine import Affine
from crossreg.crossmodal.trakem2.patches import Patch, safe_title

ENCODING = "ISO-8859-1"

# TrakEM2 reads the document type line by line and does not open a file without these lines.
HEAD = f"""<?xml version="1.0" encoding="{ENCODING}"?>
<!DOCTYPE trakem2_anything [
<!ELEMENT project (anything)>
<!ELEMENT anything EMPTY>
] >
"""
WINDOW = (40, 40, 1000, 700)
"""Position of TrakEM2's first window on the screen, and the size of the image in it, px."""

STYLE = "fill-opacity:1.0;stroke:#ffff00;"

# Attributes of <project> survive saves of TrakEM2 in lower case; so they are written in it.
FROZEN_ATTRIBUTE = "crossreg_frozen"
SECTION_ATTRIBUTE = "crossreg_section"
PATCH_MARK = "crossreg"


@dataclass(frozen=True)
class Layer:
    """A layer of the project: one stack."""

    index: int
    stack: str
    oid: int


@dataclass(frozen=True)
class Project:
    """All that a project file says; the layers in order, EM last."""

    title: str
    unuid: str
    """Letters, digits and dots; TrakEM2 names its side folder after it."""
    frozen: str
    """Fingerprint of the frozen configuration."""
    section: str
    """Stem of the section."""
    layer_set_oid: int
    width: int
    height: int
    pixel_size: tuple[float, float, float]
    """nm in x, y and z."""
    layers: tuple[Layer, ...]
    patches: tuple[Patch, ...]
    display: bool = True
    """Whether the project opens on the EM, zoomed to it; else TrakEM2 shows the first layer."""


def patch_mark(frozen: str, section: str, oid: int) -> str:
    """Return the property that marks a patch as created by us; TrakEM2 drops it from copies."""
    return f"{frozen} {section} {oid}"


def project_xml(project: Project) -> bytes:
    """Return the bytes of a project that TrakEM2 opens."""
    return (HEAD + "\n".join(_lines(project)) + "\n").encode(ENCODING)


def mipmaps_folder(unuid: str) -> str:
    """Return TrakEM2's folder of smaller images of a project, relative to its file.

    Where it does not exist, TrakEM2 reports a crash when the project is opened.
    """
    return f"trakem2.{unuid}/trakem2.mipmaps/"


def matrix_text(matrix: Affine) -> str:
    """Return `matrix` as TrakEM2 writes it, with the digits that restore every number."""
    return f"matrix({','.join(repr(float(value)) for value in matrix)})"


def _lines(project: Project) -> Iterator[str]:
    yield "<trakem2>"
    yield _element("project", _project_attributes(project), end="></project>")
    yield _element("t2_layer_set", _layer_set_attributes(project))
    yield _element("t2_calibration", _calibration_attributes(project.pixel_size), end="/>")
    for layer in project.layers:
        title = safe_title(layer.stack)
        attributes = {"oid": layer.oid, "thickness": 1.0, "z": float(layer.index), "title": title}
        yield _element("t2_layer", attributes)
        locked = layer != project.layers[-1]
        for patch in project.patches:
            if patch.layer == layer.index:
                yield from _patch_lines(patch, project, locked)
        yield "</t2_layer>"
    yield "</t2_layer_set>"
    if project.display:
        yield _element("t2_display", _display_attributes(project), end="/>")
    yield "</trakem2>"


def _patch_lines(patch: Patch, project: Project, locked: bool) -> Iterator[str]:
    attributes = {
        "oid": patch.oid,
        "width": float(patch.box.width),
        "height": float(patch.box.height),
        "transform": matrix_text(patch.matrix),
        **({"locked": "true"} if locked else {}),
        "title": patch.title,
        "links": "",
        "type": patch.type,
        "file_path": patch.file_path,
        "style": STYLE,
        "o_width": patch.o_width,
        "o_height": patch.o_height,
        "min": float(patch.min),
        "max": float(patch.max),
        "mres": patch.mres,
    }
    yield _element("t2_patch", attributes)
    if patch.transforms:
        yield "<ict_transform_list>"
        for transform in patch.transforms:
            content = {"class": transform.class_name, "data": transform.data}
            yield _element("ict_transform", content, end="/>")
        yield "</ict_transform_list>"
    mark = patch_mark(project.frozen, project.section, patch.oid)
    yield _element("t2_prop", {"key": PATCH_MARK, "value": mark}, end="/>")
    yield "</t2_patch>"


def _element(name: str, attributes: dict[str, Any], end: str = ">") -> str:
    written = " ".join(f"{key}={quoteattr(str(value))}" for key, value in attributes.items())
    return f"<{name} {written}{end}"


def _project_attributes(project: Project) -> dict[str, Any]:
    return {
        "id": 0,
        "title": safe_title(project.title),
        "unuid": project.unuid,
        "mipmaps_folder": mipmaps_folder(project.unuid),
        "storage_folder": "",
        "mipmaps_format": 4,
        "image_resizing_mode": "Area downsampling",
        "mipmaps_regen": "true",
        FROZEN_ATTRIBUTE: project.frozen,
        SECTION_ATTRIBUTE: project.section,
    }


def _display_attributes(project: Project) -> dict[str, Any]:
    """Return what the first window shows: the layer of the EM, its tiles filling the window."""
    layer = project.layers[-1]
    corners = [patch.corners for patch in project.patches if patch.layer == layer.index]
    low = np.floor(np.min([part.min(axis=0) for part in corners], axis=0))
    high = np.ceil(np.max([part.max(axis=0) for part in corners], axis=0))
    x, y = np.clip(low, 0, [project.width - 1, project.height - 1]).astype(int)
    width, height = (np.maximum(high, low + 1) - low).astype(int)
    return {
        "id": 0,
        "layer_id": layer.oid,
        "c_alphas": -1,
        "c_alphas_state": -1,
        "x": WINDOW[0],
        "y": WINDOW[1],
        "magnification": min(1.0, WINDOW[2] / width, WINDOW[3] / height),
        "srcrect_x": x,
        "srcrect_y": y,
        "srcrect_width": width,
        "srcrect_height": height,
        "scroll_step": 1,
    }


def _layer_set_attributes(project: Project) -> dict[str, Any]:
    return {
        "oid": project.layer_set_oid,
        "width": 20.0,
        "height": 20.0,
        "transform": "matrix(1.0,0.0,0.0,1.0,0.0,0.0)",
        "title": "Top Level",
        "links": "",
        "layer_width": float(project.width),
        "layer_height": float(project.height),
        "rot_x": 0.0,
        "rot_y": 0.0,
        "rot_z": 0.0,
        "snapshots_quality": "true",
        "snapshots_mode": "Full",
        "color_cues": "true",
        "n_layers_color_cue": 0,
        "prepaint": "false",
        "preload_ahead": 0,
    }


def _calibration_attributes(pixel_size: Sequence[float]) -> dict[str, Any]:
    x, y, z = map(float, pixel_size)
    return {
        "pixelWidth": x,
        "pixelHeight": y,
        "pixelDepth": z,
        "xOrigin": 0.0,
        "yOrigin": 0.0,
        "zOrigin": 0.0,
        "info": "",
        "valueUnit": "Gray Value",
        "timeUnit": "sec",
        "unit": "nm",
    }
