"""What happens to text: one room a source, and what two or more of them share. Imported as ``llama_data.stages``."""

if not __name__.startswith("llama_data."):
    raise ImportError("import llama_data.stages, not stages: the folder is packaged under llama_data")
