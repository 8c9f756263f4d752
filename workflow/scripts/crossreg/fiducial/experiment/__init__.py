"""What an experiment says about itself: file names and parameters."""
