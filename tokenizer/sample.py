"""The text that a tokenizer is trained on: lines drawn from RUN/documents by the mixture's shares.

Every line has a random key from the seed, its document's id and its number; a domain gives its lines of lowest key up
to its share of the budget. That is a uniform sample which does not depend on the number of tasks or workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b

import numpy as np
import orjson
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from llama_data.pipeline.core import whereabouts
from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.files import Split, atomic_write, join, open_binary, read_bytes
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.kernels.hashing import splitmix64

MAX_LINE_BYTES = 4192
RESERVED = ("\x00", "\u2585")
SCHEMA = pa.schema([("key", pa.uint64()), ("line", pa.binary())])


@dataclass
class Counts:
    """What became of a domain's text: documents and lines read; lines cut because they were longer than SentencePiece
    takes (at whitespace, or inside a word where there was none); lines it cannot take (NUL or its own mark U+2585)."""

    documents: int = 0
    lines: int = 0
    cut_at_whitespace: int = 0
    cut_in_word: int = 0
    left_out: int = 0
    bytes: int = 0

    def add(self, other: Counts) -> None:
        """Add the counts of another part."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


def split_lines(text: str, counts: Counts) -> list[bytes]:
    """Lines of at most 4,192 bytes; longer ones are cut at the last whitespace that fits, and counted."""
    result = []
    for line in text.split("\n"):
        if not line.strip():
            continue
        counts.lines += 1
        if any(mark in line for mark in RESERVED):
            counts.left_out += 1
            continue
        data = line.encode()
        while len(data) > MAX_LINE_BYTES:
            cut = data.rfind(b" ", 1, MAX_LINE_BYTES + 1)
            if cut > 0:
                counts.cut_at_whitespace += 1
            else:
                counts.cut_in_word += 1
                cut = MAX_LINE_BYTES
                while data[cut] & 0xC0 == 0x80:
                    cut -= 1
            result.append(data[:cut])
            data = data[cut:]
        result.append(data)
    return result


def line_keys(seed: int, id: str, count: int) -> NDArray[np.uint64]:
    """Random keys of a document's lines (splitmix64 from a hash of seed and id)."""
    start = int.from_bytes(blake2b(f"tokenizer:{seed}:{id}".encode(), digest_size=8).digest(), "little")
    return splitmix64(start, count)


@dataclass
class Lowest:
    """Keeps the lines of lowest key that fit into ``max_bytes`` and ``max_lines``. Memory: twice that at most."""

    max_bytes: int
    max_lines: int
    keys: list[NDArray[np.uint64]] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    limit: int = 2**64

    def add(self, keys: NDArray[np.uint64], lines: Sequence[bytes]) -> None:
        """Offer lines with their keys."""
        if self.limit < 2**64:
            chosen = np.nonzero(keys < np.uint64(self.limit))[0]
            keys, lines = keys[chosen], [lines[int(i)] for i in chosen]
        self.keys.append(keys)
        self.lines += lines
        self.size += sum(map(len, lines))
        if self.size > 2 * self.max_bytes or len(self.lines) > 2 * self.max_lines:
            self.trim()

    def trim(self) -> None:
        """Drop what does not fit; lines are in the order of their keys afterwards."""
        keys = np.concatenate(self.keys) if self.keys else np.empty(0, np.uint64)
        order = np.lexsort((np.arange(len(keys)), keys))
        sizes = np.cumsum([len(self.lines[i]) for i in order])
        kept = min(int(np.searchsorted(sizes, self.max_bytes, side="right")), self.max_lines)
        if kept < len(order):
            self.limit = int(keys[order[kept]])
        self.lines = [self.lines[i] for i in order[:kept]]
        self.keys = [keys[order[:kept]]]
        self.size = int(sizes[kept - 1]) if kept else 0


class Sample(Step):
    """Draws lines from one group of a domain's document files a task."""

    name = "sample"

    def __init__(
        self,
        *,
        groups: Sequence[tuple[str, Sequence[Split]]],
        budgets: Mapping[str, tuple[int, int]],
        seed: int,
        work: str,
    ) -> None:
        super().__init__()
        self.splits = tuple(split for _, group in groups for split in group)
        self.groups = tuple((domain, tuple(group)) for domain, group in groups)
        self.budgets = dict(budgets)
        self.seed = seed
        self.work = work

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's candidates and counts. Yields nothing."""
        domain, splits = self.groups[rank]
        max_bytes, max_lines = self.budgets[domain]
        counts, lowest = Counts(), Lowest(max_bytes, max_lines)
        for split in splits:
            for record in read_jsonl(split.path):
                counts.documents += 1
                lines = split_lines(record["text"], counts)
                counts.bytes += sum(map(len, lines))
                lowest.add(line_keys(self.seed, record["id"], len(lines)), lines)
                whereabouts.counts.records += 1
            whereabouts.counts.bytes += split.size
        lowest.trim()
        keys = lowest.keys[0] if lowest.keys else np.empty(0, np.uint64)
        table = pa.table([pa.array(keys), pa.array(lowest.lines, pa.binary())], schema=SCHEMA)
        with atomic_write(join(self.work, f"{rank:05d}.parquet")) as stream:
            pq.write_table(table, stream, compression="zstd")
        with atomic_write(join(self.work, f"{rank:05d}.json")) as stream:
            stream.write(orjson.dumps(asdict(counts)))
        yield from ()


def collect(
    work: str, groups: Sequence[str], budgets: Mapping[str, tuple[int, int]]
) -> tuple[dict[str, list[bytes]], dict[str, Counts]]:
    """The sample of each domain, from the candidates of all tasks; ``groups``: domain of each task."""
    lowest = {domain: Lowest(*budgets[domain]) for domain in budgets}
    counts = {domain: Counts() for domain in budgets}
    for rank, domain in enumerate(groups):
        with open_binary(join(work, f"{rank:05d}.parquet")) as stream:
            table = pq.ParquetFile(stream).read(use_threads=False)
        lowest[domain].add(table.column("key").to_numpy(), table.column("line").to_pylist())
        counts[domain].add(Counts(**orjson.loads(read_bytes(join(work, f"{rank:05d}.json")))))
    for part in lowest.values():
        part.trim()
    return {domain: part.lines for domain, part in lowest.items()}, counts
