"""How the tiles of sections were moved."""
