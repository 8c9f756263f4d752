"""The page that shows a whole run: what its template needs, and the page itself."""

import base64
import importlib.metadata
import mimetypes
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from jinja2 import DictLoader, Environment, StrictUndefined

from crossreg import __version__
from crossreg.fiducial.summary import CycleSummary, worst_first

PAGE = "report.html.j2"
"""The template of the page; it includes others."""
WORST = 10
"""Cycles in the list of the worst."""
EMBEDDED_BYTES = 25_000_000
"""Size of pictures and tables up to which they lie in the page itself, not beside it."""
PACKAGES = ("snakemake", "numpy", "scipy", "tifffile", "imagecodecs", "astropy", "matplotlib")


def page(templates: Mapping[str, str], **context: Any) -> str:
    """Return the page that Jinja makes of `PAGE` and a context; text is escaped.

    `templates` are the text of the page and of what it includes, by name of the file.
    """
    environment = Environment(
        loader=DictLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # The order of cycles is that of imaging, not that of the alphabet.
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return environment.get_template(PAGE).render(**context)


def verdict(summaries: Sequence[CycleSummary]) -> dict[str, Any]:
    """Return the counts that the page opens with, and what it says: parts of a sentence.

    A part is a text and the cycles it is about, the worst first.
    """
    worst = worst_first(summaries)
    failed = [cycle for cycle in worst if cycle.has_failed]
    missing = [cycle for cycle in worst if cycle.missing]
    suspicious = [cycle for cycle in worst if cycle.faults and cycle.has_shifts]
    counts = {
        name: sum(getattr(cycle, name) for cycle in summaries)
        for name in ("blocks", "measured", "borrowed", "failed")
    }
    kinds = (
        (failed, "does not match the reference", "do not match the reference"),
        (missing, "could not be registered", "could not be registered"),
        (suspicious, "deserves a look", "deserve a look"),
    )
    total = len(summaries)
    parts: list[tuple[str, Sequence[Any]]] = []
    if not (failed or missing):
        parts.append((f"All {total} cycles match the reference", []))
    for cycles, one, many in kinds:
        if cycles:
            count = str(len(cycles)) if parts else f"{len(cycles)} of {total} cycles"
            parts.append((f"{count} {one if len(cycles) == 1 else many}", cycles))
    return {
        "parts": parts,
        "level": "bad" if failed or missing else "fair" if suspicious else "good",
        "rois": len({cycle.roi for cycle in summaries}),
        "cycles": total,
        "missing": len(missing),
        **counts,
    }


def worst_rows(summaries: Sequence[CycleSummary]) -> list[CycleSummary]:
    """Return the worst cycles, those with a fault first."""
    ranked = worst_first(summaries)
    return sorted(ranked, key=lambda cycle: not cycle.faults)[:WORST]


def matrix(summaries: Sequence[CycleSummary]) -> dict[str, Any]:
    """Return the names of cycles and, a ROI a row, the summary (or None) of each."""
    cycles = list(dict.fromkeys(cycle.cycle for cycle in summaries))
    by_roi: dict[str, dict[str, CycleSummary]] = {}
    for cycle in summaries:
        by_roi.setdefault(cycle.roi, {})[cycle.cycle] = cycle
    return {
        "cycles": cycles,
        "rows": [(roi, [row.get(name) for name in cycles]) for roi, row in by_roi.items()],
    }


def state_of(cycle: CycleSummary) -> str:
    """Return the class of a cycle's cell: lost, bad, fair or good."""
    if cycle.missing:
        return "lost"
    if cycle.has_failed:
        return "bad"
    return "fair" if cycle.faults else "good"


def source(path: Path, folder: Path, embedded: bool) -> str:
    """Return the address of a file for a page in `folder`: its content, or a relative link."""
    if not embedded:
        return quote(path.relative_to(folder).as_posix())
    kind = mimetypes.guess_type(path.name)[0] or "text/plain"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def dotted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with those of sections under dotted keys: {"a": {"b": 1}} as {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = dotted(value) if isinstance(value, dict) and value else None
        flat |= {f"{key}.{name}": one for name, one in inner.items()} if inner else {key: value}
    return flat


def versions() -> dict[str, str]:
    """Return the versions of this program, of Python and of the packages that compute."""
    found = {"crossreg": __version__, "Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def run_times(
    seconds: dict[str, list[float]], memory: dict[str, list[float]]
) -> list[dict[str, Any]]:
    """Return a row a rule: jobs, total hours, median and longest seconds, largest memory (MB)."""
    return [
        {
            "rule": rule,
            "jobs": len(times),
            "total": sum(times) / 3600,
            "median": float(np.median(times)),
            "longest": max(times),
            "memory": max(memory[rule], default=float("nan")),
        }
        for rule, times in sorted(seconds.items())
        if times
    ]
