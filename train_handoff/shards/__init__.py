"""Token shards: the file format, its check value, and what is shown and verified of it."""
