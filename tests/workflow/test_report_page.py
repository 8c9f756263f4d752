"""The report works in a browser: offline, without errors, with 20 ROIs x 40 cycles."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

import planted_tables
from browsers import errors_in_console, requests_to_outside
from crossreg.fiducial.summary.cycle_summary import write_summaries
from crossreg.fiducial.summary.precision import precision_of
from crossreg.workflow_support.for_scripts.script_main import run
from planted_tables import BAD_BLOCK_AT, BAD_CYCLE_AT, SCALE, local_table

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
KINDS = ("before_after", "details", "shifts", "precision", "quality", "preprocessing")
TOLERANCE = {"xy": 20, "z": 100}
SECTIONS = ("stack", "00042", "00041")
SIZE = (640, 480)


def make_report(results: Path, rois: int, cycles: int, noise: bool = False) -> Path:
    """Return the page of an experiment with planted faults, made by the script."""
    summaries = planted_tables.summaries(rois, cycles)
    write_summaries(results / "summary.tsv", summaries)
    (results / "register_global.ecsv").write_text("a table\n")
    picture = results / "one.png"
    image = Image.effect_noise(SIZE, 80) if noise else Image.new("L", SIZE, 90)
    image.save(picture)
    for cycle in summaries:
        folder = results / "pictures" / cycle.roi / cycle.cycle
        folder.mkdir(parents=True)
        for kind in KINDS:
            (folder / f"{kind}.png").hardlink_to(picture)
        shutil.copy(picture, folder.parent / "drift.png")
    shutil.copy(picture, results / "pictures" / "experiment.png")
    sections = results / "trakem2" / "first_try" / "pictures"
    sections.mkdir(parents=True)
    for name in SECTIONS:
        shutil.copy(picture, sections / f"{name}.png")
    parameters = results / "parameters.json"
    parameters.write_text(json.dumps({"common": {"acquisition": {}}}))
    sys.path.insert(0, str(SCRIPTS))
    import make_report as script

    page = results / "report.html"
    words = ["--results", results, "--parameters", parameters, "--reference", "RT0"]
    words += ["--output", page, "--configuration", json.dumps({"tolerance_nm": TOLERANCE})]
    assert run(script.parser(), script.main, [str(word) for word in words]) == 0
    return page


def shown(browser) -> dict[str, tuple[str, bool]]:
    """Return the address of each visible picture of a cycle, and whether it has been loaded."""
    return browser.execute_async_script(
        """
        const done = arguments[0];
        const figures = [...document.querySelectorAll("figure[data-kind]:not([hidden])")];
        const images = figures.map(figure => figure.querySelector("img"));
        for (const image of images) image.loading = "eager";
        Promise.allSettled(images.map(image => image.decode())).then(() => done(
          Object.fromEntries(figures.map((figure, n) => [
            figure.dataset.kind, [images[n].src, images[n].naturalWidth > 0]]))));
        """
    )


@pytest.mark.parametrize(("rois", "cycles", "embedded"), [(4, 10, True), (20, 40, False)])
def test_pictures_open_and_navigation_works_offline(
    browser, tmp_path: Path, rois: int, cycles: int, embedded: bool
) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    page = make_report(tmp_path, rois, cycles, noise=not embedded)
    browser.get(page.as_uri())
    assert f"1 of {rois * cycles} cycles" in browser.find_element(By.CLASS_NAME, "verdict").text

    # What is said first names cycle and block, and leads there.
    links = browser.find_elements(By.CSS_SELECTOR, ".verdict a")
    named = [f"ROI {roi}, {cycle}" for roi, cycle in (BAD_CYCLE_AT, BAD_BLOCK_AT)]
    assert [link.text for link in links] == [named[0], f"{named[1]}, block (2, 1)"]
    links[1].click()
    assert browser.current_url.endswith("#roi={}&cycle={}".format(*BAD_BLOCK_AT))

    # The list of the worst leads to the planted faults.
    rows = browser.find_elements(By.CSS_SELECTOR, "#worst tbody tr")
    assert BAD_CYCLE_AT[1] in rows[0].text
    assert "block (2, 1)" in rows[1].text
    # The link leads to the pictures also where they are those shown already.
    link = rows[1].find_element(By.TAG_NAME, "a")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)
    link.click()
    top = "return document.getElementById('pictures').getBoundingClientRect().top"
    assert 0 <= browser.execute_script(top) < 100
    pictures = shown(browser)
    assert set(pictures) == {*KINDS, "drift"}
    assert all(loaded for _, loaded in pictures.values())
    roi, cycle = BAD_BLOCK_AT
    assert Select(browser.find_element(By.ID, "roi")).first_selected_option.text == roi
    assert Select(browser.find_element(By.ID, "cycle")).first_selected_option.text == cycle
    if not embedded:
        assert f"/pictures/{roi}/{cycle}/shifts.png" in pictures["shifts"][0]

    # On to the next cycle, to another ROI, back in the history, to a cell of the matrix.
    browser.find_element(By.ID, "next").click()
    assert Select(browser.find_element(By.ID, "cycle")).first_selected_option.text == "RT5"
    Select(browser.find_element(By.ID, "roi")).select_by_visible_text("004")
    assert browser.current_url.endswith("#roi=004&cycle=RT5")
    browser.back()
    assert Select(browser.find_element(By.ID, "roi")).first_selected_option.text == roi
    cells = browser.find_elements(By.CSS_SELECTOR, ".matrix a")
    assert len(cells) == rois * cycles
    browser.execute_script("arguments[0].click()", cells[-1])
    assert browser.current_url.endswith(f"#roi={rois:03d}&cycle=RT{cycles}")

    # Sections that a person registered: the stack first, any other at choice.
    choice = Select(browser.find_element(By.CSS_SELECTOR, "[data-sections=first_try] select"))
    assert [option.text for option in choice.options] == list(SECTIONS)
    choice.select_by_visible_text("00041")
    section = browser.find_element(By.CSS_SELECTOR, "[data-sections=first_try] img")
    source = section.get_attribute("src")
    assert source.startswith("data:image/png" if embedded else tmp_path.as_uri())
    assert embedded or source.endswith("/trakem2/first_try/pictures/00041.png")

    # A picture opens in full size and closes again.
    image = browser.find_element(By.CSS_SELECTOR, "figure[data-kind=shifts] img")
    browser.execute_script("arguments[0].click()", image)
    large = browser.find_element(By.ID, "large")
    assert large.is_displayed()
    assert large.find_element(By.TAG_NAME, "img").size["width"] == SIZE[0]
    browser.execute_script("arguments[0].click()", large)
    assert not large.is_displayed()

    table = browser.find_element(By.CSS_SELECTOR, "#tables a[download='register_global.ecsv']")
    assert table.get_attribute("href").startswith("data:" if embedded else tmp_path.as_uri())
    assert not requests_to_outside(browser)
    assert not errors_in_console(browser)


def test_the_page_opens_at_the_worst_cycle_on_a_narrow_screen(browser, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    page = make_report(tmp_path, 3, 8)
    size = browser.get_window_size()
    browser.set_window_size(500, 900)
    try:
        browser.get(page.as_uri())
        width = browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= browser.execute_script("return window.innerWidth")
    finally:
        browser.set_window_size(size["width"], size["height"])
    roi, cycle = BAD_CYCLE_AT
    assert Select(browser.find_element(By.ID, "roi")).first_selected_option.text == roi
    assert Select(browser.find_element(By.ID, "cycle")).first_selected_option.text == cycle
    # Of a failed cycle only what was tried, and what to do now.
    assert set(shown(browser)) == {"before_after", "details", "quality", "drift"}
    assert "before and after" in browser.find_element(By.ID, "advice").text
    findings = browser.find_elements(By.CSS_SELECTOR, "#worst tbody tr")
    assert len(findings) == 2
    # Precision in nm against the tolerance: the cycle with a bad block is the least good.
    first = browser.find_element(By.CSS_SELECTOR, "#precision tbody tr")
    cells = [cell.text for cell in first.find_elements(By.TAG_NAME, "td")]
    assert cells[:2] == list(BAD_BLOCK_AT)
    within = precision_of(local_table(*BAD_BLOCK_AT), SCALE).within_tolerance
    assert 0.85 < within < 0.95
    assert f"{100 * within:.0f} %" in first.text
    assert "within 20 nm (XY)" in browser.find_element(By.CLASS_NAME, "counts").text
