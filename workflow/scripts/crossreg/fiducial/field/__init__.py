"""The smooth shift as a function of position."""
