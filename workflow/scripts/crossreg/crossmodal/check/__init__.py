"""Saved projects compared with the frozen configuration."""
