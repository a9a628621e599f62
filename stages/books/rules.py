"""What becomes of a book: Gutenberg's text around it goes, and a book that another one holds goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llama_data.pipeline.core.block import Rule, Step
from llama_data.pipeline.core.document import Document, is_open
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.kernels.minhash import shingle_hashes
from llama_data.stages.books.gutenberg import strip_gutenberg
from llama_data.stages.books.overlap import (
    Measure,
    Pair,
    SetWriter,
    duplicates,
    find_pairs,
    read_index,
    read_pairs,
    write_pairs,
)


class StripGutenberg(Rule):
    """Keep the book itself, without Project Gutenberg's header, credits and licence."""

    name = "gutenberg"

    def judge(self, doc: Document) -> Reason | None:
        """Edit the text; reject a file that holds nothing else."""
        if not doc.text.strip():
            return Reason.empty_text
        found = strip_gutenberg(doc.text)
        if not found.text.strip():
            return Reason.empty_after_cleaning
        doc.text = found.text
        doc.metadata["stripped"] = found.method
        for key, value in (("title", found.title), ("author", found.author), ("gutenberg_id", found.number)):
            if value is not None:
                doc.metadata[key] = value
        return None


class WriteSets(Step):
    """Ends the first job: leaves the shingle set of every sound book on disk, 8 bytes a distinct shingle."""

    name = "shingles"

    def __init__(self, *, folder: str, width: int) -> None:
        super().__init__()
        self.folder = folder
        self.width = width

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's sets. Yields nothing."""
        with SetWriter(self.folder, rank) as writer:
            for doc in data:
                if not is_open(doc):
                    continue
                shingles = shingle_hashes(doc.text, self.width)
                if len(shingles):  # a text without words has nothing that could be repeated
                    gutenberg = doc.metadata["stripped"] not in ("none", "kept_whole")
                    writer.add(doc.id, shingles, chars=len(doc.text), gutenberg=gutenberg)
        yield from ()


class ComparePairs(Step):
    """The second job: each task compares the books of one file of sets with all books that are preferred less."""

    name = "compare"

    def __init__(self, *, folder: str, threshold: float, measure: Measure) -> None:
        super().__init__()
        self.folder = folder
        self.threshold = threshold
        self.measure = measure

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's pairs. Yields nothing."""
        pairs = find_pairs(self.folder, rank, self.threshold, self.measure)
        self.stat_update("pairs", value=len(pairs))
        write_pairs(self.folder, rank, pairs)
        yield from ()


class DropDuplicates(Rule):
    """Drop a book of which a kept one holds more than the threshold (LLaMA paper, section 2.1: more than 90 %)."""

    name = "overlap"

    def __init__(self, *, folder: str) -> None:
        super().__init__()
        self.folder = folder
        self._dropped: dict[str, Pair] | None = None

    def judge(self, doc: Document) -> Reason | None:
        """Reject a book that repeats another, and name that one."""
        if self._dropped is None:
            self._dropped = duplicates(read_index(self.folder), read_pairs(self.folder))
        pair = self._dropped.get(doc.id)
        if pair is None:
            return None
        doc.metadata |= {"duplicate_of": pair.other, "overlap": pair.overlap}
        return Reason.duplicate_book
