"""One run from beginning to end: locks, messages, jobs on other nodes, what is left over."""
