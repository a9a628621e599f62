"""Compiled passes of single steps, and the recipes' own normal forms of lines and texts."""
