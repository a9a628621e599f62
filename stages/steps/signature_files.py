"""MinHash signatures that stay with a run: written by a source's jobs, read as datasketch's objects.

docs/formats.md says what is in the files ``RUN/signatures/SOURCE/*.parquet``, and how they are asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import orjson
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from llama_data.pipeline.core.cache import map_file
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import atomic_write, join, list_files
from llama_data.pipeline.core.hashed import HashedStream, WrittenFile
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.kernels.minhash import (
    SCHEME,
    SEED,
    Hashes,
    Signature,
    low_bits,
    permutation_constants,
    shingle_hashes,
    signature,
)

if TYPE_CHECKING:
    from datasketch import MinHash  # type: ignore[import-untyped]

FORMAT = 1
GROUP = 1 << 16  # rows that a writer holds, and of a row group
FOOTER = b"llama_data.signatures"
SUFFIX = ".parquet"


class Made(NamedTuple):
    """How signatures were made; only those made in the same way can be compared."""

    permutations: int
    shingle_words: int
    seed: int = SEED


class Signed(NamedTuple):
    """A document's signature. ``size``: its distinct shingles."""

    id: str
    size: int
    values: Signature


class SignatureWriter:
    """Writes the signatures of one task, atomically, as they come. A context manager.

    ``prefix``: how the file's name begins, before the task's number. ``written``: what was written, once it is there.
    """

    written: WrittenFile

    def __init__(self, folder: str, rank: int, made: Made, prefix: str = "") -> None:
        self._path = join(folder, f"{prefix}{rank:05d}{SUFFIX}")
        self._made = made
        about = {"format": FORMAT, "hash": "low 32 bits", "scheme": SCHEME, **made._asdict()}
        types = (pa.string(), pa.int64(), pa.binary(4 * made.permutations))
        names = ("id", "shingles", "signature")
        self._schema = pa.schema(list(zip(names, types, strict=True)), metadata={FOOTER: orjson.dumps(about)})
        self._rows: list[tuple[str, int, bytes]] = []
        self._count = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._stream = HashedStream(stack.enter_context(atomic_write(self._path)))
            # signatures are as good as random: they are stored as they are
            packed = {"id": "zstd", "shingles": "zstd", "signature": "none"}
            self._writer = stack.enter_context(
                pq.ParquetWriter(self._stream, self._schema, compression=packed, use_dictionary=False)
            )
            self._stack = stack.pop_all()
        return self

    def add(self, id: str, shingles: Hashes) -> None:
        """Sign a document, given its set of shingles."""
        self.add_signed(id, len(shingles), signature(shingles, self._made.permutations, self._made.seed))

    def add_signed(self, id: str, size: int, values: Signature) -> None:
        """Take the signature of a document with so many distinct shingles."""
        self._rows.append((id, size, values.astype("<u4").tobytes()))
        if len(self._rows) == GROUP:
            self._flush()

    def _flush(self) -> None:
        columns = zip(*self._rows, strict=True) if self._rows else ((), (), ())
        arrays = [pa.array(values, type=kind) for values, kind in zip(columns, self._schema.types, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._count += len(self._rows)
        self._rows = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if error is not None:
                raise error  # which takes the file away
            if self._rows or not self._count:
                self._flush()
        self.written = self._stream.result(self._path, self._count)


def read_signatures(run: str, source: str = "books") -> Iterator[tuple[str, MinHash]]:
    """The id and ``datasketch.MinHash`` of every document of a source that has one, in the order of reading.

    Those and what ``sign`` makes of a text can be compared, merged and put into datasketch's indexes. ``run`` is the
    run's folder or URL. Raises InputError: the run has no signatures of the source, or files that are none.
    """
    folder = RunContext(input=run, output=run).signatures(source)
    paths = list_files(folder, SUFFIX)
    if not paths:
        raise InputError(
            f"{folder}: no signatures; `run books` leaves them there unless `permutations` is null, and the step "
            "near_dup of a source with `signatures: true`"
        )
    for path in paths:
        made, signed = read_file(path)
        for each in signed:
            yield each.id, to_minhash(each.values, made)


def sign(text: str, made: Made) -> MinHash:
    """A text's own ``datasketch.MinHash``, to be compared with those that were made in the same way."""
    return to_minhash(signature(shingle_hashes(text, made.shingle_words), made.permutations, made.seed), made)


def to_minhash(values: Signature, made: Made) -> MinHash:
    """A signature as datasketch's object; what is given to its ``update`` has to be a shingle's hash."""
    from datasketch import MinHash  # takes half a second, so only those wait for it who ask

    constants = permutation_constants(made.permutations, made.seed)
    return MinHash(seed=made.seed, hashfunc=low_bits, hashvalues=values, permutations=constants, scheme=SCHEME)


def read_file(path: str) -> tuple[Made, list[Signed]]:
    """The signatures of one task, and how they were made. Raises InputError: it is no such file."""
    try:
        file = pq.ParquetFile(pa.BufferReader(pa.py_buffer(map_file(path))))
        about = orjson.loads((file.schema_arrow.metadata or {})[FOOTER])
    except (pa.ArrowInvalid, KeyError):
        raise InputError(f"{path}: not a file of signatures; expected parquet with {FOOTER.decode()!r}") from None
    if (about["format"], about["scheme"]) != (FORMAT, SCHEME):
        raise InputError(
            f"{path}: signatures of format {about['format']}, {about['scheme']}; this version reads "
            f"format {FORMAT}, {SCHEME}"
        )
    made = Made(about["permutations"], about["shingle_words"], about["seed"])
    table = file.read(use_threads=False)
    ids, sizes, packed = (table[name].to_pylist() for name in ("id", "shingles", "signature"))
    values = np.frombuffer(b"".join(packed), "<u4").astype(np.uint32, copy=False).reshape(-1, made.permutations)
    return made, [Signed(*row) for row in zip(ids, sizes, values, strict=True)]
