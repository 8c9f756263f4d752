"""Files at the edge: images, tables, sheets, whole files, and the one kind of error."""
