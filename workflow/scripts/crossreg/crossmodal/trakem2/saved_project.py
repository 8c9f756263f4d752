"""Reading of TrakEM2 projects, as crossreg writes and as TrakEM2 saves them.

The file comes from a person and is not trusted: nothing is fetched, no entity is expanded, and
the size is bounded. `Patch` of `patches.py` is what was frozen, `SavedPatch` what was found.
"""

import re
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NoReturn
from xml.parsers import expat
from xml.parsers.expat import errors

from crossreg.crossmodal.affine import Affine, affine
from crossreg.crossmodal.render.transform_data import Transform
from crossreg.io.errors import UserError

MAX_BYTES = 256 * 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"

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
UNESCAPED = re.compile(
    rb'^(\t+[A-Za-z_]\w*=")(.*?)("[ \t]*)$(?=\n\t*(?:[A-Za-z_]\w*="|/?>))', re.S | re.M
)
"""An attribute on a line of its own, up to the next attribute or the end of the element."""

BARE_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]+);)")
CUT_OFF = (
    errors.codes[errors.XML_ERROR_NO_ELEMENTS],
    errors.codes[errors.XML_ERROR_UNCLOSED_TOKEN],
)
"""What expat says of a file that ends too early."""

OPACITY = re.compile(r"fill-opacity:\s*([0-9.eE+-]+)")


@dataclass(frozen=True)
class SavedPatch:
    """One image as it stands in a project; matrix in the frame of the project."""

    oid: int
    layer: int
    """oid of the layer that holds the patch."""
    title: str
    matrix: Affine
    transforms: tuple[Transform, ...]
    """Coordinate transforms, lists resolved, first applied first."""
    has_ct_id: bool
    mres: int
    type: int
    o_width: int
    o_height: int
    min: float
    max: float
    file_path: str
    locked: bool
    visible: bool
    opacity: float
    has_mask: bool
    filters: tuple[str, ...]
    """Classes of the image filters that a person set."""
    props: MappingProxyType[str, str]


@dataclass(frozen=True)
class SavedProject:
    """What crossreg needs of a project file."""

    attributes: MappingProxyType[str, str]
    """Attributes of <project>, names in lower case as TrakEM2 saves them."""
    layer_width: float
    layer_height: float
    layers: tuple[int, ...]
    """oids in the order of the file."""
    patches: tuple[SavedPatch, ...]
    annotations: MappingProxyType[str, int]
    """How many elements of each kind a person added."""


class BrokenXmlError(UserError):
    """The file is no XML: TrakEM2 itself saves such projects, see `recovered_project`."""


class _RefusedError(Exception):
    """A sentence about what makes the file unusable, to which the caller adds its name."""


def read_project(data: bytes, name: str) -> SavedProject:
    """Return the project in `data`: XML, or XML compressed by gzip.

    Raises UserError that names `name` (the file) if the data is not the XML of a project, is
    larger than 256 MB (also after decompression), or declares or refers to anything outside.
    """
    try:
        return _Reader(_decompressed(data)).project()
    except _RefusedError as refusal:
        raise UserError(f"{name}: {refusal}") from None
    except expat.ExpatError as error:
        if error.code in CUT_OFF:
            raise UserError(
                f"{name}: not valid XML: the file ends at line {error.lineno}, before the project"
                " does: its save was cut off, or it was copied in part."
            ) from None
        raise BrokenXmlError(
            f"{name}: not valid XML at line {error.lineno}, column {error.offset}"
            f" ({expat.ErrorString(error.code)}), which a title or label with one of the"
            ' characters & < " makes in TrakEM2.'
        ) from None
    except (LookupError, ValueError) as error:
        # What the parser raises for an encoding that it does not know.
        raise UserError(f"{name}: {error}; save the project again in TrakEM2.") from None


def recovered_project(data: bytes, name: str) -> SavedProject:
    """Return the project in `data` after every attribute that TrakEM2 did not escape is escaped.

    TrakEM2 writes attributes of its elements one per line and escapes none of them, so that `&`,
    `<` or `"` in a label or title make the file unreadable, for itself as well; all else in it is
    whole. Raises UserError, as `read_project`, if that is not all that is wrong.
    """
    try:
        content = _decompressed(data)
    except _RefusedError as refusal:
        raise UserError(f"{name}: {refusal}") from None
    return read_project(UNESCAPED.sub(_escaped, content), name)


def _escaped(match: re.Match[bytes]) -> bytes:
    head, value, tail = match.groups()
    value = BARE_AMPERSAND.sub(b"&amp;", value).replace(b"<", b"&lt;").replace(b'"', b"&quot;")
    return head + value + tail


def _decompressed(data: bytes) -> bytes:
    too_large = _RefusedError(f"larger than {MAX_BYTES} bytes, which no project of one section is.")
    if not data.startswith(GZIP_MAGIC):
        if len(data) > MAX_BYTES:
            raise too_large
        return data
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        content = unpacker.decompress(data, MAX_BYTES + 1)
    except zlib.error:
        raise _RefusedError("the gzip data is damaged; save the project again.") from None
    if len(content) > MAX_BYTES:
        raise too_large
    if not unpacker.eof or unpacker.unused_data:
        raise _RefusedError("the gzip data is cut off or has a tail; save the project again.")
    return content


@dataclass
class _OpenPatch:
    """A patch whose end tag has not been read yet."""

    layer: int
    attributes: dict[str, str]
    transforms: list[Transform] = field(default_factory=list)
    props: dict[str, str] = field(default_factory=dict)
    filters: list[str] = field(default_factory=list)


class _Reader:
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
            raise _RefusedError("not a TrakEM2 project; put the saved project here.")
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
            raise _RefusedError("an image is outside of any layer; save the project again.")
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
        raise _RefusedError(
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
        raise _RefusedError(f"{where} has a mesh resolution of {mres}; set it to 32 in TrakEM2.")
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
        raise _RefusedError(
            f"{where} has {key}='{attributes.get(key, '')}', which is not a number;"
            " save the project again."
        ) from None


def _integer(attributes: dict[str, str], key: str, where: str, default: str = "") -> int:
    text = attributes.get(key, default)
    try:
        return int(text)
    except ValueError:
        raise _RefusedError(
            f"{where} has {key}='{text}', which is not a whole number; save the project again."
        ) from None


def _matrix(text: str, where: str) -> Affine:
    match = MATRIX.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        return affine([float(word) for word in match.group(1).split(",")])
    except ValueError:
        raise _RefusedError(
            f"{where} has transform='{text}', which is not a matrix of six numbers;"
            " save the project again."
        ) from None


def _opacity(style: str) -> float:
    match = OPACITY.search(style)
    try:
        return float(match.group(1)) if match else 1.0
    except ValueError:
        raise _RefusedError(
            f"an image has style='{style}', whose opacity is not a number; save the project again."
        ) from None
