"""The whole run on one self-contained page."""
