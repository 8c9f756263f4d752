"""Words that several messages need."""


def counted(number: int, word: str) -> str:
    """Return "1 cycle", "2 cycles": a number and what is counted, which takes an s for many."""
    return f"{number} {word}{'' if number == 1 else 's'}"
