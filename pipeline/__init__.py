"""The command line and the machinery: recipe, jobs, models, report. Imported as ``llama_data.pipeline``."""

if not __name__.startswith("llama_data."):
    raise ImportError("import llama_data.pipeline, not pipeline: the folder is packaged under llama_data")
