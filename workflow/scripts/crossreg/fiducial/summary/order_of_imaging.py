"""The order in which cycles were imaged, those that are missing in one ROI among them."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from crossreg.fiducial.experiment.sample import Sample


def in_order_of_imaging(samples: Iterable[Sample]) -> list[str]:
    """Return the names of the cycles of a ROI, by the run numbers of their files, then by name.

    Names are compared with their numbers as numbers, so that RT2 comes before RT10. Where files
    say no run numbers, only the names count.
    """

    def key(sample: Sample) -> tuple[Any, ...]:
        parts = re.split(r"(\d+)", sample.cycle)
        natural = [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
        return int(sample.run) if sample.run.isdigit() else 0, natural

    return [sample.cycle for sample in sorted(samples, key=key)]


def with_gaps(
    ordered: Sequence[str], gaps: Iterable[str], others: Iterable[Sequence[str]]
) -> list[str]:
    """Return a ROI's cycles with its missing ones, each where the order of another ROI has it.

    `ordered` are the cycles that there are, `others` those of other ROIs, all in the order of
    imaging. Missing cycles that no ROI has come where their names belong.
    """
    result, left = list(ordered), set(gaps) - set(ordered)
    by_name = in_order_of_imaging(Sample("", name, "") for name in [*ordered, *left])
    for other in [*others, by_name]:
        for place, name in enumerate(other):
            if name in left:
                before = [result.index(one) for one in other[:place] if one in result]
                result.insert(max(before, default=-1) + 1, name)
                left.remove(name)
    return result
