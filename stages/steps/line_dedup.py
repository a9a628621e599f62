"""CCNet's line dedup over groups of tasks: every copy of a line that occurs in two documents of a group goes.

Three jobs (cc_net/dedup.py, in another shape): each task writes the hashes of its lines, as they come and sorted; each
partition of the hash range merges the tasks of a group and writes the sorted hashes that occur in more than one
document; then each task reads its documents again, and the hashes beside them, and looks every line up. The sorted
hashes are memory-mapped, so that the processes of a machine share them through the page cache. Lines that repeat
inside one document only keep their first copy; a document of which nothing is left is rejected. ``copies="first"``
keeps a line in the first document of the group that has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.document import Document, is_open, reject
from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.exchange import HASH_GROUPS, hash_groups, partition_range, read_groups, write_groups
from llama_data.pipeline.core.files import atomic_write, file_size, is_local, join, read_bytes
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import LineBlock, Utf8Document, set_utf8, utf8_of
from llama_data.pipeline.kernels.memory import copy
from llama_data.stages.steps.kernels.duplicate_table import DuplicateTable, Hashes
from llama_data.stages.steps.kernels.line_hash import hash_line, hash_lines, line_bounds

BATCH_BYTES = 1 << 19
SAMPLE_BOUND = np.uint64(1 << 54)
SAMPLE_CHARS = 500
Copies = Literal["none", "first"]

_HASH = np.dtype("<u8")
_NEVER = np.uint32(0xFFFFFFFF)


class Group(NamedTuple):
    """Tasks ``first`` to ``last`` (exclusive) are compared with each other, in ``parts`` partitions."""

    number: int
    first: int
    last: int
    parts: int


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


class _FirstOfDocument:
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
    return Batch(docs, opened, blob, starts, ends, _line_offsets(texts, starts))


class HashedLines(NamedTuple):
    """The hashes of the lines of some documents, and the offsets of each one's lines."""

    hashes: Hashes
    offsets: NDArray[np.int64]


def hash_texts(texts: Iterable[bytes]) -> Iterator[HashedLines]:
    """The hashes of the lines of documents, in the order in which they come."""
    for some in _stretches(texts):
        lines = hash_lines(b"\n".join(some))
        yield HashedLines(lines.hashes, _line_offsets(some, lines.starts))


def write_line_hashes(work: str, rank: int, stretches: Iterable[HashedLines]) -> None:
    """Write the hashes of a task's lines, as they come, and sorted, apart those already in two of its documents."""
    first = _FirstOfDocument()
    kept = [np.empty(0, np.uint64)]
    with atomic_write(_lines_path(work, rank)) as stream:
        for lines in stretches:
            stream.write(np.ascontiguousarray(lines.hashes, _HASH).tobytes())
            kept.append(lines.hashes[first(lines.hashes, lines.offsets)])
    write_run(work, rank, np.concatenate(kept))


def _stretches(texts: Iterable[bytes]) -> Iterator[list[bytes]]:
    some: list[bytes] = []
    size = 0
    for text in texts:
        some.append(text)
        size += len(text)
        if size >= BATCH_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def _lines_path(work: str, rank: int) -> str:
    return join(work, "lines", f"{rank:05d}.bin")


class _LineHashes:
    """The hashes that ``write_line_hashes`` left, taken in the same order."""

    def __init__(self, work: str, rank: int) -> None:
        path = _lines_path(work, rank)
        self.path = path
        if is_local(path) and file_size(path):
            data: NDArray[np.uint8] = np.memmap(path.removeprefix("file://"), np.uint8, "r")
        else:
            data = np.frombuffer(read_bytes(path), np.uint8)
        self.hashes: Hashes = np.asarray(data).view(np.ndarray).view(_HASH)
        self.at = 0

    def take(self, batch: Batch) -> Hashes:
        """The hashes of a batch's lines. Raises RunError when these are not the lines that were hashed."""
        first = self.at
        self.at += batch.starts.size
        line = batch.data[batch.starts[0] : batch.ends[0]].decode("utf-8", "surrogatepass")
        if self.at > self.hashes.size or int(self.hashes[first]) != hash_line(line):
            raise self.changed()
        return self.hashes[first : self.at]

    def changed(self) -> RunError:
        """What to say when the input is not what it was."""
        return RunError(
            f"{self.path}: the input has changed since its lines were hashed; run the domain again from new"
        )


def _line_offsets(texts: list[bytes], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first line of every text, and the number of lines; ``starts`` are those of the lines of all, joined."""
    begins = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) + 1 for text in texts], out=begins[1:])
    return np.searchsorted(starts, begins)


class WriteLineHashes(Step):
    """End of the first job: writes the hashes of the lines of the open documents."""

    name = "write_line_hashes"

    def __init__(self, *, work: str) -> None:
        super().__init__()
        self.work = work

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the task's two files. Yields nothing."""
        write_line_hashes(self.work, rank, hash_texts(utf8_of(doc) for doc in data if is_open(doc)))
        yield from ()


def write_run(work: str, rank: int, hashes: Hashes) -> None:
    """Write the hashes of a task, each given once for every document that has it."""
    hashes.sort()
    starts = np.flatnonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]])) if hashes.size else np.empty(0, int)
    counts = np.diff(np.append(starts, hashes.size))
    for kind, chosen in (("once", counts == 1), ("often", counts > 1)):
        some = hashes[starts[chosen]]
        write_groups(join(work, kind, f"{rank:05d}.bin"), hash_groups(some), HASH_GROUPS, some)


class FindDuplicateLines(Step):
    """The second job, one task for every group and partition: the hashes that occur in two documents or more."""

    name = "find_duplicate_lines"

    def __init__(self, *, work: str, groups: Sequence[Group], copies: Copies) -> None:
        super().__init__()
        self.work = work
        self.groups = tuple(groups)
        self.copies = copies

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the duplicates of one partition. Yields nothing."""
        part = rank
        for group in self.groups:
            if part < group.parts:
                self._find(group, part)
                break
            part -= group.parts
        yield from ()

    def _find(self, group: Group, part: int) -> None:
        tasks = range(group.first, group.last)
        once = [self._read("once", task, part, group.parts) for task in tasks]
        often = [self._read("often", task, part, group.parts) for task in tasks]
        if self.copies == "first":
            table = with_owners(once, often, group.first)
        else:
            table = DuplicateTable(duplicates(once, often), None)
        table.write(join(self.work, "duplicates", f"{group.number:05d}-{part:05d}.bin"))

    def _read(self, kind: str, task: int, part: int, parts: int) -> Hashes:
        first, last = partition_range(part, parts)
        return read_groups(join(self.work, kind, f"{task:05d}.bin"), _HASH, HASH_GROUPS, first, last)


def duplicates(once: Sequence[Hashes], often: Sequence[Hashes]) -> Hashes:
    """Sorted distinct hashes that are in ``often``, or in ``once`` or ``often`` of two tasks."""
    # A hash that is already known to be in two documents counts twice.
    merged = np.concatenate([*once, *often, *often]) if once else np.empty(0, np.uint64)
    merged.sort()
    repeated: Hashes = merged[1:][merged[1:] == merged[:-1]]
    if not repeated.size:
        return repeated
    distinct: Hashes = repeated[np.concatenate([[True], repeated[1:] != repeated[:-1]])]
    return distinct


def with_owners(once: Sequence[Hashes], often: Sequence[Hashes], first: int) -> DuplicateTable:
    """The duplicates, each with the first task that has it."""
    found = duplicates(once, often)
    owners = np.full(found.size, _NEVER, np.uint32)
    for number in reversed(range(len(once))):
        for run in (once[number], often[number]):
            if found.size:
                at = np.minimum(np.searchsorted(found, run), found.size - 1)
                owners[at[found[at] == run]] = first + number
    return DuplicateTable(found, owners)


KEPT, DUPLICATE, REPEAT = 0, 1, 2
"""What becomes of a line: it stays, it also occurs in another document, or earlier in this one."""


@njit(cache=True, nogil=True)
def _cut(data, starts, ends, offsets, codes, out, places, counts):  # type: ignore[no-untyped-def]
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


class DropDuplicateLines(Step):
    """Removes the lines that CCNet removes; rejects a document of which no line is left.

    Sets ``removed_lines`` and the ledger's ``_lines_duplicated``, ``_lines_repeated`` and ``_removed_sample``: of the
    removed lines those whose hash begins with ten zero bits (one in 1,024, the same ones in every run).
    """

    name = "line_dedup"

    def __init__(self, *, work: str, groups: Sequence[Group]) -> None:
        super().__init__()
        self.work = work
        self.groups = tuple(groups)

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Cut the open documents and pass every document on."""
        group = next(group for group in self.groups if group.first <= rank < group.last)
        paths = [join(self.work, "duplicates", f"{group.number:05d}-{part:05d}.bin") for part in range(group.parts)]
        tables = [DuplicateTable.open(path) for path in paths]
        seen = [np.zeros(table.hashes.size if table.owners is not None else 0, np.bool_) for table in tables]
        first = _FirstOfDocument()
        lines = _LineHashes(self.work, rank)
        for batch in batches(data):
            if batch.open:
                hashes = lines.take(batch)
                again = ~first(hashes, batch.offsets)
                gone = np.zeros(hashes.size, np.bool_)
                for table, marks in zip(tables, seen, strict=True):
                    gone |= _gone(table, marks, hashes, again, rank)
                codes = np.where(gone, DUPLICATE, np.where(again, REPEAT, KEPT)).astype(np.uint8)
                self._apply(batch, codes)
                _sample(batch, codes, hashes)
            yield from batch.docs
        if lines.at != lines.hashes.size:
            raise lines.changed()

    def _apply(self, batch: Batch, codes: NDArray[np.uint8]) -> None:
        out = np.empty(int((batch.ends - batch.starts).sum()) + codes.size + 8, np.uint8)
        places = np.zeros(batch.offsets.size, np.int64)
        data = np.frombuffer(batch.data, np.uint8)
        counts = np.zeros((len(batch.open), 3), np.int64)
        _cut(data, batch.starts, batch.ends, batch.offsets, codes, out, places, counts)
        kept_bytes = out[: places[-1]].tobytes()
        rows = zip(batch.open, places[:-1].tolist(), places[1:].tolist(), counts.tolist(), strict=True)
        rejected = 0
        for doc, start, end, (kept, duplicated, repeated) in rows:
            doc.metadata["_lines_duplicated"] = duplicated
            doc.metadata["_lines_repeated"] = repeated
            doc.metadata["removed_lines"] = duplicated + repeated
            if kept == 0:
                reject(doc, Reason.all_lines_duplicated, self.name)
                rejected += 1
            else:
                set_utf8(doc, kept_bytes[start:end])
        if rejected:
            self.count({str(Reason.all_lines_duplicated): rejected})


def _sample(batch: Batch, codes: NDArray[np.uint8], hashes: Hashes) -> None:
    """Note the sampled ones of the removed lines with their documents."""
    chosen = np.flatnonzero(hashes < SAMPLE_BOUND)
    chosen = chosen[codes[chosen] != KEPT]
    owners = np.searchsorted(batch.offsets, chosen, side="right") - 1
    for line, owner in zip(chosen.tolist(), owners.tolist(), strict=True):
        text = bytes(batch.data[batch.starts[line] : batch.ends[line]]).decode("utf-8", "replace")[:SAMPLE_CHARS]
        metadata = batch.open[owner].metadata
        before = metadata.get("_removed_sample")
        metadata["_removed_sample"] = text if before is None else f"{before}\n{text}"


def _gone(
    table: DuplicateTable, seen: NDArray[np.bool_], hashes: Hashes, again: NDArray[np.bool_], rank: int
) -> NDArray[np.bool_]:
    """The lines that go because of the table; the first copy stays where the table names an owner."""
    found = table.look_up(hashes)
    gone = found >= 0
    if table.owners is None:
        return gone
    there = np.flatnonzero(gone & ~again)
    there = there[table.owners[found[there]] == rank]
    _, first = np.unique(found[there], return_index=True)
    first = there[first]
    first = first[~seen[found[first]]]
    seen[found[first]] = True
    gone[first] = False
    # Later copies in the same document are repeats of the one that stays: they go in any case.
    return gone
