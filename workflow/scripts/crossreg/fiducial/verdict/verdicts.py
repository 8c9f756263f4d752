"""What is said of a cycle: registered, doubtful with its reason, or failed."""

from dataclasses import dataclass

REGISTERED, DOUBTFUL, FAILED = ("registered", "doubtful", "failed")


@dataclass(frozen=True)
class Verdict:
    """What is said of a cycle: REGISTERED, DOUBTFUL or FAILED, and why.

    The reason is one sentence, empty if registered.
    """

    name: str
    reason: str = ""
