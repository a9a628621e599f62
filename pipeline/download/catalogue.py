"""The sources by name."""

from __future__ import annotations

from llama_data.pipeline.download import arxiv, c4, commoncrawl, github, gutenberg, stackexchange, wikipedia
from llama_data.pipeline.download.source import Source

SOURCES: dict[str, Source] = {
    module.SOURCE.name: module.SOURCE
    for module in (commoncrawl, c4, github, wikipedia, gutenberg, arxiv, stackexchange)
}
