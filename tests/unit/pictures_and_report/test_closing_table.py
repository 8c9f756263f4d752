"""The table that ends a run names what to look at, and what could not be registered."""

from dataclasses import replace

import planted_tables
from crossreg.fiducial.summary import closing_table as closing
from crossreg.fiducial.summary.cycle_summary import missing_cycle


def test_the_closing_table_names_the_planted_block_and_cycle() -> None:
    _, *rows, failed = closing.summary_text(planted_tables.summaries(4, 10)).splitlines()
    assert failed.startswith("FAILED: ROI 003, cycle RT7: ")
    assert [row.split()[0] for row in rows] == ["001", "002", "003", "004"]
    assert "(2, 1) of RT4: sigma 60 nm, usually 3" in rows[1]
    assert rows[2].endswith("RT7")
    assert all(row.endswith("none") for row in (rows[0], rows[1], rows[3]))


def test_missing_cycles_are_named_with_their_reasons_and_many_are_counted() -> None:
    summaries = [missing_cycle("001", f"RT{number}", "no stack.") for number in range(30)]
    lines = closing.summary_text(summaries).splitlines()
    assert lines[1].split()[:3] == ["001", "30", "30"]
    assert lines[2] == "MISSING: ROI 001, cycle RT0: no stack."
    assert lines[-1] == "... and 10 more."


def test_failed_and_doubtful_cycles_are_named_with_their_reasons() -> None:
    first, second, *others = planted_tables.summaries(1, 4)
    doubtful = replace(first, verdict="doubtful", reason="few blocks agree.")
    failed = replace(second, verdict="failed", reason="it is another place")
    lines = closing.summary_text([doubtful, failed, *others]).splitlines()
    assert lines[-2:] == [
        f"FAILED: ROI {second.roi}, cycle {second.cycle}: it is another place",
        f"DOUBTFUL: ROI {first.roi}, cycle {first.cycle}: few blocks agree.",
    ]


def test_no_block_is_named_where_none_stands_out() -> None:
    sound = [one for one in planted_tables.summaries(1, 4) if not one.faults]
    assert closing.worst_block_text(sound) == "-"
    worse = replace(sound[0], worst_sigma_nm=40.0, usual_sigma_nm=8.0)
    assert closing.worst_block_text([worse, *sound[1:]]).endswith("sigma 40 nm, usually 8")
    alone = replace(worse, usual_sigma_nm=float("nan"), unusual=1)
    assert closing.worst_block_text([alone]).endswith("sigma 40 nm")
