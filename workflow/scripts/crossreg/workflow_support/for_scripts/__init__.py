"""What the scripts of rules share: options, log, errors, outcomes instead of results."""
