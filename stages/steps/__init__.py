"""What any source may be put through, one file a step; how a recipe writes them is in ``catalogue``."""
