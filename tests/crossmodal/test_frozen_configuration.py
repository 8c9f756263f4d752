"""The frozen configuration is made once, whole, and is never changed without being told."""

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from crossreg.crossmodal.freeze.canonical import canonical_json, sha256
from crossreg.crossmodal.freeze.frozen import (
    check_request,
    fingerprint,
    freezing,
    read_frozen,
    read_section,
    request_differences,
)
from crossreg.crossmodal.freeze.parameters import normalised
from crossreg.crossmodal.freeze.records import Frozen, LeftOut
from crossreg.crossmodal.trakem2 import project_files as project_files_module
from crossreg.crossmodal.trakem2.project_files import create_once, project_files, project_state
from crossreg.crossmodal.trakem2.project_xml import Layer
from crossreg.io.errors import UserError

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
GIVEN = {"inputStack": "EM", "LMstack": "LM", "render": {"owner": "lab", "project": "m4"}}


def parameters(**given):
    return normalised(GIVEN | given, "p.json")


def head(**given):
    asked = parameters(**given)
    return Frozen(
        name="first_try",
        owner=asked.owner,
        project=asked.project,
        input_stack=asked.input_stack,
        lm_stacks=asked.lm_stacks,
        request=asked.request,
        bounds={"minX": -1, "minY": 0, "maxX": 9, "maxY": 20},
        layer={"width": 10, "height": 20},
        layers=(Layer(0, "LM", 5), Layer(1, "EM", 6)),
        intensity={"EM": None, "LM": [0.0, 5.0]},
        stacks={"EM": {"state": "COMPLETE"}},
        left_out=(LeftOut(3.0, "no tile"),),
        info={"created": "2026-01-01", "crossreg": "1", "folder": "stacks"},
        project_form=2,
    )


def record(z):
    return {"z": z, "resolvedTiles": {"EM": {"z": z}}, "patches": [], "outside": ["far"]}


def draft(frozen, entry, section):
    return f"<{section.z}/>".encode()


def freeze(folder, zs=(1.0, 2.5), **given):
    with freezing(folder) as freezer:
        for z in zs:
            freezer.add_section(record(z), f"u{z}", {"EM": 3}, 0)
        return freezer.finish(head(**given), draft)


def snapshot(folder):
    return {
        path.relative_to(folder): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in [folder, *folder.rglob("*")]
    }


def test_what_was_frozen_is_read_again(tmp_path):
    written = freeze(tmp_path)
    frozen = read_frozen(tmp_path)
    assert frozen == written
    assert frozen.to_record()["format"] == "crossreg-frozen/1"
    assert [entry.stem for entry in frozen.sections] == ["00001", "00002.5"]
    sections = [read_section(tmp_path, frozen, entry) for entry in frozen.sections]
    assert [one.z for one in sections] == [1.0, 2.5]
    assert [one.tiles for one in sections] == [record(z)["resolvedTiles"] for z in (1.0, 2.5)]
    assert [one.outside for one in sections] == [("far",), ("far",)]
    assert sorted(path.name for path in (tmp_path / "frozen").rglob("*")) == [
        "00001.json",
        "00002.5.json",
        "frozen.json",
        "sections",
    ]


KEYS = """
    format sha256 info name owner project inputStack LMstacks request bounds layer layers intensity
    stacks sections leftOut projectForm
"""


def test_the_keys_are_those_of_the_format(tmp_path):
    assert set(freeze(tmp_path).to_record()) == set(KEYS.split())
    entry = read_frozen(tmp_path).to_record()["sections"][0]
    assert set(entry) == {"z", "stem", "unuid", "sha256", "draftSha256", "tiles", "sticksOut"}


def test_the_same_request_has_the_same_bytes(tmp_path):
    freeze(tmp_path / "a")
    freeze(tmp_path / "b")
    for path in (tmp_path / "a").rglob("*.json"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_the_hash_is_of_everything_but_itself_and_info(tmp_path):
    frozen = freeze(tmp_path).to_record()
    assert fingerprint(frozen | {"info": {}, "sha256": ""}) == frozen["sha256"]
    for key in frozen.keys() - {"info", "sha256"}:
        changed = [{"changed": 1}] if key == "sections" else "changed"
        assert fingerprint(frozen | {key: changed}) != frozen["sha256"], key


def test_projects_carry_the_hash_and_their_own_hashes_are_kept(tmp_path):
    with freezing(tmp_path) as freezer:
        freezer.add_section(record(1.0), "u", {"EM": 3}, 0)
        frozen = freezer.finish(head(), lambda frozen, *_: frozen.sha256.encode())
    assert frozen == read_frozen(tmp_path)
    (entry,) = frozen.sections
    create_once(tmp_path / "00001.xml", frozen.sha256.encode())
    assert project_state(tmp_path, entry.stem, entry.draft_sha256) == "untouched"


def test_there_is_none_before(tmp_path):
    assert read_frozen(tmp_path) is None


@pytest.mark.parametrize("edit", [{"bounds": {"minX": 0}}, {"sha256": "0"}, {"extra": 1}])
def test_a_changed_frozen_configuration_is_refused(tmp_path, edit):
    frozen = freeze(tmp_path).to_record()
    (tmp_path / "frozen" / "frozen.json").write_text(canonical_json(frozen | edit))
    with pytest.raises(UserError, match=r"frozen\.json: the file was changed after freezing"):
        read_frozen(tmp_path)


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": "crossreg-frozen/9"}'])
def test_another_format_is_refused(tmp_path, text):
    freeze(tmp_path)
    (tmp_path / "frozen" / "frozen.json").write_text(text)
    with pytest.raises(UserError, match=r"not a frozen configuration of the format"):
        read_frozen(tmp_path)


def test_a_changed_or_lost_section_is_refused(tmp_path):
    frozen = freeze(tmp_path)
    entry = frozen.sections[0]
    path = tmp_path / "frozen" / "sections" / "00001.json"
    path.write_text(path.read_text() + " ")
    with pytest.raises(UserError, match=r"00001\.json: the file was changed"):
        read_section(tmp_path, frozen, entry)
    path.unlink()
    with pytest.raises(UserError, match=r"00001\.json: the frozen section is gone"):
        read_section(tmp_path, frozen, entry)


def test_a_second_freezing_is_refused_and_changes_nothing(tmp_path):
    freeze(tmp_path)
    before = snapshot(tmp_path)
    with pytest.raises(UserError, match="already frozen; choose another 'name'"):
        freeze(tmp_path, zs=(9.0,))
    assert snapshot(tmp_path) == before


def test_reading_changes_nothing(tmp_path):
    frozen = freeze(tmp_path)
    create_once(tmp_path / "00001.xml", b"<1.0/>")
    before = snapshot(tmp_path)
    read_frozen(tmp_path)
    entry = frozen.sections[0]
    read_section(tmp_path, frozen, entry)
    project_state(tmp_path, entry.stem, entry.draft_sha256)
    check_request(tmp_path, frozen, parameters())
    assert not create_once(tmp_path / "00001.xml", b"other")
    assert snapshot(tmp_path) == before


def test_a_failed_freezing_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match="no images"), freezing(tmp_path) as freezer:
        freezer.add_section(record(1.0), "u", {}, 0)
        raise UserError("no images")
    assert list(tmp_path.iterdir()) == []


def test_another_that_froze_meanwhile_wins(tmp_path):
    with pytest.raises(UserError, match="already frozen"), freezing(tmp_path) as freezer:
        freezer.add_section(record(9.0), "u", {}, 0)
        (tmp_path / "frozen").mkdir()
        (tmp_path / "frozen" / "frozen.json").write_text("{}")
        freezer.finish(head(), draft)
    assert [path.name for path in tmp_path.iterdir()] == ["frozen"]


def test_a_killed_freezing_leaves_nothing_that_counts(tmp_path):
    program = f"""
        import sys, time
        from pathlib import Path
        sys.path.insert(0, {str(SCRIPTS)!r})
        from crossreg.crossmodal.freeze.frozen import freezing
        with freezing(Path({str(tmp_path)!r})) as freezer:
            freezer.add_section({record(7.0)!r}, "u", {{}}, 0)
            print("ready", flush=True)
            time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert read_frozen(tmp_path) is None
    frozen = freeze(tmp_path)
    assert read_frozen(tmp_path) == frozen
    assert [path.name for path in tmp_path.iterdir()] == ["frozen"]
    assert len(list((tmp_path / "frozen" / "sections").iterdir())) == 2


def test_every_difference_is_named_with_both_values(tmp_path):
    frozen = freeze(tmp_path, minX=3)
    now = parameters(LMstack="LM_2", minX=4.5, sections=[1], render={"owner": "lab"})
    with pytest.raises(UserError) as error:
        check_request(tmp_path, frozen, now)
    sentence = str(error.value)
    assert 'LMstacks (frozen: ["LM"], now: ["LM_2"])' in sentence
    assert "minX (frozen: 3, now: 4.5)" in sentence
    assert "sections (frozen: not given, now: [1])" in sentence
    assert 'render.project (frozen: "m4", now: not given)' in sentence
    assert sentence.count("frozen: ") == 4
    assert "choose another 'name'" in sentence


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ({}, {"buffersize": 0, "checkTileImages": True, "imagePaths": [], "intensity": {}}),
        ({}, {"outputStack": "OUT", "client_scripts": "x", "sectionsWithoutLM": "error"}),
        ({"sections": [1, 2]}, {"sections": [2.0, 1.0]}),
        ({"minX": 1}, {"minX": 1.0}),
        ({}, {"render": {"owner": "lab", "project": "m4", "host": "elsewhere", "port": 80}}),
    ],
)
def test_what_means_the_same_is_no_difference(tmp_path, then, now):
    assert request_differences(freeze(tmp_path, **then), parameters(**now)) == []


def test_one_lm_stack_means_a_list_of_one(tmp_path):
    frozen = freeze(tmp_path)
    now = normalised({"inputStack": "EM", "LMstacks": ["LM"], "render": GIVEN["render"]}, "p.json")
    assert request_differences(frozen, now) == []


def test_a_project_is_untouched_saved_or_missing(tmp_path):
    entry = freeze(tmp_path).sections[0]

    def state():
        return project_state(tmp_path, entry.stem, entry.draft_sha256)

    assert state() == "missing"
    assert create_once(tmp_path / "00001.xml", b"<1.0/>")
    assert state() == "untouched"
    (tmp_path / "00001.xml").write_bytes(b"<saved/>")
    assert state() == "saved"
    (tmp_path / "00001.xml").rename(tmp_path / "00001.xml.gz")
    assert state() == "saved"
    assert [path.name for path in project_files(tmp_path, "00001")] == ["00001.xml.gz"]


def test_a_file_is_created_once(tmp_path):
    path = tmp_path / "new" / "00001.xml"
    assert create_once(path, b"first")
    assert not create_once(path, b"second")
    assert path.read_bytes() == b"first"
    assert [other.name for other in path.parent.iterdir()] == ["00001.xml"]


def test_a_file_that_appears_meanwhile_is_left_alone(tmp_path, monkeypatch):
    path = tmp_path / "00001.xml"
    monkeypatch.setattr(project_files_module.os.path, "lexists", lambda _: False)
    path.write_bytes(b"a person's")
    assert not create_once(path, b"ours")
    assert path.read_bytes() == b"a person's"


def test_without_hard_links_a_file_is_created_once_too(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(project_files_module.os, "link", refuse)
    path = tmp_path / "00001.xml"
    assert create_once(path, b"first")
    assert path.read_bytes() == b"first"
    monkeypatch.setattr(project_files_module.os.path, "lexists", lambda _: False)
    assert not create_once(path, b"second")
    assert path.read_bytes() == b"first"
    assert [other.name for other in tmp_path.iterdir()] == ["00001.xml"]


def test_canonical_json_is_one_text_for_one_value():
    assert canonical_json({"b": [1, 2.5], "a": "é"}) == '{"a":"é","b":[1,2.5]}'
    assert sha256({"a": 1, "b": 2}) == sha256(json.loads('{"b": 2, "a": 1}'))
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json({"a": math.nan})
