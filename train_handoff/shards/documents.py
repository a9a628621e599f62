"""Which documents a token shard holds, and where: an index in a file of its own (docs/formats.md).

One row a document, in the order of the shard: id, source, first token in the shard's stream, tokens. Two further
columns hold the same documents by a hash of their ids. The statistics of row groups lead to the one that has to be
read, both from a place to its documents and from an id to its place.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import atomic_write, exists, join, open_binary
from llama_data.pipeline.core.hashed import HashedStream, WrittenFile
from llama_data.pipeline.core.version import VERSION
from llama_data.train_handoff.shards.checked import BLANK_CHECK, CHECK_KEY, CheckedStream
from llama_data.train_handoff.shards.file import VALIDATION, Footer

FORMAT = 1
FOLDER = "documents"
KEY = "llama_data.documents"
GROUP_DOCUMENTS = 8192
OPEN_GROUPS = 4

_NAMES = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("source", pa.string())])
_SCHEMA = pa.schema(
    [
        *_NAMES,
        pa.field("start", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("hash", pa.uint32(), nullable=False),
        pa.field("hash_document", pa.int32(), nullable=False),
    ]
)
_ENCODINGS = {
    "id": "DELTA_BYTE_ARRAY",
    "source": "DELTA_BYTE_ARRAY",
    "start": "DELTA_BINARY_PACKED",
    "tokens": "DELTA_BINARY_PACKED",
    "hash": "DELTA_BINARY_PACKED",
    "hash_document": "PLAIN",
}


@dataclass(frozen=True, kw_only=True)
class IndexFooter:
    """What an index says about itself: the shard it belongs to, by content, and the sums over its documents."""

    shard_sha256: str
    documents: int
    tokens: int
    tool: str = f"llama-data {VERSION}"
    format: int = FORMAT


class Names(NamedTuple):
    """Some documents, without their texts: ids, and where each was read (None where that is not known)."""

    ids: list[str]
    sources: list[str | None]


class Placed(NamedTuple):
    """A document of a shard: its tokens are ``start`` to ``start + tokens - 1`` of the shard's stream."""

    id: str
    source: str | None
    start: int
    tokens: int

    @property
    def end(self) -> int:
        """The place after its last token."""
        return self.start + self.tokens


def index_path(shard: str) -> str:
    """Where the index of a domain's shard is: in ``documents/`` beside it (of held-out rows, beside their folder)."""
    folder, _, name = shard.rpartition("/")
    above, _, last = folder.rpartition("/")
    return join(above, FOLDER, last, name) if last == VALIDATION else join(folder, FOLDER, name)


def id_hash(id: str) -> int:
    """32 bits by which a document's id is looked up: BLAKE2b with a digest of four bytes, little-endian."""
    return int.from_bytes(blake2b(id.encode(), digest_size=4).digest(), "little")


class IndexWriter:
    """Collects the documents of one shard and writes their index.

    Memory: twelve bytes a document, and ids and sources compressed, until the shard is finished. ``written``: what was
    written, once it is there.
    """

    written: WrittenFile

    def __init__(self, path: str) -> None:
        self.path = path
        self.hashes = array("I")
        self.lengths = array("q")
        self._waiting = Names([], [])
        self._sink = pa.BufferOutputStream()
        self._spill = pa.ipc.new_stream(self._sink, _NAMES, options=pa.ipc.IpcWriteOptions(compression="zstd"))

    def add(self, names: Names, lengths: NDArray[np.int64]) -> None:
        """Add documents of ``lengths`` tokens, BOS and EOS counted."""
        self.hashes.extend(map(id_hash, names.ids))
        self.lengths.frombytes(np.asarray(lengths, np.int64).tobytes())
        self._waiting.ids.extend(names.ids)
        self._waiting.sources.extend(names.sources)
        while len(self._waiting.ids) >= GROUP_DOCUMENTS:
            self._flush()

    def _flush(self) -> None:
        ids, sources = (column[:GROUP_DOCUMENTS] for column in self._waiting)
        del self._waiting.ids[:GROUP_DOCUMENTS], self._waiting.sources[:GROUP_DOCUMENTS]
        self._spill.write_batch(pa.record_batch([pa.array(ids, pa.string()), pa.array(sources, pa.string())], _NAMES))

    def write(self, shard: Footer) -> None:
        """Write the index of the shard that these documents were packed into."""
        if self._waiting.ids:
            self._flush()
        self._spill.close()
        hashes, lengths = np.array(self.hashes, np.uint32), np.array(self.lengths, np.int64)
        starts = np.cumsum(lengths) - lengths
        order = np.argsort(hashes, kind="stable")
        footer = IndexFooter(shard_sha256=shard.content_sha256, documents=len(lengths), tokens=int(lengths.sum()))
        with atomic_write(self.path) as target:
            hashed = HashedStream(target)
            stream = CheckedStream(cast("BinaryIO", hashed))
            writer = pq.ParquetWriter(
                stream,
                _SCHEMA,
                compression="zstd",
                use_dictionary=False,
                column_encoding=_ENCODINGS,
                write_statistics=["start", "hash"],
                write_page_checksum=True,
                store_schema=False,
            )
            at = 0
            for batch in pa.ipc.open_stream(self._sink.getvalue()):
                chosen = slice(at, at + len(batch))
                numbers = (starts[chosen], lengths[chosen], hashes[order[chosen]], order[chosen].astype(np.int32))
                columns = [*batch.columns, *(pa.array(column) for column in numbers)]
                writer.write_batch(pa.record_batch(columns, schema=_SCHEMA), row_group_size=GROUP_DOCUMENTS)
                at += len(batch)
            record = json.dumps(asdict(footer), sort_keys=True)
            writer.add_key_value_metadata({KEY: record, CHECK_KEY: BLANK_CHECK.decode()})
            stream.held = bytearray()
            writer.close()
            stream.finish()
        self.written = hashed.result(self.path, footer.documents)


class DocumentIndex:
    """The index of one shard, opened for reading; reads only the row groups that a question concerns.

    Raises:
        InputError: there is none, it is damaged, of another version, or of another shard than ``shard_sha256``.
    """

    def __init__(self, shard: str, shard_sha256: str | None = None) -> None:
        self.path = index_path(shard)
        if not exists(self.path):
            raise InputError(
                f"{self.path}: no such file: the shard was made before shards had an index of their documents; "
                "`llama-data tokenize --overwrite` writes the same rows again, with it"
            )
        try:
            with open_binary(self.path) as stream:
                self._metadata = pq.read_metadata(stream)
            record = json.loads((self._metadata.metadata or {})[KEY.encode()])
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            raise InputError(f"{self.path}: not a readable index of documents: {error}; tokenize again") from None
        if record.get("format") != FORMAT:
            raise InputError(f"{self.path}: index format {record.get('format')}; this version reads format {FORMAT}")
        known = {field.name for field in fields(IndexFooter)}
        self.footer = IndexFooter(**{name: value for name, value in record.items() if name in known})
        if shard_sha256 is not None and self.footer.shard_sha256 != shard_sha256:
            raise InputError(
                f"{self.path}: it is the index of other rows ({self.footer.shard_sha256[:12]}, not "
                f"{shard_sha256[:12]}): the tokens were made anew since; mix again, or bring those tokens back"
            )
        groups = range(self._metadata.num_row_groups)
        self._starts = [self._statistics(group, "start").min for group in groups]
        self._groups: OrderedDict[tuple[int, str], list[Any]] = OrderedDict()

    def _statistics(self, group: int, column: str) -> Any:
        return self._metadata.row_group(group).column(_SCHEMA.get_field_index(column)).statistics

    def _column(self, group: int, name: str) -> list[Any]:
        key = (group, name)
        if key not in self._groups:
            try:
                with open_binary(self.path) as stream:
                    file = pq.ParquetFile(stream, metadata=self._metadata)
                    table = file.read_row_group(group, columns=[name], use_threads=False)
            except (pa.ArrowException, OSError) as error:
                raise InputError(f"{self.path}: row group {group}: damaged: {error}; tokenize again") from None
            self._groups[key] = table.column(0).to_pylist()
            while len(self._groups) > OPEN_GROUPS * len(_SCHEMA):
                self._groups.popitem(last=False)
        self._groups.move_to_end(key)
        return self._groups[key]

    def _document(self, group: int, place: int) -> Placed:
        return Placed(*(self._column(group, name)[place] for name in Placed._fields))

    def between(self, first: int, last: int) -> Iterator[Placed]:
        """The documents that have tokens among ``first`` to ``last - 1`` of the shard's stream, in order."""
        for group in range(max(0, bisect_right(self._starts, first) - 1), len(self._starts)):
            starts = self._column(group, "start")
            for place in range(max(0, bisect_right(starts, first) - 1), len(starts)):
                if starts[place] >= last:
                    return
                found = self._document(group, place)
                if found.end > first:
                    yield found

    def find(self, id: str) -> list[Placed]:
        """The documents with this id."""
        wanted, found = id_hash(id), []
        for group in range(len(self._starts)):
            bounds = self._statistics(group, "hash")
            if bounds.min <= wanted <= bounds.max:
                hashes = self._column(group, "hash")
                for place in range(bisect_right(hashes, wanted - 1), bisect_right(hashes, wanted)):
                    number = self._column(group, "hash_document")[place]
                    document = self._document(*divmod(number, GROUP_DOCUMENTS))
                    if document.id == id:
                        found.append(document)
        return sorted(found, key=lambda document: document.start)


def read_index(path: str) -> pa.Table:
    """All of an index, for `verify`; its pages are checked. Raises what pyarrow does."""
    with open_binary(path) as stream:
        return pq.ParquetFile(stream, page_checksum_verification=True).read(use_threads=False)


def cut(names: Names, chosen: Sequence[int] | NDArray[np.int64]) -> Names:
    """Some of the documents."""
    return Names([names.ids[i] for i in chosen], [names.sources[i] for i in chosen])
