"""Books in three jobs: shingle sets of all, the pairs that overlap, and the books without duplicates."""

from __future__ import annotations

from math import ceil

from pydantic import Field

from llama_data.pipeline.core.files import join, list_inputs
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.settings import DomainSettings
from llama_data.pipeline.core.sink import Sink
from llama_data.stages.books.overlap import Measure
from llama_data.stages.books.reader import BookReader
from llama_data.stages.books.rules import ComparePairs, DropDuplicates, StripGutenberg, WriteSets

DOMAIN = "books"
COLUMNS = {
    "title": "string",
    "encoding": "string",
    "stripped": "string",
    "duplicate_of": "string",
    "overlap": "float64",
}


class Settings(DomainSettings):
    """Settings of the books stage.

    ``measure``: what "content overlap" means, on sets of ``shingle_words`` words in a row. ``containment``: the share
    of the smaller book's set that the larger one holds (an excerpt goes, its omnibus stays); ``jaccard``: the share of
    the two sets' union that both hold (it never finds an excerpt). ``max_overlap``: a book with more than this is
    dropped; None keeps all. ``max_book_bytes``, ``max_members``, ``max_ratio``: limits on files and archives. A run
    needs about 1.5 times the unpacked size of the input on disk for the sets, while it lasts.
    """

    inputs: tuple[str, ...] = ("**/*.txt", "**/*.txt.gz", "**/*.zip")
    max_task_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    measure: Measure = "containment"
    max_overlap: float | None = Field(default=0.9, gt=0, lt=1)
    shingle_words: int = Field(default=5, ge=1, le=50)
    max_book_bytes: int = Field(default=64 * 1024 * 1024, gt=0)
    max_members: int = Field(default=1000, gt=0)
    max_ratio: int = Field(default=200, gt=0)


def jobs(settings: Settings, run: RunContext) -> list[Job]:
    """The jobs; only the last one when duplicates are kept. Raises InputError: no book is found."""
    splits = list_inputs(run.input, settings.inputs)
    tasks = min(len(splits), max(1, ceil(sum(split.size for split in splits) / settings.max_task_bytes)))
    folder = join(run.work(DOMAIN), "overlap")

    def reader() -> BookReader:
        return BookReader(
            splits=splits,
            domain=DOMAIN,
            max_book_bytes=settings.max_book_bytes,
            max_members=settings.max_members,
            max_ratio=settings.max_ratio,
        )

    sink = Sink(run=run, domain=DOMAIN, columns=COLUMNS)
    if settings.max_overlap is None:
        return [Job(f"{DOMAIN}/books", [reader(), StripGutenberg(), sink], tasks=tasks)]
    compare = ComparePairs(folder=folder, threshold=settings.max_overlap, measure=settings.measure)
    return [
        Job(
            f"{DOMAIN}/shingles",
            [reader(), StripGutenberg(), WriteSets(folder=folder, width=settings.shingle_words)],
            tasks=tasks,
        ),
        Job(f"{DOMAIN}/compare", [compare], tasks=tasks),
        Job(f"{DOMAIN}/books", [reader(), StripGutenberg(), DropDuplicates(folder=folder), sink], tasks=tasks),
    ]
