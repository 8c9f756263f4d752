"""The same stack as two cycles gives the same numbers; two exposures never do."""

import numpy as np
import pytest

from crossreg.fiducial.copied_cycles import copies_doubted
from crossreg.io.cycle_tables import LOCAL_COLUMNS, new_table
from crossreg.io.ecsv import Table


def table(seed: int, label: str, verdict: str = "registered", reason: str = "") -> Table:
    """Return a cycle's table with four blocks of random numbers."""
    rng = np.random.default_rng(seed)
    texts = {"label": label, "aligned file": f"{label}.tif"}
    values = {
        name: rng.normal(size=4) if kind is np.float32 else np.full(4, texts.get(name, "1"))
        for name, kind in LOCAL_COLUMNS.items()
    }
    return new_table(LOCAL_COLUMNS, values, verdict=verdict, reason=reason)


def verdicts(tables: dict[str, Table]) -> dict[str, tuple[str, str]]:
    """Return verdict and named cycle by cycle."""
    said = {name: one.meta for name, one in copies_doubted(tables).items()}
    return {
        name: (meta["verdict"], meta["reason"].partition("cycle ")[2].partition(":")[0])
        for name, meta in said.items()
    }


def test_cycles_of_equal_numbers_are_doubtful_and_name_each_other():
    tables = {"A": table(1, "A"), "B": table(2, "B"), "C": table(1, "C")}
    assert verdicts(tables) == {
        "A": ("doubtful", "C"),
        "B": ("registered", ""),
        "C": ("doubtful", "A"),
    }
    assert tables["A"].meta["verdict"] == "registered"


def test_of_three_copies_each_is_doubtful():
    tables = {name: table(1, name) for name in "ABC"}
    assert verdicts(tables) == {
        "A": ("doubtful", "B"),
        "B": ("doubtful", "C"),
        "C": ("doubtful", "A"),
    }


@pytest.mark.parametrize("column", ["shift_z", "quality_zx", "sigma_y"])
def test_the_last_bit_of_one_block_makes_another_cycle(column):
    other = table(1, "B")
    values = other[column].copy()
    values[2] = np.nextafter(values[2], np.float32(9))
    tables = {"A": table(1, "A"), "B": Table(other.columns | {column: values}, other.meta)}
    assert {verdict for verdict, _ in verdicts(tables).values()} == {"registered"}


def test_failed_cycles_are_not_compared():
    tables = {name: table(1, name, "failed", "no match") for name in "AB"}
    assert {verdict for verdict, _ in verdicts(tables).values()} == {"failed"}
