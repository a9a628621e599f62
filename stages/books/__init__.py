"""Books: raw dumps to clean documents."""
