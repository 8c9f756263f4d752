"""Every text file that cannot be used is refused in one sentence: file, key or row, and fault."""

import errno
import json
import os
import re
from pathlib import Path

import pytest

from crossreg.crossmodal.freeze.canonical import canonical_json
from crossreg.crossmodal.freeze.frozen import FORMAT, fingerprint, read_frozen
from crossreg.crossmodal.freeze.parameters import read_parameters as read_trakem2_parameters
from crossreg.crossmodal.trakem2.project_reading import read_project
from crossreg.fiducial.experiment.parameters import read_parameters
from crossreg.io.cycle_tables import (
    GLOBAL_COLUMNS,
    new_table,
    read_global_row,
    read_table,
)
from crossreg.io.ecsv import as_text
from crossreg.io.given_shifts import GivenShifts
from crossreg.io.sheet import read_sheet
from crossreg.workflow_support.inputs.configuration import check_keys_stand_once

LONG = "x" * 5000
ECSV = "# %ECSV 1.0\n# ---\n# datatype:\n"
GIVEN = (
    f"{ECSV}# - {{name: aligned file, datatype: string}}\n# - {{name: shift_x, datatype: KIND}}\n"
    '# - {name: shift_y, datatype: float64}\n"aligned file" shift_x shift_y\n'
)


def common(section, **values):
    return json.dumps({"common": {section: values}})


def trakem2(**values):
    return json.dumps({"inputStack": "EM", "LMstack": "LM"} | values)


def given_rows(*rows, kind="float64"):
    return GIVEN.replace("KIND", kind) + "".join(f"{row}\n" for row in rows)


def row_of_global_shift(rows=1, **types):
    columns = GLOBAL_COLUMNS | types
    values = {name: ["1.0" if kind is str else 1] * rows for name, kind in columns.items()}
    return as_text(new_table(columns, values))


def project(patch="", layer_set='layer_width="10" layer_height="10"', layer='oid="5"'):
    return (
        f'<trakem2><project id="0"/><t2_layer_set {layer_set}><t2_layer {layer}>{patch}'
        "</t2_layer></t2_layer_set></trakem2>"
    )


def patch(**values):
    given = {"oid": "7", "type": "0", "o_width": "9", "o_height": "9", "min": "0", "max": "9"}
    given |= {"transform": "matrix(1,0,0,1,0,0)", "file_path": "a.tif"} | values
    return project(f"<t2_patch {' '.join(f'{k}={v!r}' for k, v in given.items())}/>")


JSON_FAULTS = {
    "empty": ("", "not valid JSON at line 1"),
    "cut off": ('{"common": {"alignImages"', "not valid JSON at line 1"),
    "Latin-1": ('{"common": {"é": 1}}'.encode("latin-1"), "not UTF-8 text"),
    "UTF-16": ('{"common": {}}'.encode("utf-16"), "not UTF-8 text"),
    "key twice": ('{"common": {"a": 1, "a": 2}}', "the key 'a' stands twice"),
    "NaN": ('{"common": NaN}', "NaN is no finite number"),
    "huge number": ('{"common": 1e999}', "1e999 is no finite number"),
    "number of 5000 digits": ('{"common": ' + "9" * 5000 + "}", "9{20} is no finite number"),
    "half a sign": ('{"common": "\\ud800"}', "half a sign"),
    "deep": ("[" * 100_000, "nested too deeply"),
}
PARAMETERS = {
    **JSON_FAULTS,
    "a list": ("[]", "the key 'common' is missing"),
    "a section that is text": ('{"common": {"zProject": "full"}}', "'common.zProject' has"),
    "number as text": (common("acquisition", zBinning="2"), "zBinning' has the value '2'; .*whole"),
    "fraction": (common("acquisition", zBinning=1.5), "zBinning' has the value 1.5; .*whole"),
    "truth as number": (common("acquisition", zBinning=True), "zBinning' has the value True"),
    "out of range": (
        common("alignImages", blockSize=-3),
        "blockSize' has the value -3; .*least 16",
    ),
    "not allowed": (common("zProject", mode="x"), "zProject.mode' has the value 'x'; .*one of"),
    "null": (
        common("alignImages", referenceFiducial=None),
        "referenceFiducial' has the value None",
    ),
    "huge repetition": (
        common("acquisition", fileNameRegExp="a{99999999999999999999}"),
        "fileNameRegExp is not a regular expression",
    ),
    "endless brackets": (
        common("acquisition", fileNameRegExp="(" * 20_000),
        "fileNameRegExp is not a regular expression",
    ),
    "long value": (common("zProject", mode=LONG), r"zProject.mode' has the value 'x{56}\.\.\.; it"),
}
SHEETS = {
    "empty": ("", "the column 'roi' is missing"),
    "spaces": ("roi cycle path\n1 RT1 a.tif\n", "the column 'roi' is missing"),
    "Latin-1": ("roi\tcycle\tpath\n1\tRT1\té.tif\n".encode("latin-1"), "not UTF-8 text"),
    "zeros": ("roi\tcycle\tpath\n\0\n", "not a text file"),
    "column twice": ("roi\tcycle\tpath\troi\n", "a column stands twice"),
    "no rows": ("roi\tcycle\tpath\n", "lists no stack"),
    "cut off": ("roi\tcycle\tpath\n1\tRT1\n", "line 2 has no path"),
    "too many columns": ("roi\tcycle\tpath\n1\tRT1\ta.tif\tch00\n", "line 2 has more columns"),
    "field of 200 kB": ("roi\tcycle\tpath\n1\tRT1\t" + "x" * 200_000, "line 2 cannot be read"),
    "line end of old": ("roi\tcycle\tpath\n1\tRT1\ta\rb\n", "line 3 has no cycle"),
}
TABLES = {
    "empty": ("", "not an ECSV table"),
    "cut off": (ECSV + "# - {name: aligned", "not an ECSV table"),
    "Latin-1": ("é".encode("latin-1"), "not UTF-8 text"),
    "CSV": ("aligned file,shift_x,shift_y\na.tif,1,2\n", "not an ECSV table"),
    "column missing": (
        f"{ECSV}# - {{name: a, datatype: int64}}\na\n1\n",
        "'aligned file' is missing",
    ),
    "number as text": (given_rows("a.tif 1.5 2", kind="string"), "'a.tif' has the shift .*'1.5'"),
    "no number": (given_rows("a.tif x 2"), "not an ECSV table"),
    "NaN": (given_rows("a.tif nan 2"), "'a.tif' has the shift .*nan.*; write a finite number"),
    "missing": (given_rows('a.tif "" 2'), "'a.tif' has the shift .*; write a finite number"),
    "row twice": (given_rows("a.tif 1 2", "b/a.tif 3 4"), "'a.tif' stands in two rows"),
    "unknown type": (given_rows("a.tif 1 2", kind="quaternion"), "not an ECSV table"),
    "objects": (
        given_rows("a.tif 1 2").replace("# ---\n", "# ---\n# meta: !!python/name:os.system {}\n"),
        "not an ECSV table",
    ),
}
GIVEN_JSON = {
    "a list": ("[]", "is expected"),
    "no ROI": ('{"RT1": {}}', "'RT1' is no ROI with cycles"),
    "path for a ROI": ('{"ROI:../../1": {}}', r"'ROI:\.\./\.\./1' is no ROI with cycles"),
    "three numbers": ('{"ROI:001": {"RT1": [1, 2, 3]}}', "ROI 001, cycle RT1 needs two numbers"),
    "number as text": ('{"ROI:001": {"RT1": ["1", 2]}}', "ROI 001, cycle RT1 has the shift '1'"),
    "truth": ('{"ROI:001": {"RT1": [true, 2]}}', "ROI 001, cycle RT1 has the shift True"),
    "ROI of 5000 digits": ('{"ROI:' + "9" * 5000 + '": {"RT1": [1, 2]}}', "is no ROI with cycles"),
}
ROWS = {
    "columns missing": (
        f"{ECSV}# - {{name: a, datatype: int64}}\na\n",
        "not a table of this version; remove it",
    ),
    "no row": (row_of_global_shift(rows=0), "is cut off or was changed; remove it"),
    "two rows": (row_of_global_shift(rows=2), "is cut off or was changed; remove it"),
    "number as text": (row_of_global_shift(shift_x=str), "not a table of this version; remove it"),
}
YAML = {
    "key twice": ("images: a\nborrow: true\nimages: b\n", r"'images' stands twice \(.* line 3\)"),
    "key twice in a section": ("trakem2:\n  name: a\n  name: b\n", "'name' stands twice"),
    "key twice in JSON": ('{\n\t"images": "a", "images": "b"}', "'images' stands twice"),
    "Latin-1": ("images: é".encode("latin-1"), "not UTF-8 text"),
}
TRAKEM2 = {
    **JSON_FAULTS,
    "number as text": (trakem2(minX="3"), "the key 'minX' has the value '3'; it must be a number"),
    "path for a stack": (
        trakem2(outputStack="../EM"),
        r"'outputStack' has the value '\.\./EM'; .*name",
    ),
    "line end in a stack": (trakem2(outputStack="EM2\n"), r"'outputStack' has the value 'EM2\\n'"),
    "port": (trakem2(render={"port": 70000}), "render.port' has the value 70000"),
}
PROJECTS = {
    "wrong encoding": (
        b'<?xml version="1.0" encoding="UTF-8"?><trakem2 a="\xe9"/>',
        "not valid XML",
    ),
    "unknown encoding": (
        '<?xml version="1.0" encoding="klingon"?><trakem2/>',
        "unknown encoding: klingon",
    ),
    "attribute twice": ('<trakem2 a="1" a="2"/>', "not valid XML"),
    "no oid": (patch(oid=""), "oid='', which is not a whole number"),
    "matrix of five": (patch(transform="matrix(1,0,0,1,0)"), "oid 7 has transform=.*six numbers"),
    "opacity": (patch(style="fill-opacity:1.2.3;"), "opacity is not a number"),
    "image outside": ("<trakem2><t2_patch/></trakem2>", "outside of any layer"),
    "layers without size": (project(layer_set=""), "layer_width='', which is not a number"),
    "line ends": (patch(o_width="1&#10;ERROR: 2"), r"o_width='1\\nERROR: 2'"),
}


def read_saved(path):
    return read_project(path.read_bytes(), str(path))


CASES = [
    pytest.param(reader, name, *case, id=f"{name}: {kind}")
    for reader, name, cases in (
        (read_parameters, "parameters.json", PARAMETERS),
        (read_sheet, "samples.tsv", SHEETS),
        (GivenShifts, "given.ecsv", TABLES),
        (GivenShifts, "given.json", {**GIVEN_JSON, **JSON_FAULTS}),
        (read_global_row, "shift.ecsv", ROWS),
        (read_trakem2_parameters, "trakem2.json", TRAKEM2),
        (read_saved, "00042.xml", PROJECTS),
        (check_keys_stand_once, "my.yaml", YAML),
    )
    for kind, case in cases.items()
]


@pytest.mark.parametrize(("reader", "name", "text", "fault"), CASES)
def test_a_bad_file_is_refused_by_name(tmp_path, sentence_of, reader, name, text, fault):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    told = sentence_of(reader, path)
    assert re.search(rf"{re.escape(name)}: .*({fault})", told), told


def test_aliases_without_end_are_no_keys_twice(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]" for n in range(60)]
    (tmp_path / "my.yaml").write_text("\n".join(lines))
    check_keys_stand_once(tmp_path / "my.yaml")


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_table_of_one_line_is_no_path_to_another(tmp_path, sentence_of, scheme):
    """Nothing that a table says makes the workflow open another file, or the network."""
    other, path = tmp_path / "other.ecsv", tmp_path / "given.ecsv"
    other.write_text(given_rows("a.tif 1 2"))
    path.write_text(f"{scheme}{other}")
    assert "given.ecsv: this is not an ECSV table" in sentence_of(read_table, path)


def test_a_file_that_may_not_be_read_is_told(tmp_path, sentence_of, monkeypatch):
    path = tmp_path / "parameters.json"

    def denied(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "read_text", denied)
    told = sentence_of(read_parameters, path)
    assert "parameters.json: the file cannot be read (Permission denied)" in told


def test_a_folder_in_place_of_a_file_is_told(tmp_path, sentence_of):
    assert "a folder, but a file is needed" in sentence_of(read_parameters, tmp_path)


@pytest.mark.parametrize("stem", ["../../../00003", "/tmp/00003", "00003/../00004", "00004", 3])
def test_a_frozen_section_cannot_be_named_by_a_path(tmp_path, sentence_of, stem):
    """Stems become names of files: not even a file with the right hash may choose them."""
    frozen = {"format": FORMAT, "sections": [{"z": 3.0, "stem": stem}]}
    folder = tmp_path / "frozen"
    folder.mkdir()
    (folder / "frozen.json").write_text(canonical_json(frozen | {"sha256": fingerprint(frozen)}))
    told = sentence_of(read_frozen, tmp_path)
    assert "frozen.json: its sections are not named by their z" in told


def test_whatever_a_file_holds_the_error_is_one_short_line(tmp_path, sentence_of):
    (tmp_path / "p.json").write_text(json.dumps({"inputStack": "EM", "\n\x1b[2J" + LONG: 1}))
    told = sentence_of(read_trakem2_parameters, tmp_path / "p.json")
    assert r"unknown key '\n\x1b[2Jxxx" in told
    assert len(told) < 2100
