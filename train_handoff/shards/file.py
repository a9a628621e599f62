"""Token shards: parquet files whose rows can be reached by offset (docs/formats.md describes every byte).

A row is ``seq_len + 1`` token ids, the last one repeated as the first of the next row. Column ``tokens`` is a
FIXED_LEN_BYTE_ARRAY of little-endian uint16 (uint32 from 65,536 pieces on), PLAIN, uncompressed, one page a row
group, so that the file stays valid parquet and a row is an address in a memory map.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import atomic_write, file_system, is_local, open_binary
from llama_data.pipeline.core.hashed import WrittenFile
from llama_data.pipeline.core.version import VERSION
from llama_data.train_handoff.shards.checked import BLANK_CHECK, CHECK_KEY, CheckedStream

FORMAT = 1
VALIDATION = "validation"  # the split of held-out rows, and the folder of its shards beside the others
FOOTER_KEY = "llama_data.shard"
GROUP_BYTES = 16 << 20
GROUP_ROWS = 8192
GAP = 64 << 10  # bytes between two rows of a remote file that are rather read than asked around

Rows = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, kw_only=True)
class Footer:
    """What a shard says about itself.

    ``kind`` is ``domain`` (packed documents of one domain) or ``mix`` (rows in training order). ``bos_id`` and
    ``eos_id`` are the ids put around every document, None where none is put. In a domain shard ``tokens`` is the
    number of tokens that stand in rows, overlaps counted once: ``tokens + dropped_tokens`` is the sum over its
    documents. In a mixed shard ``tokens`` is ``rows * seq_len``.
    """

    kind: Literal["domain", "mix"]
    split: Literal["train", "validation"]
    domain: str
    seq_len: int
    vocab_size: int
    tokenizer_sha256: str
    bos_id: int | None
    eos_id: int | None
    rows: int = 0
    documents: int = 0
    tokens: int = 0
    dropped_tokens: int = 0
    content_sha256: str = ""
    dtype: str = ""
    tool: str = f"llama-data {VERSION}"
    format: int = FORMAT

    @property
    def numpy_dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """Type of a token id in the file."""
        return token_dtype(self.vocab_size)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return (self.seq_len + 1) * self.numpy_dtype.itemsize

    def agreement(self) -> dict[str, Any]:
        """The fields in which all shards of one mix must agree."""
        names = ("format", "seq_len", "vocab_size", "dtype", "tokenizer_sha256", "bos_id", "eos_id")
        return {name: getattr(self, name) for name in names}


def token_dtype(vocab_size: int) -> np.dtype[np.unsignedinteger[Any]]:
    """uint16 below 65,536 pieces, uint32 from there on; little-endian."""
    return np.dtype("<u2") if vocab_size < 65536 else np.dtype("<u4")


def document_starts(rows: Rows, footer: Footer, opens: NDArray[np.bool_]) -> pa.Array:
    """Offsets in each row at which a document begins, as a parquet list column.

    A document begins at its BOS or, without BOS, after an EOS. ``opens`` marks the rows that open a packed stream,
    where a document begins at offset 0 although no EOS stands before it.
    """
    if footer.bos_id is not None:
        where, offsets = np.divmod(np.flatnonzero(rows.reshape(-1) == footer.bos_id), footer.seq_len + 1)
    else:
        where, offsets = np.divmod(np.flatnonzero(rows.reshape(-1) == footer.eos_id), footer.seq_len + 1)
        where, offsets = where[offsets < footer.seq_len], offsets[offsets < footer.seq_len] + 1
        heads = np.flatnonzero(opens)
        places = np.searchsorted(where, heads)
        where, offsets = np.insert(where, places, heads), np.insert(offsets, places, 0)
    ends = np.concatenate([[0], np.cumsum(np.bincount(where, minlength=len(rows)))])
    kind = pa.list_(pa.field("element", pa.int32(), nullable=False))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(offsets, pa.int32()), type=kind)


def find_foreign(rows: Rows, vocab_size: int) -> int | None:
    """The first row that holds an id which is not in the vocabulary; None: there is none."""
    if not rows.size or int(rows.max()) < vocab_size:
        return None
    return int(np.flatnonzero((rows >= vocab_size).any(axis=1))[0])


def shard_schema(footer: Footer) -> pa.Schema:
    """The parquet schema of a shard."""
    starts = pa.list_(pa.field("element", pa.int32(), nullable=False))
    columns = [
        pa.field("tokens", pa.binary(footer.row_bytes), nullable=False),
        pa.field("doc_starts", starts, nullable=False),
    ]
    if footer.kind == "mix":
        columns += [
            pa.field("domain", pa.dictionary(pa.int32(), pa.string()), nullable=False),
            pa.field("origin_shard", pa.dictionary(pa.int32(), pa.string()), nullable=False),
            pa.field("origin_row", pa.int64(), nullable=False),
        ]
    return pa.schema(columns)


class ShardWriter:
    """Writes one shard, atomically; a context manager. ``footer`` gives what is known before writing.

    Rows are buffered up to a row group (at most 8,192 rows and 16 MiB, at least one row). ``written``: what was
    written, once it is there.
    """

    written: WrittenFile

    def __init__(self, path: str, footer: Footer) -> None:
        self.path = path
        self.footer = replace(footer, dtype=footer.numpy_dtype.name)
        self.rows = 0
        self.documents = 0
        self.dropped_tokens = 0

    def __enter__(self) -> Self:
        self._file: AbstractContextManager[BinaryIO] = atomic_write(self.path)
        self._stream = CheckedStream(self._file.__enter__())
        self._schema = shard_schema(self.footer)
        self._group = max(1, min(GROUP_ROWS, GROUP_BYTES // self.footer.row_bytes))
        self._hash = sha256()
        self._writer = pq.ParquetWriter(
            self._stream,
            self._schema,
            compression="NONE",
            use_dictionary=["domain", "origin_shard"] if self.footer.kind == "mix" else False,
            write_statistics=False,
            write_page_checksum=True,
            store_schema=False,
            data_page_size=2**31 - 1,
            write_batch_size=GROUP_ROWS,
        )
        return self

    @property
    def group_rows(self) -> int:
        """Rows of a full row group; callers that buffer give this many at a time."""
        return self._group

    def write(
        self, rows: Rows, columns: dict[str, pa.Array] | None = None, *, opens: NDArray[np.bool_] | None = None
    ) -> None:
        """Add rows; ``columns`` holds the further columns of a mixed shard.

        ``opens``: which of the rows open a packed stream (default: the first row of this shard).
        """
        rows = np.ascontiguousarray(rows, dtype=self.footer.numpy_dtype)
        if opens is None:
            opens = np.arange(len(rows)) + self.rows == 0
        for start in range(0, len(rows), self._group):
            part = rows[start : start + self._group]
            starts = document_starts(part, self.footer, opens[start : start + self._group])
            if self.footer.kind == "mix":
                self.documents += int(np.count_nonzero(np.asarray(starts.values) < self.footer.seq_len))
            data = pa.py_buffer(part.reshape(-1))
            tokens = pa.FixedSizeBinaryArray.from_buffers(pa.binary(self.footer.row_bytes), len(part), [None, data])
            others = [column.slice(start, len(part)) for column in (columns or {}).values()]
            batch = pa.record_batch([tokens, starts, *others], schema=self._schema)
            self._writer.write_batch(batch, row_group_size=self._group)
            self._hash.update(part.data)
            self.rows += len(part)

    def result(self) -> Footer:
        """The footer as it stands after the rows written so far."""
        rows, seq_len = self.rows, self.footer.seq_len
        packed = 1 if self.footer.kind == "domain" and rows else 0
        return replace(
            self.footer,
            rows=rows,
            documents=self.documents,
            tokens=rows * seq_len + packed,
            dropped_tokens=self.dropped_tokens,
            content_sha256=self._hash.hexdigest(),
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            result = self.result()
            record = json.dumps(asdict(result), sort_keys=True)
            self._writer.add_key_value_metadata({FOOTER_KEY: record, CHECK_KEY: BLANK_CHECK.decode()})
            self._stream.held = bytearray()
            self._writer.close()
            if error is None:
                self._stream.finish()
        except BaseException as problem:
            self._file.__exit__(type(problem), problem, problem.__traceback__)
            raise
        self._file.__exit__(kind, error, trace)
        self.written = WrittenFile(self.path, self._stream.position, result.rows, result.content_sha256)


def read_footer(path: str, metadata: pq.FileMetaData | None = None) -> Footer:
    """The footer of a shard, without touching its rows. Raises InputError when the file is not one of ours."""
    metadata = metadata if metadata is not None else _read_metadata(path)
    record = (metadata.metadata or {}).get(FOOTER_KEY.encode())
    if record is None:
        raise InputError(f"{path}: a parquet file, but not a token shard: its footer lacks {FOOTER_KEY!r}")
    found = json.loads(record)
    if found.get("format") != FORMAT:
        raise InputError(f"{path}: shard format {found.get('format')}; this version reads format {FORMAT}")
    known = {field.name for field in fields(Footer)}
    return Footer(**{name: value for name, value in found.items() if name in known})


def _read_metadata(path: str) -> pq.FileMetaData:
    try:
        with open_binary(path) as stream:
            return pq.read_metadata(stream)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a readable parquet file: {error}") from None


class Shard:
    """A shard opened for reading: ``shard[i]`` is row i as an array of ``seq_len + 1`` ids, in O(1).

    A local file is memory-mapped and rows are read-only views of it; of a remote file the row group in use is
    kept in memory. Raises InputError when the file is not a shard or its pages are not laid out as promised.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        metadata = _read_metadata(path)
        self.footer = read_footer(path, metadata)
        self.rows: int = metadata.num_rows
        self._starts, self._bodies = _page_bodies(path, metadata, self.footer)
        self._cache: tuple[int, Rows] | None = None
        self._views: list[Rows] = []
        if is_local(path):
            self._map()

    def _map(self) -> None:
        with open_binary(self.path) as stream:
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._bytes = np.frombuffer(mapped, np.uint8)
        for group, body in enumerate(self._bodies):
            count = self._starts[group + 1] - self._starts[group]
            flat = np.frombuffer(mapped, self.footer.numpy_dtype, int(count) * (self.footer.seq_len + 1), int(body))
            self._views.append(flat.reshape(int(count), self.footer.seq_len + 1))

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, index: int) -> Rows:
        if not 0 <= index < self.rows:
            raise IndexError(f"{self.path}: row {index} of {self.rows}")
        group = int(np.searchsorted(self._starts, index, side="right")) - 1
        row: Rows = self.group(group)[index - int(self._starts[group])]
        return row

    @property
    def groups(self) -> int:
        """Number of row groups."""
        return len(self._bodies)

    def first_row(self, group: int) -> int:
        """Number of the first row of a row group."""
        return int(self._starts[group])

    def group(self, number: int) -> Rows:
        """All rows of one row group."""
        if self._views:
            return self._views[number]
        if self._cache is None or self._cache[0] != number:
            fs, target = file_system(self.path)
            count = int(self._starts[number + 1] - self._starts[number])
            start = int(self._bodies[number])
            data = fs.cat_file(target, start=start, end=start + count * self.footer.row_bytes)
            rows = np.frombuffer(data, self.footer.numpy_dtype).reshape(count, self.footer.seq_len + 1)
            self._cache = (number, rows)
        return self._cache[1]

    def take(self, rows: NDArray[np.int64], out: Rows | None = None, at: NDArray[np.int64] | None = None) -> Rows:
        """Copy of the given rows, in the order given; into ``out[at]`` when those are given.

        Of a remote file byte ranges are read, many at once; rows near each other share one. Raises IndexError for a row
        that is not there.
        """
        if len(rows) and not (rows.min() >= 0 and rows.max() < self.rows):
            raise IndexError(f"{self.path}: rows {rows.min()} to {rows.max()} of {self.rows}")
        if out is None or at is None:
            out = np.empty((len(rows), self.footer.seq_len + 1), self.footer.numpy_dtype)
            at = np.arange(len(rows))
        if not self._views and self.rows:
            fs, target = file_system(self.path)
            begins = self.offsets(rows)
            order = np.argsort(begins, kind="stable")
            for group in neighbours(begins[order], self.footer.row_bytes, GAP, GROUP_BYTES):
                first = [int(begins[order[span[0]]]) for span in group]
                last = [int(begins[order[span[-1]]]) + self.footer.row_bytes for span in group]
                parts = fs.cat_ranges([target] * len(group), first, last, on_error="raise")
                for span, start, part in zip(group, first, parts, strict=True):
                    for number in order[span]:
                        row = part[int(begins[number]) - start :][: self.footer.row_bytes]
                        out[at[number]] = np.frombuffer(row, self.footer.numpy_dtype)
            return out
        if self.rows:
            from llama_data.train_handoff.shards.kernels import copy_rows

            copy_rows(self._bytes, self.offsets(rows), out.view(np.uint8), np.ascontiguousarray(at, np.int64))
        return out

    def offsets(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Byte offsets of rows in the file."""
        groups = np.searchsorted(self._starts, rows, side="right") - 1
        offsets: NDArray[np.int64] = self._bodies[groups] + (rows - self._starts[groups]) * self.footer.row_bytes
        return offsets

    def column(self, name: str) -> pa.ChunkedArray:
        """A column other than ``tokens``, whole.

        Without Arrow's threads: one that still holds a Python stream when the program ends aborts it.
        """
        with open_binary(self.path) as stream:
            return pq.ParquetFile(stream).read(columns=[name], use_threads=False).column(0)


def neighbours(begins: NDArray[np.int64], size: int, gap: int, most: int) -> Iterator[list[NDArray[np.int64]]]:
    """Numbers of sorted pieces of ``size`` bytes: those of one request together, in groups that are fetched at a time.

    Pieces at most ``gap`` bytes apart share a request; a group has at most ``most`` bytes, or one request alone, which
    begins its pieces within ``most`` bytes.
    """
    if not begins.size:
        return
    apart = np.diff(begins) - size > gap
    full = np.diff((begins - begins[0]) // most) > 0
    group: list[NDArray[np.int64]] = []
    held = 0
    for span in np.split(np.arange(begins.size), np.flatnonzero(apart | full) + 1):
        wanted = int(begins[span[-1]] - begins[span[0]]) + size
        if group and held + wanted > most:
            yield group
            group, held = [], 0
        group.append(span)
        held += wanted
    yield group


def _page_bodies(path: str, metadata: pq.FileMetaData, footer: Footer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First row and byte offset of the token page of each row group."""
    starts, bodies = [0], []
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        column = group.column(0)
        size = group.num_rows * footer.row_bytes
        body = column.data_page_offset + column.total_compressed_size - size
        plain = column.compression == "UNCOMPRESSED" and set(column.encodings) <= {"PLAIN", "RLE"}
        if not (
            plain
            and column.path_in_schema == "tokens"
            and column.data_page_offset < body < column.data_page_offset + 4096
        ):
            raise InputError(
                f"{path}: row group {number}: the tokens column is not one plain page; "
                "the file was rewritten by another program: run tokenize or mix again"
            )
        starts.append(starts[-1] + group.num_rows)
        bodies.append(body)
    return np.array(starts, np.int64), np.array(bodies, np.int64)


def require_agreement(footers: Iterable[tuple[str, Footer]]) -> Footer:
    """The first footer, after checking that all agree in tokenizer, vocabulary, dtype, seq_len and policy.

    Raises:
        InputError: names the two files and the field that differs; or there is no footer at all.
    """
    first: tuple[str, Footer] | None = None
    for path, footer in footers:
        if first is None:
            first = (path, footer)
            continue
        expected = first[1].agreement()
        for name, value in footer.agreement().items():
            if value != expected[name]:
                raise InputError(f"{path}: {name} is {value}, but {first[0]} has {expected[name]}")
    if first is None:
        raise InputError("no token shards were given")
    return first[1]


def open_shards(paths: Sequence[str]) -> list[Shard]:
    """Open shards that belong together. Raises InputError when they do not agree or there is none."""
    shards = [Shard(path) for path in paths]
    require_agreement((shard.path, shard.footer) for shard in shards)
    return shards
