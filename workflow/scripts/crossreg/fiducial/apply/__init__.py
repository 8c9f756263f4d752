"""What is done with a cycle's field: spots and stacks brought to the reference, export to pyHiM."""
