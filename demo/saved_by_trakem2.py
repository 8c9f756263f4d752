"""Rewriting a project the way TrakEM2 saves it, for the demo and for tests.

TrakEM2 writes a document type in full, numbers as Java doubles, attributes of <project> in
lower case and in another order, a single coordinate transform without a list, and paths below
the project's folder as relative ones. It escapes nothing and knows latin-1 only.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lxml import etree

from crossreg.crossmodal.affine import Affine
from crossreg.crossmodal.render.transforms import AFFINE_CLASS
from crossreg.crossmodal.trakem2.project_parser import MATRIX
from crossreg.crossmodal.trakem2.project_xml import ENCODING

COMMON = "oid layer_id transform style locked visible title links composite"
PATCH = (
    "file_path original_path type false_color ct o_width o_height min max o_width o_height pps"
    " mres ct_id alpha_mask_id"
)
LAYER_SET = (
    "oid layer_id transform style locked visible title links composite layer_width layer_height"
    " rot_x rot_y rot_z snapshots_quality color_cues"
)
CALIBRATION = (
    "pixelWidth pixelHeight pixelDepth xOrigin yOrigin zOrigin info valueUnit timeUnit unit"
)
ELEMENTS = {
    "anything": ("EMPTY", "id expanded"),
    "t2_layer": ("(t2_patch,t2_label,t2_layer_set,t2_profile)", "oid thickness z"),
    "t2_layer_set": ("(t2_prop,t2_annot,t2_layer,t2_area_list,t2_calibration)", LAYER_SET),
    "t2_calibration": ("EMPTY", CALIBRATION),
    "t2_label": ("(t2_prop,t2_linked_prop,t2_annot)", COMMON),
    "t2_filter": ("EMPTY", ""),
    "t2_patch": ("(t2_prop,ict_transform,ict_transform_list,t2_filter)", f"{COMMON} {PATCH}"),
    "t2_area_list": ("(t2_prop,t2_linked_prop,t2_annot,t2_area)", f"{COMMON} fill_paint"),
    "t2_prop": ("EMPTY", "key value"),
    "t2_annot": ("EMPTY", ""),
    "ict_transform": ("EMPTY", "class data"),
    "iict_transform": ("EMPTY", "class data"),
    "ict_transform_list": ("(ict_transform|iict_transform)*", ""),
    "iict_transform_list": ("(iict_transform*)", ""),
}
"""Content and attributes of the elements that TrakEM2 declares and projects of images have."""

PATCH_ATTRIBUTES = (
    "oid width height transform locked visible title links type file_path style o_width o_height"
    " min max mres"
)
"""In the order of a save."""

DOUBLES = "width height min max thickness z layer_width layer_height rot_x rot_y rot_z"
"""Attributes that a save rewrites as Java doubles."""

NOT_SAVED = frozenset({"mipmaps_regen"})
LAYER_SET_EXTRAS = {
    "area_color_cues": "true",
    "avoid_color_cue_colors": "false",
    "paint_arrows": "true",
    "paint_tags": "true",
}


def saved_by_trakem2(
    project: bytes, matrices: Mapping[int, Affine] | None = None, folder: str | None = None
) -> bytes:
    """Return the bytes of `project` as TrakEM2 would save them.

    `matrices` replaces the matrix of patches by oid, in the frame of the project: what a person
    does by moving tiles. `folder` is the folder of the project, to which paths become relative.
    """
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True)
    root = etree.fromstring(project, parser)
    for patch in root.iter("t2_patch"):
        matrix = (matrices or {}).get(int(patch.get("oid")))
        if matrix is not None:
            patch.set("transform", f"matrix({','.join(map(java_double, matrix))})")
        path = patch.get("file_path")
        if folder and path.startswith(folder.rstrip("/") + "/"):
            patch.set("file_path", path[len(folder.rstrip("/")) + 1 :])
    head = root.find("project")
    lines = [f'<?xml version="1.0" encoding="{ENCODING}"?>', *_document_type(head), ""]
    lines += ["<trakem2>", *_project(head), *_written(root.find("t2_layer_set"), 1), "</trakem2>"]
    return ("\n".join(lines) + "\n").encode(ENCODING, "replace")


def java_double(value: float) -> str:
    """Return a number as Java's Double.toString writes it."""
    value = float(value)
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else ("-" if value < 0 else "") + "Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    mantissa, exponent = _scientific(value)
    return f"{mantissa}E{exponent}"


def _scientific(value: float) -> tuple[str, int]:
    """Return the shortest mantissa, with a point, and the exponent of a number."""
    digits = re.sub(r"e.*|[-.]", "", repr(value)).lstrip("0").rstrip("0")
    exponent = math.floor(math.log10(abs(value)))
    # The logarithm is rounded: compare with the number that the digits give.
    for guess in (exponent, exponent + 1, exponent - 1):
        mantissa = f"{'-' if value < 0 else ''}{digits[0]}.{digits[1:] or '0'}"
        if float(f"{mantissa}e{guess}") == value:
            return mantissa, guess
    raise ValueError(f"{value!r} has no scientific form")


def _document_type(project: etree._Element) -> Iterator[str]:
    yield "<!DOCTYPE trakem2_anything ["
    yield "\t<!ELEMENT trakem2 (project,t2_layer_set,t2_display)>"
    yield "\t<!ELEMENT project (anything)>"
    yield from _attribute_list("project", (name.lower() for name in project.attrib))
    for name, (content, attributes) in ELEMENTS.items():
        yield f"\t<!ELEMENT {name} {content}>"
        yield from _attribute_list(name, attributes.split())
    yield "] >"


def _attribute_list(element: str, attributes: Iterable[str]) -> Iterator[str]:
    kind = "CDATA" if element.endswith("ict_transform") else "NMTOKEN"
    for attribute in attributes:
        yield f"\t<!ATTLIST {element} {attribute} {kind} #REQUIRED>"


def _project(project: etree._Element) -> Iterator[str]:
    """Yield <project>: names in lower case, those that TrakEM2 does not know last, reversed."""
    names = list(project.attrib)
    own = [name for name in names if name.startswith("crossreg")]
    order = [name for name in names if name not in own and name not in NOT_SAVED] + own[::-1]
    yield "\t<project"
    for name in order:
        yield f'\t\t{name.lower()}="{_plain(project.get(name))}"'
    yield "\t>"
    yield "\t</project>"


def _written(element: etree._Element, depth: int) -> Iterator[str]:
    """Yield an element of the layer set and all below it."""
    tab = "\t" * depth
    attributes = dict(element.attrib)
    if element.tag == "t2_layer_set":
        attributes |= LAYER_SET_EXTRAS
    if element.tag == "t2_patch":
        attributes = {
            name: attributes[name] for name in PATCH_ATTRIBUTES.split() if name in attributes
        }
        if "null" in attributes["title"].lower():
            del attributes["title"]
    yield f"{tab}<{element.tag}"
    for name, value in attributes.items():
        yield f'{tab}\t{name}="{_value(name, value)}"'
    yield f"{tab}>"
    for child in element:
        if child.tag == "ict_transform_list":
            yield from _transforms(_leaves(child), depth + 1)
        elif child.tag in ("ict_transform", "iict_transform"):
            yield from _transforms([child], depth + 1)
        else:
            yield from _written(child, depth + 1)
    yield f"{tab}</{element.tag}>"


def _leaves(transforms: etree._Element) -> list[etree._Element]:
    return list(transforms.iter("ict_transform", "iict_transform"))


def _transforms(leaves: Sequence[etree._Element], depth: int) -> Iterator[str]:
    """Yield the coordinate transforms of a patch; a single one stands without a list."""
    tab = "\t" * depth
    inner = tab if len(leaves) == 1 else tab + "\t"
    if len(leaves) > 1:
        yield f"{tab}<ict_transform_list>"
    for leaf in leaves:
        name = "iict_transform" if leaf.get("class") == AFFINE_CLASS else "ict_transform"
        data = " ".join(map(_number, leaf.get("data").split()))
        yield f'{inner}<{name} class="{leaf.get("class")}" data="{data}"/>'
    if len(leaves) > 1:
        yield f"{tab}</ict_transform_list>"


def _number(word: str) -> str:
    """Return a word of a data string as TrakEM2 writes it; counts and names stay as they are."""
    return java_double(float(word)) if re.fullmatch(r"[-+]?\d*\.\d*(?:[eE].+)?", word) else word


def _value(name: str, value: str) -> str:
    match = MATRIX.fullmatch(value)
    if name == "transform" and match:
        numbers = (java_double(float(word)) for word in match.group(1).split(","))
        return f"matrix({','.join(numbers)})"
    return java_double(float(value)) if name in DOUBLES.split() else _plain(value)


def _plain(value: str) -> str:
    """Return a value as TrakEM2 writes it: nothing escaped, runs of spaces joined."""
    return re.sub(" +", " ", value).strip()
