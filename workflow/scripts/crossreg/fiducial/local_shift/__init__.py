"""Second step: the 3D shift of every block."""
