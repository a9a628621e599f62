"""What becomes of a book: Gutenberg's text around it goes, and a book that another one holds goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from llama_data.pipeline.core.block import Rule, Step
from llama_data.pipeline.core.document import Document, is_open
from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.written import leave_note
from llama_data.pipeline.kernels.minhash import shingle_hashes
from llama_data.stages.books.formats import HEAD, foreign_format
from llama_data.stages.books.gutenberg import strip_gutenberg
from llama_data.stages.books.overlap import (
    Measure,
    Pair,
    SetWriter,
    find_pairs,
    read_dropped,
    write_dropped,
    write_pairs,
)
from llama_data.stages.steps.signature_files import Made, SignatureWriter


class StripGutenberg(Rule):
    """Keep the book itself, without Project Gutenberg's header, credits and licence."""

    name = "gutenberg"

    def judge(self, doc: Document) -> Reason | None:
        """Edit the text; reject a file that holds nothing else. Raises RecordError: what it holds is no plain text."""
        if not doc.text.strip():
            return Reason.empty_text
        found = strip_gutenberg(doc.text)
        if not found.text.strip():
            return Reason.empty_after_cleaning
        foreign = foreign_format(found.text[:HEAD].encode())
        if foreign is not None:
            raise RecordError(Reason.wrong_format, foreign)
        doc.text = found.text
        doc.metadata["stripped"] = found.method
        for key, value in (("title", found.title), ("author", found.author), ("gutenberg_id", found.number)):
            if value is not None:
                doc.metadata[key] = value
        return None


class WriteSets(Step):
    """Ends the first job: leaves the shingle set of every sound book on disk, 8 bytes a distinct shingle.

    MinHash signatures go to the run's folder for them, made as ``made`` says; None leaves none.
    """

    name = "shingles"

    def __init__(self, *, folder: str, width: int, run: RunContext, domain: str, made: Made | None) -> None:
        super().__init__()
        self.folder = folder
        self.width = width
        self.context = run
        self.domain = domain
        self.made = made
        self.leaves = None if made is None else "signatures-"

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's sets and signatures. Yields nothing."""
        with ExitStack() as files:
            writer = files.enter_context(SetWriter(self.folder, rank))
            signer = None
            if self.made is not None:
                signatures = self.context.signatures(self.domain)
                signer = files.enter_context(SignatureWriter(signatures, rank, self.made))
            for doc in data:
                if not is_open(doc):
                    continue
                shingles = shingle_hashes(doc.text, self.width)
                if len(shingles) == 0:  # a text without words has nothing that could be repeated
                    continue
                gutenberg = doc.metadata["stripped"] not in ("none", "kept_whole")
                writer.add(doc.id, shingles, chars=len(doc.text), gutenberg=gutenberg)
                if signer is not None:
                    signer.add(doc.id, shingles)
        if signer is not None:
            leave_note(self.context.output, self.domain, f"{self.leaves}{rank:05d}", [signer.written])
        yield from ()


class ComparePairs(Step):
    """The second job: each task compares the books of its files of sets with all books that are preferred less."""

    name = "compare"

    def __init__(self, *, folder: str, threshold: float, measure: Measure, signatures: str | None) -> None:
        super().__init__()
        self.folder = folder
        self.threshold = threshold
        self.measure = measure
        self.signatures = signatures

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's pairs. Yields nothing."""
        pairs = find_pairs(self.folder, rank, world_size, self.threshold, self.measure, self.signatures)
        self.stat_update("pairs", value=len(pairs))
        write_pairs(self.folder, rank, pairs)
        yield from ()


class Decide(Step):
    """The third job, a single task: decides once, over all pairs, which books go, and leaves that for the last job."""

    name = "decide"

    def __init__(self, *, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write what is dropped. Yields nothing."""
        self.stat_update("duplicates", value=write_dropped(self.folder))
        yield from ()


class DropDuplicates(Rule):
    """Drop a book of which a kept one holds more than the threshold (LLaMA paper, section 2.1: more than 90 %)."""

    name = "overlap"

    def __init__(self, *, folder: str) -> None:
        super().__init__()
        self.folder = folder
        self._dropped: dict[str, Pair] = {}

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Judge the books of this task."""
        self._dropped = read_dropped(self.folder, rank)
        yield from super().run(data, rank, world_size)

    def judge(self, doc: Document) -> Reason | None:
        """Reject a book that repeats another, and name that one."""
        pair = self._dropped.get(doc.id)
        if pair is None:
            return None
        doc.metadata |= {"duplicate_of": pair.other, "overlap": pair.overlap}
        return Reason.duplicate_book
