"""Which documents are worth a comparison: sets and bands of all, those that share a band, and their components."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Literal, NamedTuple

import numpy as np

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.document import Document, is_open
from llama_data.pipeline.core.exchange import first_of_each
from llama_data.pipeline.core.files import atomic_write
from llama_data.pipeline.core.utf8_document import utf8_of
from llama_data.pipeline.core.written import leave_note
from llama_data.stages.steps.near.files import EDGE, SIGNED, Files, none_of, number_type
from llama_data.stages.steps.near.kernels import point_to_roots, unite
from llama_data.stages.steps.near.signers import Signer
from llama_data.stages.steps.preference import date_number, field_bytes
from llama_data.stages.steps.signature_files import Made, SignatureWriter

Keep = Literal["longest", "newest", "first"]

WRITTEN_AT_ONCE = 1 << 20  # bytes of sets: one set is a few kB, and a write for each takes twice as long


class Left(NamedTuple):
    """Signatures that stay with a run: of which source, in which folder, and how the names of their files begin."""

    run: str
    source: str
    folder: str
    name: str


class WriteSignatures(Step):
    """End of the first job: the set and the band hashes of every open document that has shingles.

    ``keep`` with ``date``, a metadata field: which document of several is preferred. ``within``: a metadata field
    whose value documents must share to be compared; None: all are. ``left``: where signatures are left for datasketch,
    and under which name; None: nowhere.
    """

    name = "write_signatures"

    def __init__(
        self, *, work: str, signer: Signer, keep: Keep, date: str, within: str | None, left: Left | None = None
    ) -> None:
        super().__init__()
        self.work = work
        self.signer = signer
        self.keep = keep
        self.date = date
        self.within = within
        self.left = left
        self.leaves = None if left is None else f"signatures-{left.name}-"

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's files. Yields nothing."""
        files = Files(self.work)
        rows, ids, bands = [], [], []
        waiting = bytearray()
        with ExitStack() as stack:
            sets = stack.enter_context(atomic_write(files.sets(rank)))
            left = None
            if self.left is not None:
                made = Made(self.signer.permutations, self.signer.shingle_words, self.signer.seed)
                left = stack.enter_context(SignatureWriter(self.left.folder, rank, made, f"{self.left.name}-"))
            for place, doc in enumerate(data):
                if not is_open(doc):
                    continue
                shingles = self.signer.shingles(doc.text)
                if len(shingles) == 0:
                    continue
                waiting += shingles.astype("<u8", copy=False).data
                if len(waiting) >= WRITTEN_AT_ONCE:
                    sets.write(waiting)
                    waiting = bytearray()
                rows.append((place, len(shingles), *self._preference(doc)))
                ids.append(doc.id)
                values = self.signer.signature(shingles)
                bands.append(self.signer.hashes_of(values, self._salt(doc)))
                if left is not None:
                    left.add_signed(doc.id, len(shingles), values)
            sets.write(waiting)
        hashes = np.concatenate([np.empty(0, np.uint64), *bands]).reshape(-1, self.signer.bands)
        files.write_signed(rank, np.array(rows, SIGNED), ids, hashes)
        if self.left is not None and left is not None:
            leave_note(self.left.run, self.left.source, f"{self.leaves}{rank:05d}", [left.written])
        yield from ()

    def _preference(self, doc: Document) -> tuple[int, int, int]:
        """By what a document is preferred, least first: what ``keep`` says, and a hash of the text."""
        if self.keep == "first":
            return 0, 0, 0
        digest = hashlib.blake2b(utf8_of(doc), digest_size=16).digest()
        rank = -len(doc.text) if self.keep == "longest" else -date_number(doc.metadata.get(self.date))
        return rank, int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")

    def _salt(self, doc: Document) -> int:
        if self.within is None:
            return 0
        return int.from_bytes(hashlib.blake2b(field_bytes(doc, self.within), digest_size=8).digest(), "big")


class FindEdges(Step):
    """The second job: in one range of hashes those that stand in two documents, as edges to the first of them."""

    name = "find_edges"

    def __init__(self, *, work: str, tasks: int, parts: int) -> None:
        super().__init__()
        self.work = work
        self.tasks = tasks
        self.parts = parts

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the edges of this range. Yields nothing."""
        files = Files(self.work)
        records = files.bands.take_all(self.tasks, rank, self.parts)
        records = records[np.argsort(records["hash"])]
        first = first_of_each(records["hash"])
        head = np.maximum.accumulate(np.where(first, np.arange(len(records)), 0))[~first]
        edges = np.empty(len(head), EDGE)
        edges["task"], edges["row"] = records["task"][head], records["row"][head]
        edges["other_task"], edges["other_row"] = records["task"][~first], records["row"][~first]
        files.write_edges(rank, edges)
        yield from ()


class FindComponents(Step):
    """The third job, one task: what hangs together by edges. Four bytes a document, eight from 2**32 on."""

    name = "find_components"

    def __init__(self, *, work: str, tasks: int, parts: int) -> None:
        super().__init__()
        self.work = work
        self.tasks = tasks
        self.parts = parts

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the component of every document. Yields nothing."""
        files = Files(self.work)
        offsets = np.zeros(self.tasks + 1, "<u8")
        np.cumsum(files.count_signed(self.tasks), out=offsets[1:])
        kind = number_type(int(offsets[-1]))
        none = kind.type(none_of(kind))
        parents = np.full(int(offsets[-1]), none, kind)
        for edges in files.read_edges(self.parts):
            one = offsets[edges["task"]] + edges["row"]
            unite(parents, one.astype(kind), (offsets[edges["other_task"]] + edges["other_row"]).astype(kind), none)
        point_to_roots(parents, none)
        with atomic_write(files.components()) as stream:
            stream.write(offsets.tobytes())
            stream.write(parents.data)
        yield from ()
