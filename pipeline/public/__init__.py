"""The package root: this folder is imported as ``llama_data``."""

if __name__ != "llama_data":
    raise ImportError(f"import llama_data, not {__name__}: the folder is packaged as llama_data itself")

from llama_data.pipeline.core.version import VERSION as __version__

__all__ = ["__version__"]
