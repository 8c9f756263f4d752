"""JSON schemas of the configuration and of the parameter files."""
