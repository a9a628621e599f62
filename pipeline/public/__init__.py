"""Rebuilds LLaMA's pretraining data from public raw dumps and hands it to a trainer.

What stands here is the Python side that is kept stable: ``from llama_data import Language, Shard``. Every name is
imported when it is first asked for, so ``import llama_data`` itself costs nothing. docs/python.md shows how rules work
in datatrove's pipelines, and datatrove's filters in recipes.
"""

from __future__ import annotations

if __name__ != "llama_data":
    raise ImportError(f"import llama_data, not {__name__}: the folder is packaged as llama_data itself")

from importlib import import_module
from typing import TYPE_CHECKING, Any

from llama_data.pipeline.core.version import VERSION as __version__

if TYPE_CHECKING:
    from llama_data.pipeline.core.block import BatchRule, Reader, Rule, Step
    from llama_data.pipeline.core.document import Document, Outcome, Verdict
    from llama_data.pipeline.core.errors import LlamaDataError, RecordError
    from llama_data.pipeline.core.files import Split, list_inputs
    from llama_data.pipeline.core.job import Job, RunContext
    from llama_data.pipeline.core.reasons import Reason
    from llama_data.pipeline.core.sink import Sink
    from llama_data.pipeline.recipe import Recipe, load_recipe
    from llama_data.stages.arxiv.reader import ArxivReader
    from llama_data.stages.arxiv.rules import CutToBody, InlineAndExpand
    from llama_data.stages.books.reader import BookReader
    from llama_data.stages.books.rules import StripGutenberg
    from llama_data.stages.c4.reader import C4Reader
    from llama_data.stages.commoncrawl.reader import CommonCrawlReader
    from llama_data.stages.custom.reader import SourceReader
    from llama_data.stages.fasttext.model import FastTextModel
    from llama_data.stages.github.reader import GithubReader
    from llama_data.stages.github.rules import Heuristics, NotGenerated, RemoveHeader
    from llama_data.stages.steps.bad_words import BadWords
    from llama_data.stages.steps.c4_rules import CleanPage, PageLimit
    from llama_data.stages.steps.classifier import ReferenceClassifier
    from llama_data.stages.steps.contract import Built, Pass, StepContext, StepSettings, chain
    from llama_data.stages.steps.kernels.c4_constants import LineRules
    from llama_data.stages.steps.language import Language
    from llama_data.stages.steps.length import EmptyText, MaximumLength, MinimumLength
    from llama_data.stages.steps.model_files import PerplexityFiles, model_path, perplexity_files
    from llama_data.stages.steps.perplexity import Perplexity, PerplexityModel
    from llama_data.stages.wikipedia.reader import WikipediaReader
    from llama_data.stages.wikipedia.rules import CleanWikitext, SelectArticles
    from llama_data.tokenizer.bpe.encode import FastEncoder
    from llama_data.tokenizer.unigram.encode import PieceEncoder
    from llama_data.train_handoff.mix.plan import MixPlan, Mixture, plan_mix
    from llama_data.train_handoff.shards.file import Footer, Shard, ShardWriter, read_footer

# Where each name stands; a test holds it equal to the imports above.
_HOMES = {
    "pipeline.core.block": ("BatchRule", "Reader", "Rule", "Step"),
    "pipeline.core.document": ("Document", "Outcome", "Verdict"),
    "pipeline.core.errors": ("LlamaDataError", "RecordError"),
    "pipeline.core.files": ("Split", "list_inputs"),
    "pipeline.core.job": ("Job", "RunContext"),
    "pipeline.core.reasons": ("Reason",),
    "pipeline.core.sink": ("Sink",),
    "pipeline.recipe": ("Recipe", "load_recipe"),
    "stages.arxiv.reader": ("ArxivReader",),
    "stages.arxiv.rules": ("CutToBody", "InlineAndExpand"),
    "stages.books.reader": ("BookReader",),
    "stages.books.rules": ("StripGutenberg",),
    "stages.c4.reader": ("C4Reader",),
    "stages.commoncrawl.reader": ("CommonCrawlReader",),
    "stages.custom.reader": ("SourceReader",),
    "stages.fasttext.model": ("FastTextModel",),
    "stages.github.reader": ("GithubReader",),
    "stages.github.rules": ("Heuristics", "NotGenerated", "RemoveHeader"),
    "stages.steps.bad_words": ("BadWords",),
    "stages.steps.c4_rules": ("CleanPage", "PageLimit"),
    "stages.steps.classifier": ("ReferenceClassifier",),
    "stages.steps.contract": ("Built", "Pass", "StepContext", "StepSettings", "chain"),
    "stages.steps.kernels.c4_constants": ("LineRules",),
    "stages.steps.language": ("Language",),
    "stages.steps.length": ("EmptyText", "MaximumLength", "MinimumLength"),
    "stages.steps.model_files": ("PerplexityFiles", "model_path", "perplexity_files"),
    "stages.steps.perplexity": ("Perplexity", "PerplexityModel"),
    "stages.wikipedia.reader": ("WikipediaReader",),
    "stages.wikipedia.rules": ("CleanWikitext", "SelectArticles"),
    "tokenizer.bpe.encode": ("FastEncoder",),
    "tokenizer.unigram.encode": ("PieceEncoder",),
    "train_handoff.mix.plan": ("MixPlan", "Mixture", "plan_mix"),
    "train_handoff.shards.file": ("Footer", "Shard", "ShardWriter", "read_footer"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME_OF]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"llama_data has no {name!r}; it has: {', '.join(sorted(_HOME_OF))}")
    return getattr(import_module(f"llama_data.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
