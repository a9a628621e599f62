"""CCNet's line dedup over groups of tasks: every copy of a line that occurs in two documents of a group goes.

Three jobs (cc_net/dedup.py, in another shape): each task writes the hashes of its lines, as they come and sorted; each
partition of the hash range merges the tasks of a group and writes the sorted hashes that occur in more than one
document; then each task reads its documents again, and the hashes beside them, and looks every line up. The sorted
hashes are memory-mapped, so that the processes of a machine share them through the page cache. Lines that repeat
inside one document only keep their first copy; a document of which nothing is left is rejected. ``copies="first"``
keeps a line in the first document of the group that has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document, is_open, note, notes_of, reject
from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.exchange import Exchange, partitions
from llama_data.pipeline.core.files import atomic_write, file_size, is_local, join, local_path, read_bytes
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import set_utf8, utf8_of
from llama_data.stages.steps.contract import Built, Pass, StepContext, StepSettings
from llama_data.stages.steps.kernels.duplicate_table import DuplicateTable, Hashes
from llama_data.stages.steps.kernels.line_batches import (
    BATCH_BYTES,
    DUPLICATE,
    KEPT,
    REPEAT,
    Batch,
    FirstOfDocument,
    batches,
    cut_lines,
    line_offsets,
)
from llama_data.stages.steps.kernels.line_hash import hash_line, hash_lines

SAMPLE_BOUND = np.uint64(1 << 54)
SAMPLE_CHARS = 500
Copies = Literal["none", "first"]
# Stored bytes of input for a byte of records: a line's hash is 8 bytes, and comes to a third of the compressed text.
RATIO = 4

COLUMNS = {
    "removed_lines": "int64",
    "lines_duplicated": "int64",
    "lines_repeated": "int64",
    "removed_sample": "string",
}
_HASH = np.dtype("<u8")
_NEVER = np.uint32(0xFFFFFFFF)


class Group(NamedTuple):
    """Tasks ``first`` to ``last`` (exclusive) are compared with each other, in ``parts`` partitions."""

    number: int
    first: int
    last: int
    parts: int


_SHARES = re.compile(r"(\d+)/(\d+)")


def check_group(value: int | str) -> int | str:
    """A group as a recipe writes it. Raises ValueError: it is none of the three kinds."""
    shares = _SHARES.fullmatch(value) if isinstance(value, str) else None
    if isinstance(value, int):
        sound = value > 0
    else:
        sound = value == "all" or (shares is not None and 0 < int(shares[1]) <= int(shares[2]))
    if not sound:
        raise ValueError('expected a number of files, shards as "50/1600", or all')
    return value


def group_parts(stored: int, task_bytes: int) -> int:
    """The partitions of a group with so many stored bytes."""
    return partitions(stored, RATIO, task_bytes)


def group_ranges(count: int, group: int | str) -> Iterator[tuple[int, int]]:
    """Where the groups of ``count`` neighbours begin and end.

    ``group``: ``all``, a number of them, or ``"50/1600"``, that share of them (CCNet: 50 of 1,600 equal shards; a
    shard is at least one).
    """
    if isinstance(group, int):
        size = group
    elif group == "all":
        size = count
    else:
        some, shards = (int(number) for number in group.split("/"))
        size = max(some, -(-count * some // shards))
    for start in range(0, count, size):
        yield start, min(start + size, count)


class Settings(StepSettings):
    """Removes the lines that also occur in another document of the group, and a line's repeats in its own document.

    ``group``: within which tasks of the source documents are compared: ``all``, a number of tasks, or a share of them
    like ``"50/1600"``. ``copies``: of a line in several documents keep ``none``, or the ``first``.
    """

    edits: ClassVar[bool] = True
    group: int | str = "all"
    copies: Copies = "none"

    _group_can_be_read = field_validator("group")(check_group)

    def build(self, context: StepContext) -> Built:
        """Three jobs: hashes, duplicates, and the documents without them."""
        groups = [
            Group(number, first, last, group_parts(sum(context.sizes[first:last]), context.task_bytes))
            for number, (first, last) in enumerate(group_ranges(context.tasks, self.group))
        ]
        return dedup(context.work, groups, self.copies, [WriteLineHashes(work=context.work)])

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """What became of the lines."""
        return (LINES,)


LINES = Check(
    step="line_dedup",
    says="removes lines that other documents of the group have too",
    reasons=(Reason.all_lines_duplicated,),
    shows=("lines_duplicated", "lines_repeated", "removed_lines"),
)


def dedup(work: str, groups: Sequence[Group], copies: Copies, hashes: Sequence[Step], *, reads: bool = True) -> Built:
    """The step, given what hashes a task's lines; ``reads`` False: ``hashes`` read by themselves."""
    find = FindDuplicateLines(work=work, groups=groups, copies=copies)
    return Built(
        rules=[DropDuplicateLines(work=work, groups=groups)],
        passes=[
            Pass("hashes", hashes, reads=reads),
            Pass("duplicates", [find], sum(group.parts for group in groups)),
        ],
        columns=COLUMNS,
    )


class HashedLines(NamedTuple):
    """The hashes of the lines of some documents, and the offsets of each one's lines."""

    hashes: Hashes
    offsets: NDArray[np.int64]


def hash_texts(texts: Iterable[bytes]) -> Iterator[HashedLines]:
    """The hashes of the lines of documents, in the order in which they come."""
    for some in _stretches(texts):
        lines = hash_lines(b"\n".join(some))
        yield HashedLines(lines.hashes, line_offsets(some, lines.starts))


def write_line_hashes(work: str, rank: int, stretches: Iterable[HashedLines]) -> None:
    """Write the hashes of a task's lines, as they come, and sorted, apart those already in two of its documents."""
    first = FirstOfDocument()
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
            data: NDArray[np.uint8] = np.memmap(local_path(path), np.uint8, "r")
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
        Exchange(work, kind, _HASH).put(rank, some, some)


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
        once, often = (
            [Exchange(self.work, kind, _HASH).take(task, part, group.parts) for task in tasks]
            for kind in ("once", "often")
        )
        if self.copies == "first":
            table = with_owners(once, often, group.first)
        else:
            table = DuplicateTable(duplicates(once, often), None)
        table.write(join(self.work, "duplicates", f"{group.number:05d}-{part:05d}.bin"))


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


class DropDuplicateLines(Step):
    """Removes the lines that CCNet removes; rejects a document of which no line is left.

    Sets ``removed_lines`` and notes ``lines_duplicated``, ``lines_repeated`` and ``removed_sample``: of the
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
        first = FirstOfDocument()
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
            yield from filter(self.travels, batch.docs)
        if lines.at != lines.hashes.size:
            raise lines.changed()

    def _apply(self, batch: Batch, codes: NDArray[np.uint8]) -> None:
        out = np.empty(int((batch.ends - batch.starts).sum()) + codes.size + 8, np.uint8)
        places = np.zeros(batch.offsets.size, np.int64)
        data = np.frombuffer(batch.data, np.uint8)
        counts = np.zeros((len(batch.open), 3), np.int64)
        cut_lines(data, batch.starts, batch.ends, batch.offsets, codes, out, places, counts)
        kept_bytes = out[: places[-1]].tobytes()
        rows = zip(batch.open, places[:-1].tolist(), places[1:].tolist(), counts.tolist(), strict=True)
        rejected = 0
        for doc, start, end, (kept, duplicated, repeated) in rows:
            note(doc, lines_duplicated=duplicated, lines_repeated=repeated)
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
        notes = notes_of(batch.open[owner])
        before = notes.get("removed_sample")
        notes["removed_sample"] = text if before is None else f"{before}\n{text}"


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
