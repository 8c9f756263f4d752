"""From checked projects to the output stack."""
