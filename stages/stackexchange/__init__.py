"""Stack Exchange: raw dumps to clean documents."""
