"""XML from a person can neither fetch anything nor fill the memory."""

import gzip

import planted_project as pp
import pytest

from crossreg.crossmodal.check.check_project import check_project
from crossreg.crossmodal.trakem2 import project_reading
from crossreg.crossmodal.trakem2.project_reading import read_project
from crossreg.io.errors import UserError

XML = pp.planted().xml
DTD_LINE = b"<!ELEMENT anything EMPTY>\n"


def with_declaration(declaration: bytes) -> bytes:
    assert DTD_LINE in XML
    return XML.replace(DTD_LINE, DTD_LINE + declaration + b"\n")


BILLION = b"".join(
    b'<!ENTITY l%d "%s">' % (i, b"&l%d;" % (i - 1) * 10 if i else b"lol") for i in range(10)
)
ENTITIES = {
    "bomb": with_declaration(BILLION).replace(b'title="z00042"', b'title="&l9;"'),
    "declared only": with_declaration(b'<!ENTITY a "b">'),
    "parameter entity": with_declaration(b'<!ENTITY % a "b">'),
    "parameter reference": with_declaration(b'<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;'),
    "file": with_declaration(b'<!ENTITY a SYSTEM "file:///etc/passwd">'),
    "network": with_declaration(b'<!ENTITY a PUBLIC "x" "http://127.0.0.1:9/">'),
    "unparsed": with_declaration(b'<!ENTITY a SYSTEM "x" NDATA b>'),
    "notation": with_declaration(b'<!NOTATION a SYSTEM "x">'),
    "outside document type": XML.replace(
        b"<!DOCTYPE trakem2_anything [", b'<!DOCTYPE trakem2_anything SYSTEM "x.dtd" ['
    ),
    "undeclared": XML.replace(b'title="z00042"', b'title="&nbsp;"'),
    "undeclared with an outside part": with_declaration(b"%a;").replace(
        b'title="z00042"', b'title="&nbsp;"'
    ),
}


@pytest.mark.parametrize("xml", ENTITIES.values(), ids=ENTITIES.keys())
def test_entities_and_outside_references_are_refused(xml):
    with pytest.raises(UserError, match=r"^00042.xml: ") as caught:
        read_project(xml, "00042.xml")
    assert "root:" not in str(caught.value)


def test_the_five_predefined_entities_are_read():
    xml = XML.replace(b'title="z00042"', b'title="&amp;&lt;&gt;&quot;&apos;&#65;"')
    assert read_project(xml, "x").attributes["title"] == "&<>\"'A"


def test_size_is_bounded_also_after_decompression(monkeypatch):
    monkeypatch.setattr(project_reading, "MAX_BYTES", 2 * len(XML))
    assert read_project(gzip.compress(XML), "x").patches
    large = XML + b" " * 2 * len(XML)
    for data in (large, gzip.compress(large)):
        assert len(data) < len(XML) or data is large
        with pytest.raises(UserError, match="larger than"):
            read_project(data, "x")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not valid XML"),
        (b"not xml", "not valid XML"),
        (b"<html/>", "not a TrakEM2 project"),
        (XML[:-30], "not valid XML"),
        (gzip.compress(XML)[:-20], "cut off"),
        (gzip.compress(XML) + b"tail", "tail"),
        (b"\x1f\x8bnothing", "damaged"),
        (XML.replace(b'title="z00042"', b'title="a & b"'), "not valid XML"),
        (XML.replace(b'oid="100"', b'oid="tile_a"', 1), "oid='tile_a'"),
        (XML.replace(b'o_width="100"', b'o_width="100.0"', 1), "o_width='100.0'"),
        (XML.replace(b'mres="32"', b'mres="99999999"', 1), "mesh resolution of 99999999"),
        (XML.replace(b"matrix(4.0,", b"matrix(four,", 1), "not a matrix"),
        (XML.replace(b"matrix(4.0,", b"matrix(", 1), "not a matrix"),
    ],
)
def test_broken_files_are_told_in_one_sentence_and_as_a_finding(data, says):
    assert data != XML
    with pytest.raises(UserError, match=r"^00042.xml: ") as caught:
        read_project(data, "00042.xml")
    assert says in str(caught.value)
    checked = check_project(data, "00042.xml", pp.planted().frozen)
    assert checked.faulty and not checked.tiles
    assert [finding.kind for finding in checked.findings] == ["unreadable"]
    assert says in checked.findings[0].sentence()
