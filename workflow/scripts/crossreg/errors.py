"""The one exception that stands for a user's mistake."""


class UserError(Exception):
    """A mistake in the input, told in one plain sentence.

    The sentence names the file, key or tile, says what is wrong and what to do. Scripts print
    it without a traceback and exit with status 1.
    """
