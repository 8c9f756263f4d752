"""What is to be known of a cycle at a glance: drift, precision, faults, and the closing table."""
