"""Cycles whose images are those of another cycle: a file that was copied, or given twice."""

from collections.abc import Mapping

import numpy as np

from crossreg.fiducial.evidence.exposure_noise import are_one_exposure, from_text
from crossreg.fiducial.verdict import DOUBTFUL
from crossreg.io.ecsv import Table


def copies_doubted(tables: Mapping[str, Table]) -> dict[str, Table]:
    """Return the tables of local shifts of a ROI's cycles, by their names.

    Those that share the noise of their exposure with another cycle are doubtful and name it. A
    cycle that has failed says nothing of its noise.
    """
    names = [name for name, table in tables.items() if "noise" in table.meta]
    copied = are_one_exposure([from_text(tables[name].meta["noise"]) for name in names])
    np.fill_diagonal(copied, False)
    result = dict(tables)
    for name, alike in zip(names, copied, strict=True):
        if alike.any():
            other = names[int(alike.argmax())]
            reason = f"its images are those of cycle {other}: a file was copied or given twice"
            said = {"verdict": DOUBTFUL, "reason": reason}
            result[name] = Table(tables[name].columns, tables[name].meta | said)
    return result
