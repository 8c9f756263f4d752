"""What pictures are drawn with: paper, axes, colours, moved images."""
