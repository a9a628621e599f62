"""MinHash signatures of books: kept with the run, read as datasketch's objects, and banded to find alike books.

``RUN/signatures/books/*.parquet`` has a row for every book that has a word, the duplicates too. docs/formats.md says
what is in the files, docs/recipes.md how they are asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, log
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

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
MISSED = 1e-6
"""The chance with which the bands may miss two books that are alike by just the threshold; it falls fast above."""

FOOTER = b"llama_data.signatures"
_SUFFIX = ".parquet"


class Made(NamedTuple):
    """How signatures were made; only those made in the same way can be compared."""

    permutations: int
    shingle_words: int
    seed: int = SEED


class Signed(NamedTuple):
    """A book's signature. ``size``: its distinct shingles."""

    id: str
    size: int
    values: Signature


class SignatureWriter:
    """Writes the signatures of one task, atomically. A context manager.

    ``written``: what was written, once it is there.
    """

    written: WrittenFile

    def __init__(self, folder: str, rank: int, made: Made) -> None:
        self._path = join(folder, f"{rank:05d}{_SUFFIX}")
        self._made = made
        self._rows: list[tuple[str, int, bytes]] = []

    def __enter__(self) -> Self:
        return self

    def add(self, id: str, shingles: Hashes) -> None:
        """Sign a book, given its set of shingles."""
        values = signature(shingles, self._made.permutations, self._made.seed)
        self._rows.append((id, len(shingles), values.astype("<u4").tobytes()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            return
        about = {"format": FORMAT, "hash": "low 32 bits", "scheme": SCHEME, **self._made._asdict()}
        types = (pa.string(), pa.int64(), pa.binary(4 * self._made.permutations))
        names = ("id", "shingles", "signature")
        schema = pa.schema(list(zip(names, types, strict=True)), metadata={FOOTER: orjson.dumps(about)})
        columns = zip(*self._rows, strict=True) if self._rows else ((), (), ())
        arrays = [pa.array(values, type=kind) for values, kind in zip(columns, types, strict=True)]
        # signatures are as good as random: they are stored as they are
        packed = {"id": "zstd", "shingles": "zstd", "signature": "none"}
        with atomic_write(self._path) as file:
            stream = HashedStream(file)
            pq.write_table(
                pa.Table.from_arrays(arrays, schema=schema), stream, compression=packed, use_dictionary=False
            )
        self.written = stream.result(self._path, len(self._rows))


def read_signatures(run: str) -> Iterator[tuple[str, MinHash]]:
    """The id and ``datasketch.MinHash`` of every book that a run has read, in the order of reading.

    Those and what ``sign`` makes of a text can be compared, merged and put into datasketch's indexes. ``run`` is the
    run's folder or URL. Raises InputError: the run has no signatures, or files that are none.
    """
    folder = RunContext(input=run, output=run).signatures("books")
    paths = list_files(folder, _SUFFIX)
    if not paths:
        raise InputError(f"{folder}: no signatures; `run books` leaves them there unless `permutations` is null")
    for path in paths:
        made, signed = read_file(path)
        for book in signed:
            yield book.id, to_minhash(book.values, made)


def sign(text: str, made: Made) -> MinHash:
    """A text's own ``datasketch.MinHash``, to be compared with those of books that were made in the same way."""
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
    return made, [Signed(*book) for book in zip(ids, sizes, values, strict=True)]


def bands(threshold: float, permutations: int) -> tuple[int, int]:
    """How many bands a signature is cut into, and how many values each has.

    Two books are compared when one of their bands is equal. The widest bands are taken, for they let the fewest books
    through, that miss two books of just the threshold's Jaccard similarity with a chance of at most ``MISSED``.
    (datasketch's own choice weighs both errors alike, and would miss two of three at 0.9.)

    Raises ValueError: there are too few permutations for that.
    """
    for width in range(permutations // 2, 0, -1):
        number = permutations // width
        if (1 - threshold**width) ** number <= MISSED:
            return number, width
    needed = ceil(log(MISSED) / log(1 - threshold))
    raise ValueError(
        f"{permutations} permutations are too few for a Jaccard similarity of {threshold}: it needs {needed}"
    )


def find_alike(
    folder: str, rank: int, tasks: int, numbers: Mapping[str, int], threshold: float
) -> dict[int, list[int]]:
    """Candidates by datasketch's ``MinHashLSH``: for the books of this task's files those of higher numbers.

    The index holds the task's own books only and is asked by all, file by file: no task has all signatures in memory.
    Books without a number are left out.
    """
    from datasketch import MinHashLSH

    paths = list_files(folder, _SUFFIX)
    own = [path for path in paths if belongs(path, rank, tasks)]
    index: Any = None
    for made, number, values in _numbered(own, numbers):
        if index is None:
            index = MinHashLSH(num_perm=made.permutations, params=bands(threshold, made.permutations))
        index.insert(number, to_minhash(values, made), check_duplication=False)
    found: dict[int, list[int]] = {}
    if index is not None:
        for made, number, values in _numbered(paths, numbers):
            for preferred in index.query(to_minhash(values, made)):
                if preferred < number:
                    found.setdefault(preferred, []).append(number)
    return {preferred: sorted(others) for preferred, others in found.items()}


def _numbered(paths: Sequence[str], numbers: Mapping[str, int]) -> Iterator[tuple[Made, int, Signature]]:
    for path in paths:
        made, signed = read_file(path)
        for book in signed:
            if book.id in numbers:
                yield made, numbers[book.id], book.values


def belongs(path: str, rank: int, tasks: int) -> bool:
    """True when a file that is named by the number of the task that wrote it is one of task ``rank``'s of ``tasks``."""
    return int(path.rsplit("/", 1)[-1].split(".", 1)[0]) % tasks == rank
