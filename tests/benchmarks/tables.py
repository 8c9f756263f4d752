"""Text tables for the benchmarks' commands."""

from collections.abc import Sequence


def text_table(heading: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table with a heading, its columns padded to their widest entry."""
    widths = [max(len(line[k]) for line in (heading, *lines)) for k in range(len(heading))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "  ".join(entry.ljust(width) for entry, width in zip(line, widths, strict=True)).rstrip()
        for line in (heading, rule, *lines)
    )
