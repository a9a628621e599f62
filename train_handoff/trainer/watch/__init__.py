"""What a run tells the people who watch it: figures, curves, warnings. Nothing here changes a step."""
