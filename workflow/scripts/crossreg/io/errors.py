"""The one exception that stands for a user's mistake."""

from pathlib import Path

# Names, values and texts of files end up in sentences; beyond this they are shortened.
LONGEST_SENTENCE = 2000


class UserError(Exception):
    """A mistake in the input, told in one plain sentence.

    The sentence names the file, key or tile, says what is wrong and what to do. Scripts print
    it without a traceback and exit with status 1.
    """

    def __str__(self) -> str:
        """Return the sentence on one line, whatever names and values stand in it."""
        sentence = one_line(super().__str__())
        if len(sentence) <= LONGEST_SENTENCE:
            return sentence
        half = LONGEST_SENTENCE // 2
        return f"{sentence[:half]} ... {sentence[-half:]}"


class DamagedResultError(UserError):
    """A file that an earlier job made is damaged: remove it, and it is made again."""

    def __init__(self, path: Path | str, fault: str) -> None:
        """`fault` says what is wrong with the file `path`."""
        super().__init__(f"{path}: {fault}; remove it and run again.")
        self.path = path


def one_line(text: str) -> str:
    """Return `text` with line ends and all else that is no visible sign written as an escape."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
