"""The last words of a run name results that were made on request and are out of date."""

import os
from pathlib import Path

import pytest

from crossreg.workflow_support.one_run.messages import out_of_date
from crossreg.workflow_support.result_paths import ResultPaths

FIELD = "fields/pos3/hyb1.npz"


def write(results: Path, ages: dict[str, int]) -> None:
    for name, age in ages.items():
        path = results / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        os.utime(path, (1e9 - age, 1e9 - age))


@pytest.mark.parametrize(
    ("ages", "named"),
    [
        ({"summary.tsv": 5, "report.html": 4}, []),
        ({"summary.tsv": 5, "report.html": 6}, ["report.html", "target report"]),
        ({"register_global.ecsv": 5, "report.html": 6}, ["report.html", "target report"]),
        # Merged tables may be made after the spots: these rest on the fields.
        ({"summary.tsv": 1, FIELD: 5, "receipts/localizations/a.csv.txt": 4}, []),
        (
            {FIELD: 5, "receipts/localizations/a.csv.txt": 6},
            ["localizations", "target register_localizations"],
        ),
        ({FIELD: 5, "registered/pos3/hyb1.txt": 4, "registered/pos3/hyb2.txt": 9}, []),
        ({FIELD: 5, "registered/pos3/hyb1.txt": 6}, ["registered", "target register_stacks"]),
    ],
)
def test_results_older_than_what_they_are_made_from_are_named(tmp_path, ages, named):
    write(tmp_path, ages)
    told = out_of_date(ResultPaths(str(tmp_path)))
    assert len(told) == bool(named)
    for sentence in told:
        assert sentence.startswith(str(tmp_path / named[0]))
        assert named[1] in sentence
