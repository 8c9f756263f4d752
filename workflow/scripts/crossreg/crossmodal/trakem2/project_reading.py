"""Reading of TrakEM2 projects, as crossreg writes and as TrakEM2 saves them."""

import re
import zlib
from xml.parsers import expat
from xml.parsers.expat import errors

from crossreg.crossmodal.trakem2.project_parser import ProjectParser, RefusedError
from crossreg.crossmodal.trakem2.saved_project import SavedProject
from crossreg.io.errors import UserError

MAX_BYTES = 256 * 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"
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


class BrokenXmlError(UserError):
    """The file is no XML: TrakEM2 itself saves such projects, see `recovered_project`."""


def read_project(data: bytes, name: str) -> SavedProject:
    """Return the project in `data`: XML, or XML compressed by gzip.

    Raises UserError that names `name` (the file) if the data is not the XML of a project, is
    larger than 256 MB (also after decompression), or declares or refers to anything outside.
    """
    try:
        return ProjectParser(_decompressed(data)).project()
    except RefusedError as refusal:
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
    except RefusedError as refusal:
        raise UserError(f"{name}: {refusal}") from None
    return read_project(UNESCAPED.sub(_escaped, content), name)


def _escaped(match: re.Match[bytes]) -> bytes:
    head, value, tail = match.groups()
    value = BARE_AMPERSAND.sub(b"&amp;", value).replace(b"<", b"&lt;").replace(b'"', b"&quot;")
    return head + value + tail


def _decompressed(data: bytes) -> bytes:
    too_large = RefusedError(f"larger than {MAX_BYTES} bytes, which no project of one section is.")
    if not data.startswith(GZIP_MAGIC):
        if len(data) > MAX_BYTES:
            raise too_large
        return data
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        content = unpacker.decompress(data, MAX_BYTES + 1)
    except zlib.error:
        raise RefusedError("the gzip data is damaged; save the project again.") from None
    if len(content) > MAX_BYTES:
        raise too_large
    if not unpacker.eof or unpacker.unused_data:
        raise RefusedError("the gzip data is cut off or has a tail; save the project again.")
    return content
