"""Which code makes which domain, and what it costs: the one place where the two meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.domains import DOMAINS
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.head import Head
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.settings import DomainSettings
from llama_data.stages.arxiv import jobs as arxiv
from llama_data.stages.books import jobs as books
from llama_data.stages.c4 import jobs as c4
from llama_data.stages.commoncrawl import jobs as commoncrawl
from llama_data.stages.github import jobs as github
from llama_data.stages.stackexchange import jobs as stackexchange
from llama_data.stages.wikipedia import jobs as wikipedia


@dataclass(frozen=True)
class Rate:
    """What a stage costs: stored input bytes read a core-second, and bytes written for each byte read.

    ``output`` is the share that stays (documents, ledger), ``work`` the share that lies on disk only while the
    domain runs. ``memory`` is the peak of one worker in bytes, models included. ``text``: characters of text in a
    stored byte. ``start``: seconds of a core before a task's first record, for every task of every job.
    """

    bytes_per_second: float
    output: float
    work: float
    memory: float
    text: float = 2.0
    start: float = 1.0


@dataclass(frozen=True)
class Stage:
    """A domain's settings, and its ``jobs`` from these and a context.

    ``reader``: what reads files of its dumps, as documents. ``claims``: whether a file that begins so is one of them.
    ``raw``: the raw text of a row of the ledger out of the reader's documents; None: that of the one with its source.
    """

    settings: type[DomainSettings]
    jobs: Callable[[Any, RunContext], list[Job]]
    rate: Rate
    reader: Callable[[Any, Sequence[Split]], Reader]
    claims: Callable[[Head], bool]
    raw: Callable[[Iterator[Document], dict[str, Any]], str | None] | None = None


def _stage(domain: Any, rate: Rate) -> Stage:
    """A stage by the module of its jobs, in which every domain has the same names."""
    return Stage(domain.Settings, domain.jobs, rate, domain.reader, domain.claims, getattr(domain, "raw", None))


DEFAULTS = "the defaults, of one core of an AMD EPYC; --calibrate measures yours"
# Common Crawl: 1.67 GB of text of WET files through all steps with the starter models took 57 s of CPU on a quiet core
# (`llama-data run commoncrawl -c corpus`, seconds of CPU of its tasks), and `plan --calibrate` found 1.9 s to start a
# task. C4: `plan --calibrate` over 95 MB. The others: over 8 MB of each domain of a corpus folder, cold tables and
# start-up included, so they are too slow rather than too fast.
STAGES = {
    "commoncrawl": _stage(commoncrawl, Rate(14.6e6, 0.03, 0.09, 1.2e9, 2.0, 1.9)),
    "c4": _stage(c4, Rate(18.0e6, 1.00, 0.00, 0.4e9, 2.6, 1.2)),
    "github": _stage(github, Rate(4.1e6, 0.61, 0.01, 0.6e9, 4.9)),
    "wikipedia": _stage(wikipedia, Rate(2.0e6, 0.57, 0.00, 0.5e9, 3.4)),
    "books": _stage(books, Rate(6.0e6, 0.95, 3.77, 0.8e9, 2.6)),
    "arxiv": _stage(arxiv, Rate(3.8e6, 0.57, 0.00, 0.5e9, 2.4)),
    "stackexchange": _stage(stackexchange, Rate(3.5e6, 0.62, 0.81, 0.6e9, 1.9)),
}
# A user's source through language and length; what its steps cost beside that `plan --calibrate` says.
SOURCE_RATE = Rate(3.0e6, 0.90, 0.05, 1.0e9, 3.0)


def rate_of(stage: str) -> Rate:
    """What a domain or a user's source costs, as long as nothing is measured."""
    return STAGES[stage].rate if stage in STAGES else SOURCE_RATE


if tuple(STAGES) != DOMAINS:
    raise AssertionError(f"the stages {list(STAGES)} are not the domains {list(DOMAINS)}")
