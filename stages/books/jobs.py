"""Books in four jobs: shingle sets of all, the pairs that overlap, which books go, and the books without those."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from pydantic import Field, model_validator

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.files import Split, join
from llama_data.pipeline.core.head import Head
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.settings import DomainSettings, limit_of
from llama_data.pipeline.kernels.minhash import PERMUTATIONS
from llama_data.stages.books.overlap import Measure
from llama_data.stages.books.reader import BookReader
from llama_data.stages.books.rules import ComparePairs, Decide, DropDuplicates, StripGutenberg, WriteSets
from llama_data.stages.books.signatures import bands
from llama_data.stages.steps.contract import Built, Pass, StepContext, chain
from llama_data.stages.steps.signature_files import Made

DOMAIN = "books"

COMPARE_TASKS = 64
"""At most so many tasks compare. Each loads the sketches of all books first, which costs as much as asking for several
thousand books; so their number must not grow with the books (benchmarks/books_scaling.py)."""

COLUMNS = {
    "title": "string",
    "encoding": "string",
    "stripped": "string",
    "duplicate_of": "string",
    "overlap": "float64",
}


class Settings(DomainSettings):
    """Settings of the books stage.

    Plain text, alone, gzipped, or in zip archives (stored, deflate, bzip2, LZMA, zstd); each file or member is a book.
    Project Gutenberg's headers, licences and credits go, and the notes of those who made the file, at both ends and on
    the title page; so do the frames of Project Gutenberg Australia and Canada and of Faded Page. What is no plain text
    (WARC and WET, XML dumps, HTML, JSON, PDF, EPUB, ...) is a failed row `wrong_format` that says what it is.

    ``measure``: what "content overlap" means, on sets of ``shingle_words`` words in a row. ``containment``: the share
    of the smaller book's set that the larger one holds (an excerpt goes, its omnibus stays); ``jaccard``: the share of
    the two sets' union that both hold (it never finds an excerpt). ``max_overlap``: a book with more than this is
    dropped; None keeps all. ``permutations``: values of the MinHash signatures that are left in
    ``RUN/signatures/books`` (4 bytes a value and book; docs/formats.md); None leaves none. ``jaccard`` finds its
    candidates by them; they are not made when ``max_overlap`` is None. ``max_book_bytes``, ``max_members``,
    ``max_ratio``: limits on files and archives (None, but for the first: no limit). A run needs about 1.5 times the
    unpacked size of the input on disk for the sets, while it lasts.
    """

    inputs: tuple[str, ...] = ("**/*.txt", "**/*.txt.gz", "**/*.zip")
    max_task_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    measure: Measure = "containment"
    max_overlap: float | None = Field(default=0.9, gt=0, lt=1)
    shingle_words: int = Field(default=5, ge=1, le=50)
    permutations: int | None = Field(default=PERMUTATIONS, ge=2, le=4096)
    max_book_bytes: int = Field(default=64 * 1024 * 1024, gt=0)
    max_members: int | None = Field(default=1000, ge=0)
    max_ratio: int | None = Field(default=200, ge=0)

    @model_validator(mode="after")
    def _jaccard_has_signatures(self) -> Settings:
        if self.measure == "jaccard" and self.max_overlap is not None:
            if self.permutations is None:
                raise ValueError("measure jaccard needs permutations: it finds its candidates by their signatures")
            bands(self.max_overlap, self.permutations)
        return self

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """The frame that is cut, and the overlap with other books."""
        frame = Check(
            step=StripGutenberg.name,
            says="cuts the publisher's frame",
            reasons=(Reason.empty_text, Reason.empty_after_cleaning),
            shows=("stripped",),
        )
        overlap = Check(
            step=DropDuplicates.name,
            says=f"limits the overlap with a book that stays ({self.measure})",
            reasons=(Reason.duplicate_book,),
            figure="overlap",
            setting="max_overlap",
            most=self.max_overlap,
            shows=("duplicate_of",),
        )
        return (frame,) if self.max_overlap is None else (frame, overlap)


def claims(head: Head) -> bool:
    """True for a text file, an archive of text files, and what people take for books: EPUB, PDF, Kindle."""
    if head.members:
        return any(name.lower().endswith(".txt") for name in head.members) or "mimetype" in head.members
    return head.name.endswith((".txt", ".txt.gz", ".epub", ".pdf", ".mobi"))


def reader(settings: Settings, splits: Sequence[Split]) -> Reader:
    """What reads these files as a run does."""
    return BookReader(
        splits=splits,
        domain=DOMAIN,
        max_book_bytes=settings.max_book_bytes,
        max_members=limit_of(settings.max_members),
        max_ratio=limit_of(settings.max_ratio),
    )


def jobs(settings: Settings, run: RunContext) -> list[Job]:
    """The jobs; only the last one when duplicates are kept. Raises InputError: no book is found."""
    splits = run.find(settings.inputs)
    tasks = min(len(splits), max(1, ceil(sum(split.size for split in splits) / settings.max_task_bytes)))
    read = reader(settings, splits)
    context = StepContext(
        run=run,
        domain=DOMAIN,
        sizes=tuple(sum(split.size for split in read.task_splits(task, tasks)) for task in range(tasks)),
        task_bytes=settings.max_task_bytes,
        work=run.work(DOMAIN),
    )
    overlap = [] if settings.max_overlap is None else [_overlap(settings, settings.max_overlap, context)]
    return chain(context, [read], [Built(rules=[StripGutenberg()]), *overlap], columns=COLUMNS)


def _overlap(settings: Settings, threshold: float, context: StepContext) -> Built:
    """Shingle sets of all books, the pairs that overlap, which of them go, and the rule that drops these."""
    folder = join(context.work, "overlap")
    made = None if settings.permutations is None else Made(settings.permutations, settings.shingle_words)
    signatures = None if made is None else context.run.signatures(DOMAIN)
    write = WriteSets(folder=folder, width=settings.shingle_words, run=context.run, domain=DOMAIN, made=made)
    compare = ComparePairs(folder=folder, threshold=threshold, measure=settings.measure, signatures=signatures)
    return Built(
        passes=[
            Pass("shingles", [write]),
            Pass("compare", [compare], min(context.tasks, COMPARE_TASKS)),
            Pass("decide", [Decide(folder=folder)], 1),
        ],
        rules=[DropDuplicates(folder=folder)],
    )
