"""Pictures of one cycle of one ROI, and the small images that they are drawn from."""
