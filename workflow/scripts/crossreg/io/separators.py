"""What separates the cells of a table of text."""

SEPARATORS = "\t;,"


def separator_of(line: str) -> str:
    """Return the sign between the cells of a table by its first line: that of which it has most."""
    return max(SEPARATORS, key=line.count)
