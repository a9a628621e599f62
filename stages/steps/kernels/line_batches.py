"""Lines of many documents at once: found, compared inside their document, and cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.core.document import Document, is_open
from llama_data.pipeline.core.utf8_document import LineBlock, Utf8Document, utf8_of
from llama_data.pipeline.kernels.memory import copy
from llama_data.stages.steps.kernels.duplicate_table import Hashes
from llama_data.stages.steps.kernels.line_hash import line_bounds

BATCH_BYTES = 1 << 19


@njit(cache=True, nogil=True)
def first_of_document(hashes, offsets, slots, stamps, stamp):  # type: ignore[no-untyped-def]
    """True for every line that is the first with its hash in its document. ``slots`` is larger than any document."""
    keep = np.empty(hashes.size, np.bool_)
    for doc in range(offsets.size - 1):
        first, last = offsets[doc], offsets[doc + 1]
        size = 1
        while size < 2 * (last - first):
            size *= 2
        mask = np.uint64(size - 1)
        for line in range(first, last):
            at = hashes[line] & mask
            keep[line] = True
            while stamps[at] == stamp + doc:
                if slots[at] == hashes[line]:
                    keep[line] = False
                    break
                at = (at + np.uint64(1)) & mask
            if keep[line]:
                stamps[at] = stamp + doc
                slots[at] = hashes[line]
    return keep


class FirstOfDocument:
    """``first_of_document`` with a table that is kept between calls."""

    def __init__(self) -> None:
        self._slots = np.empty(0, np.uint64)
        self._stamps = np.empty(0, np.int64)
        self._stamp = 0

    def __call__(self, hashes: Hashes, offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
        longest = int(np.diff(offsets).max(initial=0))
        if self._slots.size < 4 * longest:
            self._slots = np.empty(1 << (4 * longest).bit_length(), np.uint64)
            self._stamps = np.full(self._slots.size, -1, np.int64)
        keep = first_of_document(hashes, offsets, self._slots, self._stamps, self._stamp)
        self._stamp += offsets.size
        return keep  # type: ignore[no-any-return]


class Batch(NamedTuple):
    """The open documents of a stretch of the stream, with their lines and the offsets of each one's lines."""

    docs: list[Document]
    open: list[Document]
    data: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    offsets: NDArray[np.int64]


def batches(data: Iterable[Document]) -> Iterator[Batch]:
    """Cut the stream into batches of about a megabyte of open text, and find their lines."""
    docs: list[Document] = []
    opened: list[Document] = []
    block: LineBlock | None = None
    size = 0
    for doc in data:
        if is_open(doc):
            shared = doc.lines[0] if isinstance(doc, Utf8Document) and doc.lines else None
            if opened and shared is not block:
                yield _batch(docs, opened, block)
                docs, opened, size = [], [], 0
            block = shared
            opened.append(doc)
            size += len(utf8_of(doc)) if shared is None else 0
        docs.append(doc)
        if size >= BATCH_BYTES or len(docs) >= 4096:
            yield _batch(docs, opened, block)
            docs, opened, size = [], [], 0
    if docs:
        yield _batch(docs, opened, block)


def _batch(docs: list[Document], opened: list[Document], block: LineBlock | None) -> Batch:
    """``block``: where the lines of all the open documents are; None: they have texts of their own."""
    if block is not None:
        chosen = np.array([doc.lines[1] for doc in opened], np.int64)
        first, counts = block.offsets[chosen], np.diff(block.offsets)[chosen]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        lines = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], counts)
        return Batch(docs, opened, block.data, block.starts[lines], block.ends[lines], offsets)
    texts = [utf8_of(doc) for doc in opened]
    blob = b"\n".join(texts) + bytes(8)
    starts, ends = line_bounds(np.frombuffer(blob, np.uint8)[:-8])
    return Batch(docs, opened, blob, starts, ends, line_offsets(texts, starts))


def line_offsets(texts: list[bytes], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first line of every text, and the number of lines; ``starts`` are those of the lines of all, joined."""
    begins = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) + 1 for text in texts], out=begins[1:])
    return np.searchsorted(starts, begins)


KEPT, DUPLICATE, REPEAT = 0, 1, 2
"""What becomes of a line: it stays, it also occurs in another document, or earlier in this one."""


@njit(cache=True, nogil=True)
def cut_lines(data, starts, ends, offsets, codes, out, places, counts):  # type: ignore[no-untyped-def]
    """Copy the kept lines of every document to ``out``, joined by newlines.

    ``places`` are where documents end there, ``counts`` how many of a document's lines have each code.
    """
    at = 0
    for doc in range(offsets.size - 1):
        for line in range(offsets[doc], offsets[doc + 1]):
            code = codes[line]
            if code == 0:
                if counts[doc, 0] > 0:
                    out[at] = 10
                    at += 1
                at = copy(data, starts[line], ends[line], out, at)
            counts[doc, code] += 1
        places[doc + 1] = at
