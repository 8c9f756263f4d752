"""TrakEM2 projects: written for a person, read as saved."""
