"""Pictures of all cycles of a ROI, and of all ROIs."""
