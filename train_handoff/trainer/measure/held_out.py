"""What a model is evaluated on: rows of a mix or of token shards, or texts. Imports no torch.

Everything is read as windows of at most ``seq_len + 1`` ids in which every id but the first is predicted once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import DAMAGE, exists, join, list_files, open_binary, open_decompressed
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.train_handoff.mix.order import Assignment, draw
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.shards.cache import open_cache
from llama_data.train_handoff.shards.file import Footer, Rows, Shard, open_shards
from llama_data.train_handoff.trainer.pieces import Pieces
from llama_data.train_handoff.trainer.record import Record, require_same_tokenizer

Ids = NDArray[np.int64]
# Rows ``begin`` to ``end - 1`` of something, and their domain (None: a mix knows it of each row).
Part = tuple[Mixture | Shard, str | None, int, int]
DRAWS = 1 << 20


@dataclass(frozen=True)
class Window:
    """Ids to predict one from the others before it; ``text_bytes``: UTF-8 bytes of what they stand for."""

    ids: Ids
    domain: int
    text_bytes: int


class Windows(Protocol):
    """A sequence of windows. ``what`` says in a sentence what they are, and whether training saw them.

    ``seen``: how many are known to have been trained on, None when that is not known. ``special``: for each id, True
    for one that stands for no text; None: bytes are not known.
    """

    domains: tuple[str, ...]
    what: str
    seen: int | None
    special: NDArray[np.bool_] | None
    bos_id: int | None

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Window: ...


class RowWindows:
    """The rows of one part after another; see ``Windows``."""

    def __init__(
        self,
        parts: Sequence[Part],
        footer: Footer,
        domains: tuple[str, ...],
        pieces: Pieces | None,
    ) -> None:
        self.parts = parts
        self.ends = list(accumulate(end - begin for _, _, begin, end in parts))
        self.domains = domains
        self.footer = footer
        self.pieces = pieces
        self.bos_id = footer.bos_id
        self.special = None if pieces is None else pieces.special
        self.what = ""
        self.seen: int | None = None

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, index: int) -> Window:
        part = int(np.searchsorted(self.ends, index, side="right"))
        rows, domain, begin, _ = self.parts[part]
        place = begin + index - (self.ends[part - 1] if part else 0)
        row: Rows = rows[place]
        ids = row.astype(np.int64)
        code = rows.domain_of(place) if isinstance(rows, Mixture) else self.domains.index(domain or "")
        opener = self.footer.eos_id if self.footer.bos_id is None else self.footer.bos_id
        return Window(ids, code, 0 if self.pieces is None else self.pieces.count(ids, opener))


def rows_of(
    data: str, record: Record, where: Path, *, rows: tuple[int, int] | None, limit: int | None, pieces: Pieces | None
) -> RowWindows:
    """The rows to evaluate in ``data``: the folder of a mix, a folder of token shards, or one shard.

    Of a mix: the validation rows, or rows ``rows`` of the training order. Of shards: all, or rows ``rows`` of them
    one after the other. ``limit``: at most so many of each domain (without ``rows``).

    Raises:
        InputError: no rows there, or none held out.
        RequestError: the rows belong to another tokenizer than the model's, or there are no such rows.
    """
    if exists(join(data, "mix.json")):
        return _of_mix(Mixture(data, open_cache(None)), record, where, rows, limit, pieces)
    paths = [data] if data.endswith(".parquet") else list_files(data, ".parquet")
    if not paths:
        raise InputError(f"{data}: expected the folder of a mix (RUN/mix), one with token shards, or a .parquet file")
    shards = open_shards(paths)
    require_same_tokenizer(record, shards[0].footer.tokenizer_sha256, where)
    split = {shard.footer.split for shard in shards}
    domains = tuple(sorted({shard.footer.domain for shard in shards}))
    begin, end = _range(rows, sum(shard.rows for shard in shards), data)
    parts: list[Part] = []
    before, left = 0, dict.fromkeys(domains, limit)
    for shard in shards:
        first, last = max(begin - before, 0), min(end - before, shard.rows)
        before += shard.rows
        room = left[shard.footer.domain]
        if room is not None:
            last = min(last, first + room)
            left[shard.footer.domain] = room - max(last - first, 0)
        if first < last:
            parts.append((shard, shard.footer.domain, first, last))
    found = RowWindows(parts, shards[0].footer, domains, pieces)
    kind = "documents held out by `tokenize`" if split == {"validation"} else "token shards"
    found.what = f"rows of {kind} in {data}; whether the model was trained on them is not known"
    return found


def held_out_rows(mix: Mixture, limit: int | None, pieces: Pieces | None) -> RowWindows | None:
    """The rows of a mix's held-out documents, at most ``limit`` of each domain; None when it has none."""
    held = {name: shard for name, shard in mix.validation().items() if shard.rows}
    if not held:
        return None
    parts = [(shard, name, 0, shard.rows if limit is None else min(limit, shard.rows)) for name, shard in held.items()]
    return RowWindows([*parts], mix.footer, mix.domains, pieces)


def _of_mix(
    mix: Mixture,
    record: Record,
    where: Path,
    rows: tuple[int, int] | None,
    limit: int | None,
    pieces: Pieces | None,
) -> RowWindows:
    require_same_tokenizer(record, mix.footer.tokenizer_sha256, where)
    same = record.fingerprint == mix.fingerprint
    before = "" if record.origin is None else "; what it had seen before that run is not known"
    trained = "trained on another mix" if record.fingerprint else "imported"
    unknown = f"the model was {trained}, so whether it saw them is not known"
    if rows is not None:
        begin, end = _range(rows, len(mix), mix.folder)
        found = RowWindows([(mix, None, begin, end)], mix.footer, mix.domains, pieces)
        found.seen = _seen(mix, record.rows, begin, end) if same else None
        found.what = f"rows {begin} to {end - 1} of the training order of {mix.folder}; " + (
            f"the checkpoint was trained on {found.seen:,} of these {end - begin:,}{before}" if same else unknown
        )
        return found
    held = held_out_rows(mix, limit, pieces)
    if held is None:
        raise InputError(
            f"{mix.folder}: the mix has no held-out rows (`tokenize` held no documents out, or too few for a row); "
            f"name training rows with --rows A:B (it has rows 0 to {len(mix) - 1}, the model was "
            f"{f'trained on the first {record.rows:,}' if same else trained}), or texts with --text"
        )
    held.seen = 0 if same else None
    held.what = f"rows of documents that are held out of {mix.folder}" + (before if same else f"; {unknown}")
    return held


def _seen(mix: Mixture, consumed: int, begin: int, end: int) -> int:
    """How many of the rows ``begin .. end - 1`` a run had been trained on after ``consumed`` rows.

    A row after those counts when it repeats one of them, its domain being in a later epoch.
    """
    later = max(begin, consumed)
    seen = min(end, later) - begin
    if later >= end or not consumed:
        return seen
    domains = mix.record["domains"]
    order = Assignment.plan([domain["weight"] for domain in domains], mix.rows, mix.rows_per_shard)
    codes, within = order.rows(later, end - later)
    for code, (domain, taken) in enumerate(zip(domains, order.taken(consumed), strict=True)):
        size = domain["rows"]
        again = within[(codes == code) & (within >= size)]
        if taken >= size or not len(again):
            seen += len(again)
            continue
        drawn = np.zeros(size, np.bool_)
        for first in range(0, taken, DRAWS):
            some = np.arange(first, min(first + DRAWS, taken))
            drawn[draw(some, size, seed=mix.record["seed"], domain=domain["name"])] = True
        seen += int(np.count_nonzero(drawn[draw(again, size, seed=mix.record["seed"], domain=domain["name"])]))
    return seen


def _range(rows: tuple[int, int] | None, total: int, where: str) -> tuple[int, int]:
    if not total:
        raise InputError(f"{where}: there are no rows in it")
    begin, end = rows or (0, total)
    if not 0 <= begin < end <= total:
        raise RequestError(f"--rows {begin}:{end}: {where} has rows 0 to {total - 1}; expected A:B with A below B")
    return begin, end


class TextWindows:
    """Documents, each read alone: BOS, then its ids, in windows that share one id; see ``Windows``."""

    def __init__(self, paths: tuple[str, ...], pieces: Pieces, seq_len: int) -> None:
        self.special: NDArray[np.bool_] | None = pieces.special
        self.bos_id: int | None = pieces.model.bos_id()
        if pieces.model.bos_id() < 0:
            raise InputError(f"{pieces.path}: it has no BOS, which a text has to begin with")
        self.seen: int | None = None
        self.what = f"{len(paths)} text file(s); whether the model was trained on them is not known"
        names: list[str] = []
        self._windows: list[Window] = []
        for path in paths:
            for domain, text in read_texts(path):
                if domain not in names:
                    names.append(domain)
                ids = np.array([pieces.model.bos_id(), *pieces.model.encode(text)], np.int64)
                for start in range(0, len(ids) - 1, seq_len):
                    size = len(text.encode()) if start == 0 else 0
                    self._windows.append(Window(ids[start : start + seq_len + 1], names.index(domain), size))
        self.domains = tuple(names)
        if not self._windows:
            raise InputError(f"{paths[0]}: there is no text in it")

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> Window:
        return self._windows[index]


def read_texts(path: str) -> Iterator[tuple[str, str]]:
    """Domain and text of each document: of a .jsonl file (compressed by suffix) its lines, of a .parquet file the
    column `text`, else the whole file.

    The domain is the one in the document's metadata, else the file's name. Raises InputError.
    """
    name = path.rsplit("/", 1)[-1]
    if name.endswith(".parquet"):
        yield from ((name, text) for text in _column_of_texts(path))
        return
    if ".jsonl" in name:
        for number, document in enumerate(read_jsonl(path), 1):
            text = document.get("text") if isinstance(document, dict) else None
            if not isinstance(text, str):
                raise InputError(f"{path}: line {number}: not a document: expected an object with a string `text`")
            metadata = document.get("metadata")
            yield (str(metadata["domain"]) if isinstance(metadata, dict) and "domain" in metadata else name), text
        return
    try:
        with open_decompressed(path) as stream:
            yield name, stream.read().decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}") from None
    except DAMAGE as error:
        raise InputError(f"{path}: the file is damaged: {error}") from None


def _column_of_texts(path: str) -> Iterator[str]:
    try:
        with open_binary(path) as stream:
            file = pq.ParquetFile(stream)
            if "text" not in file.schema_arrow.names:
                raise InputError(f"{path}: no column `text`; it has: {', '.join(file.schema_arrow.names) or 'none'}")
            # Without Arrow's threads: one that still holds a Python stream when the program ends aborts it.
            for batch in file.iter_batches(1024, columns=["text"], use_threads=False):
                for text in batch.column(0).to_pylist():
                    if not isinstance(text, str):
                        raise InputError(f"{path}: column `text`: expected strings, found {type(text).__name__}")
                    yield text
    except pa.ArrowException as error:
        raise InputError(f"{path}: not a readable parquet file: {error}") from None
