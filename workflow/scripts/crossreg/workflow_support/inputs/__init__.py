"""What a run is given: configuration, stacks, parameters, cycles that are missing."""
