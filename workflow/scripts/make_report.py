"""Make the report of a run: one page (HTML) that works without a network.

In: the folder of results with summary, tables, pictures and benchmarks; parameters; template and
captions. Out: the page. Small experiments are wholly inside it; for large ones it refers to the
tables and to the folder `pictures` beside it, which are then copied along with it.
"""

import argparse
import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

from crossreg import report
from crossreg.command import log, new_parser, run
from crossreg.fiducial.parameters import read_parameters
from crossreg.fiducial.summary import CycleSummary, read_summaries
from crossreg.files import read_text, write_text

TABLES = {
    "register_global.ecsv": "global shift of every cycle",
    "register_global.json": "the same as JSON, as pyHiM reads it",
    "register_local_block3D.ecsv": "local shift of every block",
    "summary.tsv": "one line a cycle: drift, statuses, quality",
    "samples.tsv": "the stacks that were registered",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of results")
    parser.add_argument("--parameters", type=Path, required=True, help="pyHiM's parameters.json")
    parser.add_argument(
        "--configuration", type=json.loads, default={}, help="configuration of the run as JSON"
    )
    parser.add_argument("--reference", required=True, help="name of the reference cycle")
    parser.add_argument(
        "--template", type=Path, required=True, help="folder with report.html.j2 and captions"
    )
    parser.add_argument("--output", type=Path, required=True, help="page to write, in the results")
    return parser


def main(options: argparse.Namespace) -> None:
    """Collect what the page shows, fill the template, write."""
    results = options.results
    summaries = read_summaries(results / "summary.tsv")
    tables = [(results / name, text) for name, text in TABLES.items() if (results / name).is_file()]
    pictures = [*sorted((results / "pictures").rglob("*.png")), *section_pictures(results)]
    size = sum(path.stat().st_size for path in (*pictures, *(path for path, _ in tables)))
    embedded = size <= report.EMBEDDED_BYTES
    page = report.page(
        read_text(options.template / "report.html.j2"),
        reference=options.reference,
        verdict=report.verdict(summaries),
        worst=report.worst_rows(summaries),
        matrix=report.matrix(summaries),
        state_of=report.state_of,
        captions=captions(options.template),
        data=addresses(results, summaries, embedded),
        tables=[
            {"name": path.name, "text": text, "href": report.source(path, results, embedded)}
            for path, text in tables
        ],
        parameters=read_parameters(options.parameters).values,
        configuration=options.configuration,
        versions=report.versions(),
        times=report.run_times(*benchmarks(results / "benchmarks")),
        embedded=embedded,
    )
    write_text(options.output, page)
    place = "inside it" if embedded else "in the folder 'pictures' beside it"
    log.info("%s: %d pictures, %s", options.output, len(pictures), place)


def captions(folder: Path) -> dict[str, str]:
    """Return the text that says how to read each kind of picture."""
    return {path.stem: read_text(path).strip() for path in sorted(folder.glob("*.rst"))}


def addresses(
    results: Path, summaries: list[CycleSummary], embedded: bool
) -> dict[str, dict[str, Any]]:
    """Return the addresses of the pictures there are: of the experiment, by ROI, by cycle.

    Under `sections` are those of the cross-modal chain, by name of the registration.
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
            # Those of an earlier run may still lie there, of another image.
            "pictures": {}
            if cycle.missing
            else {
                path.stem: found(path)
                for path in sorted((folder / cycle.roi / cycle.cycle).glob("*.png"))
            },
        }
    sections: dict[str, dict[str, str]] = {}
    for path in section_pictures(results):
        address = report.source(path, results, embedded)
        sections.setdefault(path.parts[-3], {})[path.stem] = address
    return {"experiment": found(folder / "experiment.png"), "rois": rois, "sections": sections}


def section_pictures(results: Path) -> list[Path]:
    """Return the pictures of sections that a person registered: NAME/pictures/SECTION.png."""
    return sorted((results / "trakem2").glob("*/pictures/*.png"))


def benchmarks(folder: Path) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return seconds and largest memory (MB) of the jobs by rule."""
    seconds: dict[str, list[float]] = {}
    memory: dict[str, list[float]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0]
        for row in csv.DictReader(io.StringIO(read_text(path)), delimiter="\t"):
            seconds.setdefault(rule, []).append(float(row["s"]))
            # Jobs shorter than the interval of measurement have no memory.
            known = row["max_rss"].replace(".", "", 1).isdigit()
            memory.setdefault(rule, []).extend([float(row["max_rss"])] if known else [])
    return seconds, memory


if __name__ == "__main__":
    sys.exit(run(parser(), main))
