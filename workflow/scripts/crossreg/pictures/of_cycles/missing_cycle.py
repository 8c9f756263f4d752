"""The picture of a cycle that could not be registered: a sentence that says why."""

import textwrap

from crossreg.pictures.drawing.paper import Paper

WIDTH, HEIGHT = 8.0, 2.0
"""Inches."""
LETTERS = 100
"""In a line of the sentence."""


def missing_cycle_picture(roi: str, cycle: str, reason: str) -> Paper:
    """Return a picture that shows no image, but why there is none."""
    paper = Paper(WIDTH, HEIGHT, f"ROI {roi}, cycle {cycle}: not registered")
    paper.note(textwrap.fill(reason, LETTERS))
    return paper
