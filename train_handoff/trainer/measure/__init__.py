"""What a model is worth (evaluate) and what a step costs (bench)."""
