"""Wikipedia: raw dumps to clean documents."""
