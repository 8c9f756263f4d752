"""The parsing of a project's XML, which comes from a person and is not trusted.

Nothing is fetched, no entity is expanded.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NoReturn
from xml.parsers import expat

from crossreg.crossmodal.affine import Affine, affine
from crossreg.crossmodal.render.transform_data import Transform
from crossreg.crossmodal.trakem2.saved_project import SavedPatch, SavedProject

# TrakEM2 offers at most 512; a huge mesh would fill the memory.
MAX_MRES = 1024

TRANSFORM_ELEMENTS = ("ict_transform", "iict_transform")
PLAIN_ELEMENTS = frozenset(
    {
        *TRANSFORM_ELEMENTS,
        "ict_transform_list",
        "iict_transform_list",
        "trakem2",
        "project",
        "anything",
        "t2_calibration",
        "t2_display",
        "t2_filter",
        "t2_layer",
        "t2_layer_set",
        "t2_linked_prop",
        "t2_patch",
        "t2_prop",
    }
)
"""What a project of images consists of; any other element is a person's annotation."""

MATRIX = re.compile(r"matrix\(([^()]*)\)")

OPACITY = re.compile(r"fill-opacity:\s*([0-9.eE+-]+)")


class RefusedError(Exception):
    """A sentence about what makes the file unusable, to which the caller adds its name."""


@dataclass
class _OpenPatch:
    """A patch whose end tag has not been read yet."""

    layer: int
    attributes: dict[str, str]
    transforms: list[Transform] = field(default_factory=list)
    props: dict[str, str] = field(default_factory=dict)
    filters: list[str] = field(default_factory=list)


class ProjectParser:
    """Collects the project from the events of an expat parser that refuses every entity."""

    def __init__(self, content: bytes):
        self._attributes: dict[str, str] = {}
        self._size: tuple[float, float] | None = None
        self._layers: list[int] = []
        self._open_layers: list[int] = []
        self._patches: list[SavedPatch] = []
        self._patch: _OpenPatch | None = None
        self._annotations: Counter[str] = Counter()
        self._starts: dict[str, Callable[[dict[str, str]], None]] = {
            "project": self._start_project,
            "t2_layer_set": self._start_layer_set,
            "t2_layer": self._start_layer,
            "t2_patch": self._start_patch,
            "t2_prop": self._start_prop,
            "t2_filter": self._start_filter,
            "ict_transform": self._start_transform,
            "iict_transform": self._start_transform,
        }
        _secure_parser(self._start, self._end).Parse(content, True)

    def project(self) -> SavedProject:
        """Return what was collected."""
        if self._size is None:
            raise RefusedError("not a TrakEM2 project; put the saved project here.")
        return SavedProject(
            attributes=MappingProxyType(self._attributes),
            layer_width=self._size[0],
            layer_height=self._size[1],
            layers=tuple(self._layers),
            patches=tuple(self._patches),
            annotations=MappingProxyType(dict(self._annotations)),
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name not in PLAIN_ELEMENTS or (name == "t2_layer_set" and self._open_layers):
            self._annotations[name] += 1
        elif name in self._starts:
            self._starts[name](attributes)

    def _end(self, name: str) -> None:
        if name == "t2_layer":
            self._open_layers.pop()
        elif name == "t2_patch" and self._patch is not None:
            self._patches.append(_closed(self._patch))
            self._patch = None

    def _start_project(self, attributes: dict[str, str]) -> None:
        self._attributes = {key.lower(): value for key, value in attributes.items()}

    def _start_layer_set(self, attributes: dict[str, str]) -> None:
        width, height = (
            _number(attributes, key, "the layer set") for key in ("layer_width", "layer_height")
        )
        self._size = (width, height)

    def _start_layer(self, attributes: dict[str, str]) -> None:
        oid = _integer(attributes, "oid", "a layer")
        self._layers.append(oid)
        self._open_layers.append(oid)

    def _start_patch(self, attributes: dict[str, str]) -> None:
        if not self._open_layers:
            raise RefusedError("an image is outside of any layer; save the project again.")
        self._patch = _OpenPatch(self._open_layers[-1], attributes)

    def _start_prop(self, attributes: dict[str, str]) -> None:
        if self._patch is not None:
            self._patch.props[attributes.get("key", "")] = attributes.get("value", "")

    def _start_filter(self, attributes: dict[str, str]) -> None:
        if self._patch is not None:
            self._patch.filters.append(attributes.get("class", "").rpartition(".")[2])

    def _start_transform(self, attributes: dict[str, str]) -> None:
        if self._patch is not None:
            data = Transform(attributes.get("class", ""), attributes.get("data", ""))
            self._patch.transforms.append(data)


def _secure_parser(
    start: Callable[[str, dict[str, str]], None], end: Callable[[str], None]
) -> expat.XMLParserType:
    """Return a parser that stops at any entity and at anything outside of the file."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def refuse(*_: object) -> NoReturn:
        raise RefusedError(
            "declares or uses an entity or an outside file, which TrakEM2 never writes;"
            " save the project in TrakEM2 again."
        )

    def start_doctype(name: str, system: str | None, public: str | None, _: int) -> None:
        if system is not None or public is not None:
            refuse()

    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.SkippedEntityHandler = refuse
    # Called at a reference to a parameter entity, after which undeclared entities would pass.
    parser.NotStandaloneHandler = refuse
    parser.UnparsedEntityDeclHandler = refuse
    parser.NotationDeclHandler = refuse
    parser.StartDoctypeDeclHandler = start_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    return parser


def _closed(patch: _OpenPatch) -> SavedPatch:
    """Return the patch from its attributes; refuse what cannot be read."""
    attributes = patch.attributes
    oid = _integer(attributes, "oid", "an image")
    where = f"the image with oid {oid}"
    mres = _integer(attributes, "mres", where, "32")
    if not 0 <= mres <= MAX_MRES:
        raise RefusedError(f"{where} has a mesh resolution of {mres}; set it to 32 in TrakEM2.")
    return SavedPatch(
        oid=oid,
        layer=patch.layer,
        title=attributes.get("title", ""),
        matrix=_matrix(attributes.get("transform", ""), where),
        transforms=tuple(patch.transforms),
        has_ct_id="ct_id" in attributes,
        mres=mres,
        type=_integer(attributes, "type", where),
        o_width=_integer(attributes, "o_width", where),
        o_height=_integer(attributes, "o_height", where),
        min=_number(attributes, "min", where),
        max=_number(attributes, "max", where),
        file_path=attributes.get("file_path", ""),
        locked=attributes.get("locked") == "true",
        visible=attributes.get("visible") != "false",
        opacity=_opacity(attributes.get("style", "")),
        has_mask=attributes.get("alpha_mask_id", "0") != "0",
        filters=tuple(patch.filters),
        props=MappingProxyType(patch.props),
    )


def _number(attributes: dict[str, str], key: str, where: str) -> float:
    """Return an attribute as a number; Java writes NaN and Infinity as Python reads them."""
    try:
        return float(attributes[key])
    except (KeyError, ValueError):
        raise RefusedError(
            f"{where} has {key}='{attributes.get(key, '')}', which is not a number;"
            " save the project again."
        ) from None


def _integer(attributes: dict[str, str], key: str, where: str, default: str = "") -> int:
    text = attributes.get(key, default)
    try:
        return int(text)
    except ValueError:
        raise RefusedError(
            f"{where} has {key}='{text}', which is not a whole number; save the project again."
        ) from None


def _matrix(text: str, where: str) -> Affine:
    match = MATRIX.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        return affine([float(word) for word in match.group(1).split(",")])
    except ValueError:
        raise RefusedError(
            f"{where} has transform='{text}', which is not a matrix of six numbers;"
            " save the project again."
        ) from None


def _opacity(style: str) -> float:
    match = OPACITY.search(style)
    try:
        return float(match.group(1)) if match else 1.0
    except ValueError:
        raise RefusedError(
            f"an image has style='{style}', whose opacity is not a number; save the project again."
        ) from None
