"""From parameters and stacks to the frozen configuration of a registration."""
