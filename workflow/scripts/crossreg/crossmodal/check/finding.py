"""A finding: what is wrong or remarkable about a section's project, for people and for programs."""

from dataclasses import asdict, dataclass
from typing import Any

ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True)
class Finding:
    """One remark; an `error` keeps the section from being imported."""

    level: str
    kind: str
    section: str
    """Stem of the section; empty for the folder of projects."""
    expected: str
    found: str
    advice: str
    stack: str | None = None
    tile: str | None = None
    title: str | None = None

    def to_record(self) -> dict[str, Any]:
        """Return the finding as JSON has it in a report."""
        return asdict(self)

    def sentence(self) -> str:
        """Return the finding as one sentence for a person."""
        tile = f", tile {self.tile}" if self.tile is not None else ""
        titled = f' ("{self.title}")' if self.title not in (None, self.tile) else ""
        stack = f" of stack {self.stack}" if self.stack is not None else ""
        place = f"section {self.section}" if self.section else "the folder of projects"
        return (
            f"{place}{tile}{titled}{stack}: expected {self.expected},"
            f" found {self.found}; {self.advice}."
        )


def shown_name(name: str) -> str:
    """Return the name of a file as text, whatever bytes it consists of."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
