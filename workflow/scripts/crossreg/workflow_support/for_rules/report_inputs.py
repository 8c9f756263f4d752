"""What the report is made from beside tables and pictures of its chain."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossreg.report import TEMPLATES
from crossreg.report.about_applied import receipts
from crossreg.workflow_support.for_rules.file_stamps import stamp

OF_SECTIONS = ("trakem2/*/sections.tsv", "trakem2/*/pictures/*.png")


def templates() -> list[str]:
    """Return the template of the page, what it includes, and the captions of pictures."""
    return sorted(map(str, TEMPLATES.iterdir()))


def stamps_of_sections(results: Path | str) -> list[str]:
    """Return the stamps of the tables and pictures of sections that are there."""
    paths = sorted(path for pattern in OF_SECTIONS for path in Path(results).glob(pattern))
    return [f"{path.relative_to(results)} {stamp(path)}" for path in paths]


def stamps_of_receipts(results: Path | str) -> list[str]:
    """Return the stamps of the texts that say what was done to spots and stacks."""
    paths = receipts(Path(results))
    return [f"{path.relative_to(results)} {stamp(path)}" for path in paths]


def configuration_text(configuration: Mapping[str, Any]) -> str:
    """Return the configuration as the report shows it."""
    return json.dumps(configuration)
