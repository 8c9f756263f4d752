"""Files are written whole or not at all, commands tell mistakes plainly, hashes follow code."""

import argparse
import errno
import textwrap

import pytest

from crossreg.io.errors import UserError
from crossreg.io.files import read_json, whole, write_json
from crossreg.io.schema import allowed, checked, described_keys
from crossreg.workflow_support.for_rules import code_hash as hashing
from crossreg.workflow_support.for_scripts.script_main import new_parser, run


def test_a_file_is_replaced_only_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "table.txt"
    with whole(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(RuntimeError), whole(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in path.parent.iterdir()] == ["table.txt"]


def test_what_a_killed_job_left_behind_is_replaced(tmp_path):
    path = tmp_path / "table.txt"
    with whole(path) as temporary:
        left_behind = temporary
        temporary.write_text("new")
    left_behind.write_text("half, of a killed job")
    with whole(path) as temporary:
        temporary.write_text("newer")
    assert [file.name for file in tmp_path.iterdir()] == ["table.txt"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not valid JSON at line 1"),
        (b'{"a": 1', "not valid JSON"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (b'{"a": NaN}', "NaN is no finite number"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_faulty_json_is_refused(tmp_path, content, sentence):
    path = tmp_path / "parameters.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"parameters.json: .*{sentence}"):
        read_json(path)


def test_json_comes_back_as_it_was_written(tmp_path):
    value = {"b": [1, 2.5, None], "a": {"µ": True}}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value


def command(error):
    def main(options: argparse.Namespace) -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (UserError("a.tif: it is empty."), 1, "ERROR: a.tif: it is empty."),
        (OSError(errno.ENOSPC, "No space left", "out.ecsv"), 1, "out.ecsv: the disk is full"),
        (PermissionError(errno.EACCES, "denied", "out"), 1, "out: no permission"),
        (MemoryError(), 1, "Not enough memory"),
    ],
)
def test_mistakes_and_bad_luck_are_told_in_one_line(tmp_path, capsys, error, status, sentence):
    log = tmp_path / "logs" / "job.log"
    assert run(new_parser("Does nothing."), command(error), ["--log", str(log)]) == status
    printed = capsys.readouterr().err
    assert sentence in printed
    assert printed.count("\n") == 1
    assert sentence.removeprefix("ERROR: ") in log.read_text()


def test_the_traceback_of_a_fault_of_the_program_is_in_the_log(tmp_path, capsys):
    log = tmp_path / "job.log"
    assert run(new_parser("Fails."), command(ZeroDivisionError("no")), ["--log", str(log)]) == 2
    assert "Traceback" in log.read_text()
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    assert str(log) in printed


SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "size": {"type": "integer", "minimum": 1, "default": 3},
        "part": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"mode": {"enum": ["a", "b"], "default": "a"}},
        },
    },
}


def test_defaults_are_filled_in_also_below_sections():
    given = {"name": "x", "part": {}}
    assert checked(given, SCHEMA, "file") == {"name": "x", "size": 3, "part": {"mode": "a"}}
    assert given == {"name": "x", "part": {}}


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({}, "file: the key 'name' is missing"),
        ({"name": 3}, "file: the key 'name' has the value 3; it must be text."),
        ({"name": "x", "size": 0}, "'size' has the value 0; it must be a whole number at least 1"),
        ({"name": "x", "sise": 0}, "unknown key 'sise'; did you mean 'size'?"),
        ({"name": "x", "part": {"mode": "c"}}, "'part.mode' has the value 'c'; .*one of 'a', 'b'"),
        ({"name": "x", "part": {"zzz": 1}}, "unknown key 'part.zzz'; known are: mode"),
        ([], "file: it must be a section with keys"),
    ],
)
def test_faults_are_named_in_plain_sentences(value, sentence):
    with pytest.raises(UserError, match=sentence.replace("?", r"\?")):
        checked(value, SCHEMA, "file")


def test_every_key_is_described_with_its_section():
    assert [key for key, _ in described_keys(SCHEMA)] == ["name", "size", "part", "part.mode"]
    assert allowed({"type": ["string", "null"]}) == "text or null"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a function that writes a small package and returns the hash of its script."""
    folder = tmp_path / "crossreg"
    folder.mkdir()
    monkeypatch.setattr(hashing, "PACKAGE_FOLDER", folder)

    def write(script, **modules):
        hashing._imported.cache_clear()
        hashing._syntax.cache_clear()
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(text))
        (tmp_path / "script.py").write_text(textwrap.dedent(script))
        return hashing.code_hash(tmp_path / "script.py")

    return write


def test_the_hash_follows_code_and_not_words(package):
    script = "from crossreg import a\nfrom crossreg.b import f\n"
    a, b, c = "import crossreg.c\nx = 1\n", "def f():\n    return 1\n", "y = 1\n"
    original = package(script, a=a, b=b, c=c, unused="z = 1\n")
    commented = 'def f():\n    """Return 1."""\n\n    # One.\n    return 1\n'
    assert package(script, a=a, b=commented, c=c) == original
    assert package(script, a=a, b=b, c=c, unused="z = 2\n") == original
    assert package(script, a=a, b=b, c="y = 2\n") != original
    assert package(script, a=a, b="def f():\n    return 2\n", c=c) != original
    assert package(script + "f()\n", a=a, b=b, c=c) != original


def test_the_hash_follows_modules_beside_the_script(package, tmp_path):
    beside = tmp_path / "planted.py"
    beside.write_text("from crossreg.a import x\n")
    original = package("import planted\n", a="x = 1\n")
    assert package("import planted\n", a="x = 2\n") != original
    beside.write_text("from crossreg.a import x\ny = 1\n")
    assert package("import planted\n", a="x = 1\n") != original
