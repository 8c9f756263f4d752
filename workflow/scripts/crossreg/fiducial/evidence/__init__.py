"""What speaks for and against the match of a cycle with the reference."""
