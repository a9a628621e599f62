"""Runs and checkpoints in an object store."""
