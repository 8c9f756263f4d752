"""The page that shows a whole run: what its template needs, and the page itself."""

import base64
import importlib.metadata
import mimetypes
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from crossreg import __version__
from crossreg.report import TEMPLATES

PAGE = "report.html.j2"
"""The template of the page; it includes others."""
EMBEDDED_BYTES = 25_000_000
"""Size of pictures and tables up to which they lie in the page itself, not beside it."""
PACKAGES = ("snakemake", "numpy", "scipy", "tifffile", "imagecodecs", "astropy", "matplotlib")


def page(**context: Any) -> str:
    """Return the page that Jinja makes of `PAGE` and a context; text is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # The order of cycles is that of imaging, not that of the alphabet.
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return environment.get_template(PAGE).render(**context)


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
    """Return a row per rule: jobs, total hours, median and longest seconds, largest memory (MB)."""
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
