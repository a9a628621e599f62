"""arXiv: raw dumps to clean documents."""
