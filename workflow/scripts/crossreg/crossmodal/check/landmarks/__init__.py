"""Sections that are registered by landmarks of BigWarp."""
