"""Stacks of Render: both places that keep them, tile specs and their transforms."""
