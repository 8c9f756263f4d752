"""The report of sections that a person registers: alone, and beside the fiducial chain."""

import shutil

from test_report_page import make_report
from test_trakem2_import import MOTIONS, in_folder, run, succeed

from browsers import errors_in_console, requests_to_outside
from crossmodal.planted_registration import planted_registration, snapshot, write_parameters
from snakemake_runs import copy_of_the_repository, snakemake

FAULTY, UNSAVED = "00004", "00005"


def row_of(browser, stem: str):
    """Return the row of a section in the table of the registration 'first'."""
    return browser.find_element("id", f"first/{stem}")


def is_in_view(browser, element) -> bool:
    top = "return arguments[0].getBoundingClientRect().top"
    return 0 < browser.execute_script(top, element) < 900


def test_it_names_faulty_and_unsaved_sections_and_shows_the_saved_ones(browser, tmp_path):
    made = in_folder(tmp_path, zs=(*MOTIONS, 4.0, 5.0))
    succeed(made, "trakem2_projects")
    for z, motion in MOTIONS.items():
        made.save(z, motion)
    made.project(4.0).write_bytes(made.project(4.0).read_bytes()[:-40])
    before = snapshot(made.folder)
    assert f"report: {tmp_path}/out/report.html" in succeed(made, "report")
    assert snapshot(made.folder) == before
    assert "Nothing to be done" in succeed(made, "report", "--dry-run")

    browser.get((tmp_path / "out" / "report.html").as_uri())
    verdict = browser.find_element("css selector", "#verdict .verdict")
    assert verdict.text == (
        f"4 of 5 sections are saved. 1 has errors: {FAULTY}. 1 is not saved yet: {UNSAVED}."
    )
    counts = browser.find_element("css selector", "#verdict .counts").text.split("\n")
    assert counts[:4] == ["5", "sections", "4", "saved"]
    assert counts[counts.index("EM tiles registered") - 1] == "9"
    # What is said first leads to what was found.
    verdict.find_element("link text", FAULTY).click()
    row = row_of(browser, FAULTY)
    assert is_in_view(browser, row) and "error: expected a TrakEM2 project" in row.text
    assert "not saved yet" in row_of(browser, UNSAVED).text

    # A section in the table leads to its picture, which opens in full size.
    link = row_of(browser, "00002").find_element("link text", "00002")
    browser.execute_script("arguments[0].click()", link)
    assert browser.find_element("css selector", "figure select").get_attribute("value") == "00002"
    image = browser.find_element("css selector", "figure img")
    assert is_in_view(browser, image) and image.get_attribute("src").startswith("data:image/png")
    loaded = "const done = arguments[1]; arguments[0].decode().then(() => done(true))"
    assert browser.execute_async_script(loaded, image)
    image.click()
    assert browser.find_element("id", "large").is_displayed()

    table = browser.find_element("css selector", "#tables a[download='sections.tsv']")
    assert table.get_attribute("href").startswith("data:")
    parameters = browser.find_element("id", "parameters").get_attribute("textContent")
    assert "outputStack" in parameters and "trakem2.missing_sections" in parameters
    assert not requests_to_outside(browser)
    assert not errors_in_console(browser)

    # Another save is seen; a change of what is frozen stops the run in one sentence.
    made.save(5.0, MOTIONS[1.0])
    succeed(made, "report")
    assert "All 5 sections are saved" in (tmp_path / "out" / "report.html").read_text()
    write_parameters(tmp_path / "p.json", buffersize=7)
    done = run(made, "report")
    assert done.returncode == 1 and "buffersize" in done.stdout
    assert "Traceback" not in done.stdout


def test_beside_the_fiducial_chain_the_table_is_shown_where_it_is(browser, tmp_path):
    made = planted_registration(tmp_path)
    made.save(2.0, MOTIONS[2.0])
    assert made.check() == 0
    results = tmp_path / "results"
    (results / "trakem2" / "second").mkdir(parents=True)
    shutil.copy(tmp_path / "out" / "sections.tsv", results / "trakem2" / "second")
    shutil.copytree(tmp_path / "out" / "sections", results / "trakem2" / "second" / "sections")
    browser.get(make_report(results, rois=1, cycles=6).as_uri())
    first, second = browser.find_elements("class name", "verdict")
    assert "cycles" in first.text
    assert second.text.startswith("1 of 3 sections are saved. 2 are not saved yet: 00001, 00003.")
    states = [row.text for row in browser.find_elements("css selector", ".rows td.state")]
    assert states == ["saved", "not saved yet", "not saved yet"]
    # That of which there are only pictures is shown, too.
    assert browser.find_elements("css selector", "figure[data-sections=first_try]")
    assert not errors_in_console(browser)


def test_the_report_of_both_chains_does_not_wait_for_a_person(tmp_path):
    repository = copy_of_the_repository(tmp_path)
    done = snakemake("report", "--dry-run", folder=repository, snakefile=repository / "Snakefile")
    assert done.returncode == 0, done.stdout
    rules = {line.split()[0] for line in done.stdout.splitlines() if line[-1:].isdigit()}
    assert "report" in rules and not any("trakem2" in rule for rule in rules)
