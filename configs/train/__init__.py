"""Presets of the trainer."""
