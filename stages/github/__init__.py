"""GitHub: raw dumps to clean documents."""
