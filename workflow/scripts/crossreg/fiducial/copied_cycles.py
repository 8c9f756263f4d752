"""Cycles whose images are those of another cycle: a file that was copied, or given twice."""

from collections.abc import Mapping

import numpy as np

from crossreg.fiducial.verdict import DOUBTFUL, FAILED
from crossreg.io.cycle_tables import LOCAL_COLUMNS
from crossreg.io.ecsv import Table

MEASURED = [name for name, kind in LOCAL_COLUMNS.items() if kind is np.float32]


def copies_doubted(tables: Mapping[str, Table]) -> dict[str, Table]:
    """Return the tables of local shifts of a ROI's cycles, by their names.

    Those whose numbers are all equal to those of another cycle are doubtful and name it: the same
    stacks give the same numbers to the last bit, and two exposures never do. A cycle that has
    failed has no numbers to compare.
    """
    alike: dict[bytes, list[str]] = {}
    for name, table in tables.items():
        if table.meta["verdict"] != FAILED:
            numbers = b"".join(np.asarray(table[column]).tobytes() for column in MEASURED)
            alike.setdefault(numbers, []).append(name)
    result = dict(tables)
    for names in alike.values():
        for name, other in zip(names, [*names[1:], names[0]], strict=True):
            if name != other:
                reason = f"its images are those of cycle {other}: a file was copied or given twice"
                said = {"verdict": DOUBTFUL, "reason": reason}
                result[name] = Table(tables[name].columns, tables[name].meta | said)
    return result
