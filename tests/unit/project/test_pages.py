"""What the pages name is there: files, rooms, targets, links, and one version."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

import crossreg
from crossreg.fiducial.summary.cycle_summary import CycleSummary
from crossreg.io.cycle_tables import GLOBAL_COLUMNS, LOCAL_COLUMNS, columns_in_nm

REPOSITORY = Path(__file__).resolve().parents[3]
LIBRARY = REPOSITORY / "workflow" / "scripts" / "crossreg"
PAGES = sorted(
    [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("*/README.md")]
)
RULES = {
    name
    for path in [REPOSITORY / "Snakefile", *REPOSITORY.glob("workflow/rules/*.smk")]
    for name in re.findall(r"^\s*rule (\w+):", path.read_text(), re.MULTILINE)
}
MADE_BY_RUNS = ("demo/data", "results/", "trakem2_registered/")


def by_name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not link.startswith(("https://", "http://")):
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_files_and_folders_of_the_repository_that_a_page_names_exist(page):
    text = page.read_text()
    top = "|".join(path.name for path in REPOSITORY.iterdir() if path.is_dir())
    for name in re.findall(rf"(?<![\w/.-])((?:{top})/[\w./-]*\w/?)", text):
        if not name.startswith(MADE_BY_RUNS) and "NAME" not in name:
            assert (REPOSITORY / name).exists() or (page.parent / name).exists(), name


def test_every_room_is_explained_and_every_path_in_it_exists():
    text = (REPOSITORY / "ARCHITECTURE.md").read_text()
    for room in LIBRARY.rglob("__init__.py"):
        name = f"{room.parent.relative_to(LIBRARY)}/"
        assert name == "./" or f"`{name}`" in text, f"{name} is not in ARCHITECTURE.md"
    tops = "|".join(path.name for path in LIBRARY.iterdir() if path.is_dir())
    for name in re.findall(rf"`((?:{tops})/[\w./]*)`", text):
        assert (LIBRARY / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_targets_in_commands_are_rules(page):
    for line in re.findall(
        r"\bsnakemake (--cores \d+ .*|[a-z]\w+)$", page.read_text(), re.MULTILINE
    ):
        words = re.split(r" --configfile| #|`", line)[0].split()
        options = {i + 1 for i, word in enumerate(words) if word.startswith("--")}
        for i, word in enumerate(words):
            if i not in options and re.fullmatch(r"[a-z]\w+", word):
                assert word in RULES, f"{word} in: {line}"


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    changelog = (REPOSITORY / "CHANGELOG.md").read_text()
    newest = re.search(r"^## (\S+) - (\S+)$", changelog, re.MULTILINE)
    assert newest
    assert newest.groups() == (crossreg.__version__, str(citation["date-released"]))
    assert citation["version"] == crossreg.__version__


def test_the_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text().split()) <= 1200


def test_every_column_of_the_tables_is_explained():
    text = (REPOSITORY / "docs" / "outputs.md").read_text()
    summary = [field.name for field in dataclasses.fields(CycleSummary)]
    in_nm = columns_in_nm(GLOBAL_COLUMNS | LOCAL_COLUMNS)
    for column in [*GLOBAL_COLUMNS, *LOCAL_COLUMNS, *in_nm, *summary]:
        assert f"`{column}`" in text, column
