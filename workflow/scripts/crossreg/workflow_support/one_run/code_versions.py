"""Which version of the code made the results, to say before a run what a new version changes."""

from collections.abc import Mapping
from pathlib import Path

from crossreg.io.errors import UserError
from crossreg.io.files import read_json, write_json


def changed_code(path: Path | str, hashes: Mapping[str, str]) -> list[str]:
    """Return the names of the scripts whose hash is another than the one kept in `path`.

    Scripts that made no result yet are not among them, nor is any if `path` is not there.
    """
    kept = _kept(path)
    return sorted(name for name, value in hashes.items() if kept.get(name, value) != value)


def remember_code(path: Path | str, hashes: Mapping[str, str]) -> None:
    """Keep in `path` the hashes of the scripts that made results; others there stay."""
    kept = _kept(path)
    if not hashes.items() <= kept.items():
        write_json(path, kept | dict(hashes))


def _kept(path: Path | str) -> dict[str, str]:
    try:
        content = read_json(path)
    except UserError:
        # Not there yet, or damaged: then nothing is known, and the next success writes it anew.
        return {}
    return content if isinstance(content, dict) else {}
