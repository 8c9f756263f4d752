"""The page that shows a whole run."""

from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"
"""Folder with the templates of the page (*.j2) and the captions of pictures (*.rst)."""
