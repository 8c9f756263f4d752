"""Image files of all kinds behind one interface: their series, and planes of them on demand."""
