"""Recipes and trainer presets that the package brings. Imported as ``llama_data.configs``."""

if not __name__.startswith("llama_data."):
    raise ImportError("import llama_data.configs, not configs: the folder is packaged under llama_data")
