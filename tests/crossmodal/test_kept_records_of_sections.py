"""A saved project is parsed and checked once, and no stale or damaged record is ever believed."""

import json

import pytest

from crossmodal import planted_project as pp
from crossmodal.planted_registration import OUTPUT, Registration, planted_registration
from crossreg.crossmodal.check import saved_sections, section_files
from crossreg.crossmodal.freeze.canonical import sha256

SHIFT = pp.turn(1.5, 30.0, -20.0, 1.01)


@pytest.fixture
def made(tmp_path, monkeypatch) -> Registration:
    """Return three saved sections, checked; `made.parsed` lists the projects parsed since."""
    made = planted_registration(tmp_path)
    for z in (1.0, 2.0, 3.0):
        made.save(z, SHIFT)
    assert made.check() == 0
    made.parsed = []

    def counting_check(data, name, *rest):
        made.parsed.append(name)
        return check_project(data, name, *rest)

    check_project = saved_sections.check_project
    monkeypatch.setattr(saved_sections, "check_project", counting_check)
    return made


def reports(made: Registration) -> tuple[str, object]:
    return ("--reports", made.root / "out" / "sections")


def edit_record(made: Registration, change) -> None:
    path = made.root / "out" / "sections" / "00002.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_import_and_pictures_read_no_project_again(made):
    assert made.bring_back(*reports(made)) == 0
    assert made.parsed == []
    for z in (1.0, 2.0, 3.0):
        made.assert_moved(z, SHIFT)
    pictures = made.root / "pictures"
    registration = ("--registration", made.folder)
    assert (
        made.command("picture_sections", *registration, *reports(made), "--pictures", pictures) == 0
    )
    assert made.parsed == [] and len(list(pictures.iterdir())) == 4


def test_what_is_written_from_records_is_what_is_written_without(made):
    assert made.bring_back(*reports(made)) == 0
    kept = made.result()
    assert made.bring_back() == 0
    assert made.parsed and made.result() == kept


def test_a_project_that_was_saved_after_the_check_is_read_again(made):
    again = pp.turn(-3.0, 11.0, 7.0, 0.98)
    made.save(2.0, again)
    assert made.bring_back(*reports(made)) == 0
    assert set(made.parsed) == {"00002.xml"}
    made.assert_moved(2.0, again)
    made.assert_moved(1.0, SHIFT)


def test_an_error_made_after_the_check_stops_the_import(made):
    made.project(3.0).write_text("<broken")
    assert made.bring_back(*reports(made)) == 1
    assert made.store.metadata(OUTPUT) is None


def test_another_policy_asks_the_projects_again(made):
    assert made.bring_back(*reports(made), "--new-transforms", "accept") == 0
    assert set(made.parsed) == {"00001.xml", "00002.xml", "00003.xml"}


def test_confirming_one_section_asks_no_other_again(made):
    assert made.bring_back(*reports(made), "--confirmed-sections", "2") == 0
    assert set(made.parsed) == {"00002.xml"}


def test_landmarks_and_copies_that_came_later_count(made):
    copy = made.folder / "00001-1.xml"
    copy.write_bytes(made.project(1.0).read_bytes().replace(b'z="0.0"', b'z="0.00"'))
    (made.folder / "00002.csv").write_text('"a","true","1","2","3","4"\n')
    assert made.bring_back(*reports(made), "--faulty-sections", "skip") == 0
    assert set(made.parsed) == {"00001.xml"}
    assert sorted(made.result()) == [1.0, 3.0]


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["placed"][0].update(matrix=[1, 0, 0, 1, 0, 0]),
        lambda record: record.update(status="untouched"),
        lambda record: record.pop("key"),
        lambda record: record.update(sha256="0" * 64),
    ],
)
def test_a_record_that_somebody_changed_is_not_believed(made, change):
    edit_record(made, change)
    assert made.bring_back(*reports(made)) == 0
    assert set(made.parsed) == {"00002.xml"}
    made.assert_moved(2.0, SHIFT)


@pytest.mark.parametrize("text", ["", "[]", "{}", "\x00", '{"key": 1}', "null"])
def test_a_damaged_record_is_not_believed(made, text):
    (made.root / "out" / "sections" / "00002.json").write_text(text)
    assert made.bring_back(*reports(made)) == 0
    assert set(made.parsed) == {"00002.xml"}


def test_a_record_of_another_section_is_not_believed(made):
    folder = made.root / "out" / "sections"
    (folder / "00002.json").write_bytes((folder / "00003.json").read_bytes())
    made.save(3.0, pp.turn(0.0, 1.0, 1.0))
    assert made.check() == 0
    (folder / "00002.json").write_bytes((folder / "00003.json").read_bytes())
    assert made.bring_back(*reports(made)) == 0
    made.assert_moved(2.0, SHIFT)


def test_a_record_of_an_older_release_is_not_believed(made, monkeypatch):
    monkeypatch.setattr(section_files, "__version__", "99.0.0")
    assert made.bring_back(*reports(made)) == 0
    assert set(made.parsed) == {"00001.xml", "00002.xml", "00003.xml"}


def test_a_record_says_what_it_was_made_from_and_keeps_what_was_found(made):
    report = made.report(2.0)
    content = {key: value for key, value in report.items() if key != "sha256"}
    assert report["sha256"] == sha256(content)
    assert len(report["placed"]) == len(report["tiles"]) == report["motion"]["tiles"] == 3
