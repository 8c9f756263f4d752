"""The command learn_motion: what counts of the cycles of an experiment, and what it says."""

import numpy as np
import pytest

import learn_motion
from crossreg.fiducial.field.field_file import CycleField, save_field
from crossreg.fiducial.field.motion import Deformation
from crossreg.fiducial.field.motion_file import read_motion
from crossreg.fiducial.field.sampled_field import constant_field
from crossreg.fiducial.field.smooth_field import LENGTHS
from crossreg.fiducial.field.tried_kinds import AMPLITUDES
from crossreg.io.cycle_tables import GLOBAL_COLUMNS, new_table, write_table
from crossreg.workflow_support.for_scripts.script_main import run
from planted_tables import global_row

SHAPE = (9, 64, 64)


def shown(amplitude: int) -> Deformation:
    """Return what a cycle shows that is sure of the amplitude of this number."""
    weights = np.zeros((3, len(LENGTHS), len(AMPLITUDES)))
    weights[:, 1, amplitude] = 1.0
    return Deformation(np.array(LENGTHS), AMPLITUDES, weights)


def write_results(folder, cycles) -> list[str]:
    """Write fields and the merged table of cycles: (ROI, name, verdict, what it shows)."""
    rows = []
    for roi, cycle, verdict, deformation in cycles:
        rows.append(global_row(roi, cycle) | {"verdict": verdict})
        field = CycleField(
            field=constant_field((0, 1, 2), (0.1, 0.1, 0.1), SHAPE),
            status=np.full((1, 1), "measured"),
            roi=int(roi),
            cycle=cycle,
            reference_file="r.tif",
            cycle_file="c.tif",
            shape_zyx=SHAPE,
            block_size_xy=64,
            z_binning=2,
            global_shift_yx=(1.0, 2.0),
            deformation=deformation,
        )
        save_field(folder / "fields" / roi / f"{cycle}.npz", field)
    columns = {name: [row[name] for row in rows] for name in GLOBAL_COLUMNS}
    write_table(folder / "merged.ecsv", new_table(GLOBAL_COLUMNS, columns))
    return [
        *("--global-table", str(folder / "merged.ecsv"), "--fields", str(folder / "fields")),
        *("--pixelSizeXY=0.2", "--pixelSizeZ=0.3", "--zBinning=2"),
        *("--output", str(folder / "motion.json")),
    ]


def test_only_registered_cycles_count_that_show_how_far_they_deform(tmp_path, capsys) -> None:
    words = write_results(
        tmp_path,
        [
            ("001", "RT1", "registered", shown(3)),
            ("001", "RT2", "doubtful", shown(6)),
            ("002", "RT1", "registered", shown(4)),
            ("003", "RT1", "registered", None),
            ("003", "RT2", "failed", None),
        ],
    )
    assert run(learn_motion.parser(), learn_motion.main, words) == 0
    found = read_motion(tmp_path / "motion.json")
    assert (found["cycles"], found["rois"]) == (2, 2)
    assert found["pixel_size_um"] == {"xy": 0.2, "z": 0.6}
    for axis in ("xy", "z"):
        assert found[f"weights_{axis}"][1] == pytest.approx([0, 0, 0, 0.5, 0.5, 0, 0])
    assert "learned from 2 cycles of 2 ROIs" in capsys.readouterr().out


def test_where_no_cycle_shows_it_nothing_is_written(tmp_path, capsys) -> None:
    words = write_results(tmp_path, [("001", "RT1", "registered", None)])
    assert run(learn_motion.parser(), learn_motion.main, words) == 1
    assert "of 1 registered cycle none shows how far it deforms" in capsys.readouterr().err
    assert not (tmp_path / "motion.json").exists()
