"""A dump file: its bytes from any place on, its language, and the pieces it can be cut into."""
