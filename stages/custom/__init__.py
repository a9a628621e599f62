"""A user's own sources: rows of any kind through any steps."""
