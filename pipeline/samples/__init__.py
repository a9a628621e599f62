"""Original sample texts and the builders that wrap them as raw dumps of all seven domains."""

from llama_data.pipeline.samples.build import build_samples

__all__ = ["build_samples"]
