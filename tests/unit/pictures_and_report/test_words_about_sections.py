"""The report on sections: one sentence, a row per section, plain words for damaged files."""

import pytest

from crossmodal.planted_project import turn
from crossmodal.planted_registration import planted_registration
from crossreg.crossmodal.check.check_report import MOST_TOLD, table_text, told_findings
from crossreg.crossmodal.check.checked_section import Section
from crossreg.crossmodal.check.finding import ERROR, NOTE, WARNING, Finding
from crossreg.crossmodal.check.motion.motion_summary import SectionMotion
from crossreg.crossmodal.check.section_record import read_folder_findings, read_sections
from crossreg.io.errors import UserError
from crossreg.report import about_sections as report_of_sections
from crossreg.report import page as report

NAN = float("nan")


def finding(level: str, tile: str | None = None) -> Finding:
    return Finding(level, "kind", "00001", "this", "that", "do so", "EM", tile)


def result(state: str, *findings: Finding, moved: float = NAN, score: float | None = None):
    """Return a section, of two tiles if it moved."""
    motion = None
    if moved == moved:
        motion = SectionMotion("00001", 2, moved, 10 * moved, moved, 0.0, 0.0, 1.0, 0.0, 0.0)
    return Section("00001", findings, state=state, motion=motion, score=score)


def sentence(*results: Section) -> str:
    return "; ".join(text for text, _ in report_of_sections.verdict(results)["parts"])


def test_the_verdict_counts_sections_by_what_became_of_them():
    good = result("saved", moved=10.0)
    assert sentence(good) == "The section is saved"
    assert sentence(good, good) == "All 2 sections are saved"
    assert report_of_sections.verdict([good])["level"] == "good"
    results = [
        result("saved", finding(ERROR), finding(WARNING)),
        result("untouched"),
        result("missing"),
        result("missing"),
        result("saved", finding(WARNING), moved=20.0),
        result("saved", moved=60.0, score=7.0),
        good,
    ]
    assert sentence(*results) == (
        "4 of 7 sections are saved; 1 has errors; 2 have lost their projects;"
        " 2 deserve a look; 1 is not saved yet"
    )
    verdict = report_of_sections.verdict(results)
    assert (verdict["level"], verdict["warnings"], verdict["apart"]) == ("bad", 2, 1)
    assert (verdict["tiles"], verdict["median_px"], verdict["largest_px"]) == (6, 20.0, 60.0)
    assert verdict["largest_nm"] == 600.0


def test_rows_that_need_a_look_stand_first_and_unsaved_ones_last():
    results = [
        result("untouched"),
        result("saved", moved=1.0),
        result("saved", finding(WARNING), moved=1.0, score=7.0),
        result("missing"),
        result("saved", finding(ERROR)),
    ]
    rows = report_of_sections.rows(results)
    assert [row["state"] for row in rows] == [
        "project is gone",
        "saved, with errors",
        "saved, with warnings, unlike the others",
        "saved",
        "not saved yet",
    ]
    assert [row["level"] for row in rows] == ["bad", "bad", "fair", "good", "unsaved"]


def test_a_row_names_the_worst_findings_and_how_many_more_there_are():
    found = [finding(NOTE), *(finding(ERROR, f"tile_{n}") for n in range(9))]
    (row,) = report_of_sections.rows([result("saved", *found)])
    assert row["more"] == 10 - report_of_sections.MOST_FINDINGS
    assert row["findings"][0] == (
        ERROR,
        "tile tile_0 of stack EM: expected this, found that; do so.",
    )


def test_the_terminal_shows_errors_first_and_says_where_the_rest_is(tmp_path):
    warned = result("saved", *(finding(WARNING, f"tile_{n}") for n in range(MOST_TOLD + 3)))
    faulty = Section("00002", (Finding(ERROR, "kind", "00002", "this", "that", "do so"),))
    lines = told_findings([warned, faulty], tmp_path)
    assert lines[0] == "ERROR: section 00002: expected this, found that; do so."
    assert lines[1].startswith("WARNING: section 00001, tile tile_0 of stack EM: expected this")
    assert lines[MOST_TOLD:] == [f"and 4 more: see {tmp_path / '00001.txt'}"]
    both = told_findings([warned, Section("00002", warned.findings)], tmp_path)
    assert both[-1].endswith(f"more: see {tmp_path}")
    assert told_findings([result("saved", finding(NOTE))], tmp_path) == []


def test_a_section_with_a_warning_is_marked_in_the_table():
    text = table_text([result("saved", finding(WARNING), moved=1.0)], [])
    assert text.splitlines()[1].endswith("  warnings")
    assert text.splitlines()[-1].startswith("1 of 1 section saved; 0 with errors, 1 with warnings")


def test_sections_come_back_from_the_files_of_the_check(tmp_path):
    made = planted_registration(tmp_path)
    made.save(2.0, turn(0.0, 30.0, 40.0))
    (made.folder / "notes.txt").touch()
    assert made.check() == 0
    reports = tmp_path / "out" / "sections"
    first, second, _ = read_sections(reports)
    assert (first.state, first.motion, first.saved) == ("untouched", None, False)
    assert (second.section, second.motion.tiles) == ("00002", 3)
    assert (second.motion.moved_px, second.motion.shift_x) == pytest.approx((50.0, 30.0))
    (remark,) = read_folder_findings(reports)
    assert "notes.txt" in remark.found

    (reports / "folder.json").write_text("[{}]")
    with pytest.raises(UserError, match="run trakem2_check again"):
        read_folder_findings(reports)
    whole = (reports / "00002.json").read_text()
    for damaged in ("[]", whole.replace('"motion"', '"motions"'), whole.partition("saved")[0]):
        (reports / "00002.json").write_text(damaged)
        with pytest.raises(UserError, match=r"00002\.json"):
            read_sections(reports)
    with pytest.raises(UserError, match="there is no report of a section"):
        read_sections(tmp_path / "elsewhere")


def test_sections_of_a_configuration_have_dotted_keys():
    given = {"a": 1, "b": {"c": {"d": 2}, "e": {}}, "f": [{"g": 3}]}
    assert report.dotted(given) == {"a": 1, "b.c.d": 2, "b.e": {}, "f": [{"g": 3}]}
