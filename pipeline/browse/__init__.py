"""A run in a small web page on this machine: `llama-data browse`."""
