"""The cross-modal chain: Render stacks to TrakEM2 projects and back."""
