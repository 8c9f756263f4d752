"""Summaries name what was planted: the bad block, the bad cycle, the jump; and nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from scipy.stats import norm

import all_cycles_registered
import planted_tables
from crossreg.fiducial.experiment.sample import Sample
from crossreg.fiducial.summary import closing_table as closing
from crossreg.fiducial.summary.cycle_summary import (
    missing_cycle,
    read_summaries,
    worst_first,
    write_summaries,
)
from crossreg.fiducial.summary.jumps import jumps_of
from crossreg.fiducial.summary.order_of_imaging import in_order_of_imaging, with_gaps
from crossreg.fiducial.summary.precision import Scale, precision_of
from crossreg.fiducial.summary.summaries import summaries_of_roi
from crossreg.io.ecsv import Table
from crossreg.pictures.drawing.canvas import HATCHES
from crossreg.pictures.of_experiment.drift import drift_figure
from crossreg.pictures.of_experiment.heat_maps import heat_maps_figure
from crossreg.report import about_cycles as report
from crossreg.report.advice import ADVICE, advice_on, advice_on_motion
from planted_tables import SCALE

MISSING_AT = ("001", "RT3")


@pytest.fixture(scope="module")
def summaries():
    return planted_tables.summaries(4, 10)


def test_the_planted_faults_and_no_others_are_found(summaries) -> None:
    faulty = [cycle for cycle in worst_first(summaries) if cycle.faults]
    assert [(c.roi, c.cycle) for c in faulty] == [
        planted_tables.BAD_CYCLE_AT,
        planted_tables.BAD_BLOCK_AT,
    ]
    assert faulty[0].has_failed
    assert faulty[1].worst_block == "2, 1"
    assert faulty[1].worst_sigma == pytest.approx(planted_tables.WEAK_SIGMA)
    assert faulty[1].usual_sigma < 0.05
    assert faulty[1].worst_sigma_nm == pytest.approx(planted_tables.WEAK_SIGMA * SCALE.pixel_nm)
    assert faulty[1].usual_sigma_nm < 5


def test_a_block_that_is_empty_in_every_cycle_is_nothing_unusual(summaries) -> None:
    usual = [cycle for cycle in summaries if not cycle.faults]
    assert {cycle.borrowed for cycle in usual} == {1}
    assert {cycle.unusual for cycle in usual} == {0}


def test_the_worst_block_is_the_one_that_is_less_certain_than_usual() -> None:
    """A block that is always empty is more uncertain, but not more than usual."""
    names = [f"RT{number}" for number in range(1, 6)]
    tables = {name: planted_tables.local_table("001", name) for name in names}
    tables["RT3"]["sigma_z"][6] = 0.2
    rows = [(name, planted_tables.global_row("001", name), table) for name, table in tables.items()]
    worst = {cycle.cycle: cycle for cycle in summaries_of_roi("001", rows, SCALE)}["RT3"]
    assert worst.worst_block == "1, 2"
    assert worst.worst_sigma == pytest.approx(0.2)
    assert worst.usual_sigma < 0.05
    # In nm it is of the same axis, in kept planes of 500 nm.
    assert worst.worst_sigma_nm == pytest.approx(100)
    assert 10 < worst.usual_sigma_nm < 20
    assert worst.drift_z_nm == pytest.approx(500 * worst.drift_z)
    assert worst.drift_y_nm == pytest.approx(100 * worst.drift_y)
    # Where there is no other cycle, the most uncertain block is the worst.
    (alone,) = summaries_of_roi("001", rows[2:3], SCALE)
    assert alone.worst_block == ", ".join(map(str, planted_tables.EMPTY_BLOCK))


@pytest.fixture
def with_missing(summaries):
    """Return the summaries, in which one sound cycle could not be registered."""
    return [
        missing_cycle(c.roi, c.cycle, "a.tif: it is damaged; mend it.") if at == MISSING_AT else c
        for at, c in [((c.roi, c.cycle), c) for c in summaries]
    ]


def test_a_cycle_that_could_not_be_registered_is_told_everywhere(tmp_path, with_missing) -> None:
    write_summaries(tmp_path / "summary.tsv", with_missing)
    again = read_summaries(tmp_path / "summary.tsv")
    failed, missing = report.worst_rows(again)[:2]
    assert failed.has_failed
    assert (missing.roi, missing.cycle) == MISSING_AT
    assert missing.faults == "not registered: a.tif: it is damaged; mend it."
    assert report.state_of(missing) == "lost"
    verdict = report.verdict(again)
    texts = [text for text, _ in verdict["parts"]]
    assert texts[0] == "1 of 40 cycles does not match the reference"
    assert texts[1] == "1 could not be registered"
    assert (verdict["cycles"], verdict["missing"], verdict["blocks"]) == (40, 1, 624)

    cycles = [f"RT{number}" for number in range(1, 11)]
    axes = heat_maps_figure(again, cycles, 0.1).axes[0]
    hatched = [patch for patch in axes.findobj(Rectangle) if patch.get_hatch()]
    dotted = [patch.get_xy() for patch in hatched if patch.get_hatch() == HATCHES["missing"]]
    assert dotted == [(1.5, -0.5)]
    assert np.isnan(axes.images[0].get_array().filled(np.nan)[0, 2])

    figure = drift_figure([c for c in again if c.roi == "001"], 0.1, 0.5, "RT0")
    for axes in figure.axes:
        assert [text.get_text() for text in axes.texts] == ["RT3 missing"]

    text = closing.summary_text(again)
    assert text.splitlines()[-1] == ("MISSING: ROI 001, cycle RT3: a.tif: it is damaged; mend it.")
    assert text.splitlines()[1].split()[:3] == ["001", "10", "1"]


def test_many_missing_cycles_do_not_hide_a_doubtful_one(summaries) -> None:
    doubtful = replace(summaries[0], verdict="doubtful", reason="it slipped")
    lost = [missing_cycle("009", str(number), "it was never taken.") for number in range(30)]
    assert report.worst_rows([*lost, doubtful])[0] == doubtful


def test_a_roi_of_which_nothing_could_be_registered_has_a_drift_picture() -> None:
    lost = [missing_cycle("001", name, "the reference is damaged.") for name in ("RT1", "RT2")]
    figure = drift_figure(lost, 0.1, 0.5, "RT0")
    assert [text.get_text() for text in figure.axes[0].texts] == ["RT1 missing", "RT2 missing"]


@pytest.mark.parametrize(("weak_in", "named"), [(["RT3"], ["RT3"]), (["RT2", "RT3", "RT4"], [])])
def test_a_block_is_unusual_if_nearly_all_other_cycles_measure_it(weak_in, named) -> None:
    names = [f"RT{number}" for number in range(1, 8)]
    rows = []
    for name in names:
        table = planted_tables.local_table("001", name)
        if name in weak_in:
            table["status"][6] = "borrowed"
        rows.append((name, planted_tables.global_row("001", name), table))
    found = summaries_of_roi("001", rows, SCALE)
    assert [cycle.cycle for cycle in found if cycle.unusual] == named


def test_a_jump_of_the_drift_is_found_and_a_steady_drift_is_not() -> None:
    drifts = np.array([(2.0 * n, -1.0 * n) for n in range(12)])
    assert not jumps_of(drifts).any()
    drifts[7] += (0, 30)
    assert np.flatnonzero(jumps_of(drifts)).tolist() == [7]


def test_summaries_come_back_from_their_file(tmp_path: Path, summaries) -> None:
    write_summaries(tmp_path / "summary.tsv", summaries)
    again = read_summaries(tmp_path / "summary.tsv")
    assert [(c.roi, c.cycle, c.faults) for c in again] == [
        (c.roi, c.cycle, c.faults) for c in summaries
    ]
    assert again[3].drift_x == pytest.approx(summaries[3].drift_x, abs=1e-3)


def test_cycles_are_ordered_by_run_number_then_by_numbers_in_their_names() -> None:
    runs = {"RT10": "001", "RT2": "001", "DAPI": "002"}
    samples = [Sample("001", name, "a.tif", run=run) for name, run in runs.items()]
    assert in_order_of_imaging(samples) == ["RT2", "RT10", "DAPI"]
    samples = [Sample("001", name, "a.tif") for name in runs]
    assert in_order_of_imaging(samples) == ["DAPI", "RT2", "RT10"]


def test_an_experiment_in_which_all_is_well_has_dark_heat_maps(summaries) -> None:
    sound = [replace(cycle, borrowed=0) for cycle in summaries if not cycle.faults]
    maps = heat_maps_figure(sound, sorted({cycle.cycle for cycle in sound}), 0.1)
    scales = {axes.get_title(loc="left"): axes.images[0].get_clim() for axes in maps.axes}
    assert scales["Share of borrowed blocks"] == (0.0, 0.5)
    assert scales["Median NRMSE in XY"] == (0.0, 1.5)


def test_the_heat_maps_number_the_worst_cycles_and_hatch_the_failed_one(summaries) -> None:
    cycles = [f"RT{number}" for number in range(1, 11)]
    axes = heat_maps_figure(summaries, cycles, 0.1).axes[0]
    ranks = {text.get_text(): text.get_position() for text in axes.texts}
    assert ranks == {"1": (6, 2), "2": (3, 1)}
    hatched = [patch for patch in axes.findobj(Rectangle) if patch.get_hatch()]
    assert {patch.get_hatch() for patch in hatched} == {HATCHES["failed"]}
    assert [patch.get_xy() for patch in hatched] == [(5.5, 1.5)]


def test_the_drift_names_the_failed_cycle(summaries) -> None:
    figure = drift_figure([c for c in summaries if c.roi == "003"], 0.1, 0.5, "RT0")
    assert len(figure.axes) == 3
    for axes in figure.axes:
        assert [text.get_text() for text in axes.texts] == ["RT7 failed"]


def test_the_first_rows_of_the_report_are_the_planted_faults(summaries) -> None:
    rows = report.worst_rows(summaries)
    # No other has a finding, and so no other is named.
    assert [(row.roi, row.cycle) for row in rows] == [
        planted_tables.BAD_CYCLE_AT,
        planted_tables.BAD_BLOCK_AT,
    ]
    assert report.first_shown(summaries) == list(planted_tables.BAD_CYCLE_AT)
    assert [finding.kind for row in rows for finding in row.findings] == [
        "failed",
        "unusual",
    ]
    assert set(report.shown_kinds(rows[0])) == {"before_after", "details", "quality"}
    verdict = report.verdict(summaries)
    assert [(text, [(c.roi, c.cycle) for c in cycles]) for text, cycles in verdict["parts"]] == [
        ("1 of 40 cycles does not match the reference", [planted_tables.BAD_CYCLE_AT]),
        ("1 deserves a look", [planted_tables.BAD_BLOCK_AT]),
    ]
    assert (verdict["blocks"], verdict["failed"], verdict["borrowed"]) == (640, 16, 40)


def test_the_report_names_doubtful_cycles_first_of_all_that_match(summaries) -> None:
    sound = [cycle for cycle in summaries if not cycle.faults]
    doubtful = replace(sound[0], verdict="doubtful", reason="it slipped")
    odd = replace(sound[1], jump=9.0)
    verdict = report.verdict([doubtful, odd, *sound[2:5]])
    assert verdict["parts"] == [
        ("1 of 5 cycles is doubtful", [doubtful]),
        ("1 deserves a look", [odd]),
    ]
    assert verdict["level"] == "fair"
    assert report.verdict(sound[:5])["parts"] == [("All 5 cycles match the reference", [])]


def test_a_roi_in_which_no_cycle_matches_has_a_summary() -> None:
    table = planted_tables.local_table(*planted_tables.BAD_CYCLE_AT)
    row = planted_tables.global_row(*planted_tables.BAD_CYCLE_AT)
    (summary,) = summaries_of_roi("003", [("RT7", row, table)], SCALE)
    assert summary.has_failed


def test_without_a_local_step_a_summary_has_the_global_drift() -> None:
    (summary,) = summaries_of_roi(
        "003", [("RT5", planted_tables.global_row("003", "RT5"), None)], SCALE
    )
    assert summary.drift_x == pytest.approx(4.0)
    assert not summary.faults


def test_precision_is_in_nm_and_says_how_much_is_good_enough() -> None:
    table = planted_tables.local_table("001", "RT1")
    sigma = {f"sigma_{axis}": np.full(16, 0.03, np.float32) for axis in "zxy"}
    sigma["sigma_y"][:4] = 0.6
    table = Table(table.columns | sigma, table.meta)
    weak = table["status"] == "borrowed"
    assert weak.sum() == 1
    found = precision_of(table, SCALE)
    assert found.xy_nm == pytest.approx(3)
    assert found.z_nm == found.z_95_nm == pytest.approx(15)
    assert found.xy_95_nm == pytest.approx(60)
    assert found.borrowed_xy_nm == pytest.approx(3)
    # Of four of sixteen blocks, errors along one axis have a standard deviation of 60 nm.
    xy, z = SCALE.tolerance_nm
    chance = [norm.cdf(limit / sigma) - norm.cdf(-limit / sigma)
              for limit, sigma in ((z, 15), (xy, 3), (xy, 3), (xy, 60))]  # fmt: skip
    expected = chance[0] * chance[1] * (0.75 * chance[2] + 0.25 * chance[3])
    assert found.within_tolerance == pytest.approx(expected, abs=1e-6)
    assert np.isnan(precision_of(table, Scale(100, 500)).within_tolerance)
    row = planted_tables.global_row("001", "RT1")
    (summary,) = summaries_of_roi("001", [("RT1", row, table)], SCALE)
    assert f"only {100 * expected:.0f} % of its area within the tolerance" in summary.faults


def test_failed_blocks_are_within_no_tolerance() -> None:
    table = planted_tables.local_table(*planted_tables.BAD_CYCLE_AT)
    found = precision_of(table, SCALE)
    assert found.within_tolerance == 0
    assert np.isnan(found.xy_nm)


def test_nothing_of_a_doubtful_cycle_is_within_the_tolerance() -> None:
    sound = planted_tables.local_table("001", "RT1")
    assert precision_of(sound, SCALE).within_tolerance > 0.9
    doubted = Table(sound.columns, sound.meta | {"verdict": "doubtful", "reason": "it slipped"})
    row = planted_tables.global_row("001", "RT1")
    (summary,) = summaries_of_roi("001", [("RT1", row, doubted)], SCALE)
    assert summary.within_tolerance == 0
    assert summary.faults == "doubtful: it slipped"
    assert precision_of(doubted, SCALE).xy_nm == precision_of(sound, SCALE).xy_nm


def test_every_kind_of_finding_has_advice(summaries) -> None:
    doubtful = replace(summaries[0], verdict="doubtful", reason="few blocks", jump=9.0)
    lost = missing_cycle("001", "RT9", "cut off")
    poor = replace(summaries[0], within_tolerance=0.5)
    kinds = {f.kind for one in (*summaries, doubtful, lost, poor) for f in one.findings}
    assert kinds == set(ADVICE)
    assert all(advice_on(one.findings) for one in summaries if one.findings)


def test_the_report_says_where_other_cycles_could_tell_how_far_one_deforms(summaries) -> None:
    good = replace(
        next(one for one in summaries if one.blocks and one.has_shifts),
        verdict="registered", borrowed=0, measured=16, unusual=0,
    )  # fmt: skip
    weak = replace(good, cycle="RT7", borrowed=8, measured=8)
    told = advice_on_motion([good, weak, good, good], "smooth")
    assert f"in 1 cycle, such as ROI {good.roi}, RT7, while 3 others" in told
    assert "the target learn_motion" in told
    assert "the key 'motion'" in told
    assert advice_on_motion([good, good, good], "smooth") == ""
    assert advice_on_motion([good, weak, good], "smooth") == ""
    assert advice_on_motion([good, replace(weak, verdict="doubtful"), good, good], "smooth") == ""
    assert advice_on_motion([good, weak, good, good], "rigid") == ""
    assert "/data/motion.json" in advice_on_motion([good], "/data/motion.json")


@pytest.mark.parametrize(
    ("ordered", "gaps", "others", "found"),
    [
        (["hyb1", "hyb3"], ["hyb2"], [["hyb1", "hyb2", "hyb3"]], ["hyb1", "hyb2", "hyb3"]),
        (["b", "a"], ["d", "c"], [["d", "b", "c", "a"]], ["d", "b", "c", "a"]),
        (["b", "a"], ["c", "d"], [["c", "a"], ["b", "d", "a"]], ["c", "b", "d", "a"]),
        # No ROI has it, or it could not be read: names count.
        (["RT1", "RT2", "RT10"], ["RT9", "RT1"], [], ["RT1", "RT2", "RT9", "RT10"]),
        ([], ["RT1"], [["RT1"]], ["RT1"]),
    ],
)
def test_missing_cycles_keep_their_place_in_the_order_of_imaging(ordered, gaps, others, found):
    assert with_gaps(ordered, gaps, others) == found


def test_the_last_line_tells_registered_failed_and_missing_cycles_apart() -> None:
    summaries = planted_tables.summaries(4, 10)
    failed = sum(one.has_failed for one in summaries)
    missing = missing_cycle("002", "RT11", "this ROI has no stack of the cycle.")
    good = len(summaries) - failed
    assert failed == 1
    text = all_cycles_registered.told([*summaries, missing])
    assert text == f"{good} cycles registered, 1 failed, 1 missing.\n"
    assert all_cycles_registered.told(summaries[:1]) == "1 cycle registered.\n"


@pytest.mark.parametrize(("slipped", "end"), [(0.0, 0.3), (500.0, 0.8)])
def test_drifts_are_drawn_on_a_scale_of_their_own(summaries, slipped, end) -> None:
    """A stage that slipped once leaves the others their colours: it lies beyond the scale."""
    drifts = (0.0, 1.0, 2.0, 3.0, slipped)
    found = [
        replace(one, drift_x=drift, drift_y=0.0)
        for one, drift in zip(summaries, drifts, strict=False)
    ]
    names = [cycle.cycle for cycle in found]
    axes = heat_maps_figure(found, names, 0.1).axes[0]
    assert axes.images[0].get_clim() == pytest.approx((0.0, end))
    assert axes.images[0].colorbar.extend == ("max" if slipped else "neither")
