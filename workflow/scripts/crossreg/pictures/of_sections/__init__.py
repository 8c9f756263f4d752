"""Pictures of the sections that a person registered."""
