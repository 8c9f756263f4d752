"""Make the report of a run: one page (HTML) that works without a network.

In: the folder of results with tables and pictures (of the fiducial chain, also summary and
benchmarks; of the cross-modal chain, what trakem2_check and trakem2_pictures made there);
parameters. Out: the page. Small experiments are wholly inside it; for large
ones it refers to the tables and to the folders of pictures beside it, which are then copied along
with it.
"""

import argparse
import contextlib
import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from crossreg.crossmodal.check.section_record import read_folder_findings, read_sections
from crossreg.crossmodal.check.stack_findings import compared
from crossreg.fiducial.experiment.parameters import read_parameters
from crossreg.fiducial.summary.cycle_summary import CycleSummary, read_summaries
from crossreg.io.errors import UserError
from crossreg.io.files import read_json, read_text, write_text
from crossreg.report import TEMPLATES
from crossreg.report import about_cycles as report_of_cycles
from crossreg.report import about_sections as report_of_sections
from crossreg.report import page as report
from crossreg.report.about_applied import applied
from crossreg.report.advice import advice_on, advice_on_motion
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run

TABLES = {
    "register_global.ecsv": "global shift of every cycle",
    "register_global.json": "the same as JSON, as pyHiM reads it",
    "register_local_block3D.ecsv": "local shift of every block",
    "summary.tsv": "one line per cycle: drift, statuses, quality",
    "samples.tsv": "the stacks that were registered",
}
TABLES_OF_SECTIONS = {
    "sections.tsv": "one line per section: state, findings, median motion of its EM tiles",
    "sections.txt": "the same for reading",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of results")
    parser.add_argument(
        "--parameters",
        type=Path,
        help="parameter file (JSON) of the chain (default: the configuration says it all)",
    )
    parser.add_argument(
        "--configuration", type=json.loads, default={}, help="configuration of the run as JSON"
    )
    chain = parser.add_mutually_exclusive_group(required=True)
    chain.add_argument(
        "--reference", help="name of the reference cycle: the page is about the fiducial chain"
    )
    chain.add_argument(
        "--registration", metavar="NAME", help="the page is about this registration by hand alone"
    )
    parser.add_argument("--output", type=Path, required=True, help="page to write, in the results")
    return parser


def main(options: argparse.Namespace) -> None:
    """Collect what the page shows, fill the template, write."""
    results = options.results
    summaries = read_summaries(results / "summary.tsv") if options.reference else []
    folders = folders_of_registrations(results, options.registration)
    tables = [(results / name, text) for name, text in TABLES.items() if options.reference]
    tables += [(one / name, text) for one in folders for name, text in TABLES_OF_SECTIONS.items()]
    tables = [(path, text) for path, text in tables if path.is_file()]
    pictures = [path for one in folders for path in pictures_of_sections(one)]
    if options.reference:
        pictures += sorted((results / "pictures").rglob("*.png"))
    size = sum(path.stat().st_size for path in (*pictures, *(path for path, _ in tables)))
    embedded = size <= report.EMBEDDED_BYTES
    page = report.page(
        cycles=about_cycles(options, summaries) if options.reference else None,
        registrations=[about_sections(one, options.registration is not None) for one in folders],
        captions=captions(),
        data=addresses(results, summaries, folders, embedded),
        tables=[
            {
                "name": path.name,
                "place": path.relative_to(results).as_posix(),
                "text": text,
                "href": report.source(path, results, embedded),
            }
            for path, text in tables
        ],
        parameters=report.dotted(parameters_of(options)),
        configuration=report.dotted(options.configuration),
        versions=report.versions(),
        embedded=embedded,
    )
    write_text(options.output, page)
    where = "inside it" if embedded else "beside it"
    log.info("%s: %d pictures, %s", options.output, len(pictures), where)
    print(f"report: {options.output.absolute()}", flush=True)


def parameters_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters that the page lists; none where the configuration holds them."""
    if options.parameters is None:
        return {}
    if options.reference:
        return read_parameters(options.parameters).values
    values: dict[str, Any] = read_json(options.parameters)
    return values


def about_cycles(options: argparse.Namespace, summaries: list[CycleSummary]) -> dict[str, Any]:
    """Return what the page says about the fiducial chain."""
    tolerance = options.configuration.get("tolerance_nm")
    return {
        "reference": options.reference,
        "verdict": report_of_cycles.verdict(summaries),
        "tolerance": tolerance,
        "precision": report_of_cycles.precision(summaries),
        "motion": advice_on_motion(summaries, options.configuration.get("motion", "smooth")),
        "worst": report_of_cycles.worst_rows(summaries),
        "matrix": report_of_cycles.matrix(summaries),
        "state_of": report_of_cycles.state_of,
        "advice_on": advice_on,
        "applied": applied(options.results),
        "times": report.run_times(*benchmarks(options.results / "benchmarks")),
    }


def about_sections(folder: Path, required: bool) -> dict[str, Any]:
    """Return what the page says about a registration by hand, whose results are in `folder`.

    Where the table of trakem2_check is not `required` and not there, the verdict is None and there
    are no rows.
    """
    about: dict[str, Any] = {"name": folder.name, "verdict": None, "rows": [], "remarks": []}
    table, reports = folder / "sections.tsv", folder / "sections"
    if required or table.is_file():
        sections = compared(read_sections(reports))
        about["verdict"] = report_of_sections.verdict(sections)
        about["rows"] = report_of_sections.rows(sections)
        about["remarks"] = report_of_sections.findings_in_words(read_folder_findings(reports))
    return about


def folders_of_registrations(results: Path, name: str | None) -> list[Path]:
    """Return the folders of results of the registration `name`, or of all that there are."""
    if name:
        return [results / "trakem2" / name]
    found = {path.parent for path in results.glob("trakem2/*/sections.tsv")}
    return sorted(found | {path.parents[1] for path in results.glob("trakem2/*/pictures/*.png")})


def captions() -> dict[str, str]:
    """Return the text that says how to read each kind of picture."""
    return {path.stem: read_text(path).strip() for path in sorted(TEMPLATES.glob("*.rst"))}


def addresses(
    results: Path, summaries: list[CycleSummary], folders: list[Path], embedded: bool
) -> dict[str, Any]:
    """Return the addresses of the pictures there are: of the experiment, by ROI, by cycle.

    Under `sections` are those of the cross-modal chain, by name of the registration: `folders`
    are those of its results.
    """

    def found(path: Path) -> str | None:
        return report.source(path, results, embedded) if path.is_file() else None

    folder = results / "pictures"
    rois: dict[str, Any] = {}
    for cycle in summaries:
        roi = rois.setdefault(
            cycle.roi, {"drift": found(folder / cycle.roi / "drift.png"), "cycles": {}}
        )
        roi["cycles"][cycle.cycle] = {
            "faults": cycle.faults,
            "advice": advice_on(cycle.findings),
            "pictures": {
                path.stem: found(path)
                for path in sorted((folder / cycle.roi / cycle.cycle).glob("*.png"))
                if path.stem in report_of_cycles.shown_kinds(cycle)
            },
        }
    sections: dict[str, Any] = {
        folder.name: {path.stem: found(path) for path in pictures_of_sections(folder)}
        for folder in folders
    }
    return {
        "experiment": found(folder / "experiment.png"),
        "rois": rois,
        "first": report_of_cycles.first_shown(summaries),
        "sections": sections,
    }


def pictures_of_sections(folder: Path) -> list[Path]:
    """Return the pictures of a registration, whose results are in `folder`."""
    return sorted((folder / "pictures").glob("*.png"))


def benchmarks(folder: Path) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return seconds and largest memory (MB) of the jobs by rule; damaged files are passed over."""
    seconds: dict[str, list[float]] = {}
    memory: dict[str, list[float]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0]
        with contextlib.suppress(UserError, csv.Error):
            rows = list(csv.DictReader(io.StringIO(read_text(path)), delimiter="\t"))
            for column, values in (("s", seconds), ("max_rss", memory)):
                values.setdefault(rule, []).extend(_numbers(row.get(column) for row in rows))
    return seconds, memory


def _numbers(texts: Iterable[str | None]) -> Iterator[float]:
    """Yield the numbers among the texts: jobs that were too short to be measured have no memory."""
    for text in texts:
        with contextlib.suppress(ValueError):
            yield float(text or "")


if __name__ == "__main__":
    sys.exit(run(parser(), main))
