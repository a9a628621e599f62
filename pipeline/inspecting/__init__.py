"""What a file or folder is, and what is in it: `llama-data inspect`."""
