"""First step: one shift in XY for a whole cycle."""
