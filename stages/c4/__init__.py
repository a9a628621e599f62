"""C4: raw dumps to clean documents."""
