"""The fiducial chain: registration of imaging cycles to the reference cycle."""
