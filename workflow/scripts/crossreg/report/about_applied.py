"""What the report says about the use of the result: which spots, images and exports there are."""

from pathlib import Path

from crossreg.io.files import read_text

RECEIPTS = {
    "Spots": "receipts/localizations/*.txt",
    "Images": "registered/*/*.txt",
    "pyHiM": "pyhim/*/README.txt",
}
"""Texts that jobs leave below the results, of which the first line says what was done."""


def receipts(results: Path) -> list[Path]:
    """Return the receipts that there are."""
    return [path for pattern in RECEIPTS.values() for path in _found(results, pattern)]


def applied(results: Path) -> list[tuple[str, str, str]]:
    """Return a row a receipt: what was made, its folder below the results, what was done."""
    return [
        (kind, _folder(path.relative_to(results)), read_text(path).partition("\n")[0])
        for kind, pattern in RECEIPTS.items()
        for path in _found(results, pattern)
    ]


def _found(results: Path, pattern: str) -> list[Path]:
    """Return the receipts of a kind: hidden files beside them are marks of what failed."""
    return sorted(path for path in results.glob(pattern) if not path.name.startswith("."))


def _folder(receipt: Path) -> str:
    return str(receipt.parent).removeprefix("receipts/")
