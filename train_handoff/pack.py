"""Packing: documents of one domain to rows of ``seq_len + 1`` token ids.

Documents become ``BOS ids EOS``, one after the other, cut every ``seq_len`` tokens with one token of overlap; what is
left at the end of a task is dropped and counted. A document goes to the validation split by a seeded hash of its id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
from datatrove.utils.logging import logger  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pydantic import Field

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.errors import InputError, ModelError, RecipeError
from llama_data.pipeline.core.files import (
    Split,
    atomic_write,
    group_splits,
    join,
    list_files,
    list_inputs,
    open_binary,
    remove_tree,
)
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.settings import Strict
from llama_data.pipeline.core.whereabouts import counts
from llama_data.pipeline.core.written import leave_note, written_bytes
from llama_data.tokenizer.bpe.encode import FastEncoder
from llama_data.train_handoff.buckets import Buckets, bucket_names, shard_name
from llama_data.train_handoff.read import Texts, read_texts
from llama_data.train_handoff.shards.checked import stated_value
from llama_data.train_handoff.shards.documents import IndexWriter, Names, cut, index_path
from llama_data.train_handoff.shards.file import VALIDATION, Footer, ShardWriter, read_footer

SHUFFLE_INDEX = np.dtype([("key", "<u8"), ("length", "<i8"), ("names", "<i8"), ("part", "u1")])


class PackSettings(Strict):
    """How documents become rows.

    ``bos``, ``eos``: what stands around every document (at least one, or documents could not be told apart).
    ``validation``: share of documents, 0..1, held out (null: none). ``shuffle``: put the documents of the domain in
    a seeded random order first. ``buckets``: of each domain named,
    shards by the value of a field. ``max_task_bytes``: compressed input of one task. ``max_table_bytes``: memory of
    the encoder's table.
    """

    seq_len: int = Field(default=2048, ge=1)
    bos: bool = True
    eos: bool = True
    validation: float | None = Field(default=0.0005, ge=0, lt=1)
    shuffle: bool = False
    buckets: dict[str, Buckets] = Field(default_factory=dict)
    max_task_bytes: int = Field(default=256 << 20, gt=0)
    max_table_bytes: int = Field(default=512 << 20, gt=0)


class Packer:
    """Cuts a stream of tokens into rows and writes them to one shard, and beside it which documents they are."""

    def __init__(self, writer: ShardWriter) -> None:
        self.writer = writer
        self.index = IndexWriter(index_path(writer.path))
        self.seq_len = writer.footer.seq_len
        self.pending: list[NDArray[Any]] = []
        self.size = 0

    def add(self, ids: NDArray[Any], names: Names, lengths: NDArray[np.int64]) -> None:
        """Append the tokens of whole documents, of ``lengths`` tokens each."""
        self.writer.documents += len(names.ids)
        self.index.add(names, lengths)
        self.pending.append(ids)
        self.size += len(ids)
        if self.size > self.seq_len * self.writer.group_rows:
            self._write(self.size // (self.seq_len * self.writer.group_rows) * self.writer.group_rows)

    def _write(self, rows: int) -> None:
        stream = np.concatenate(self.pending) if len(self.pending) != 1 else self.pending[0]
        if rows * self.seq_len + 1 > len(stream):
            rows -= 1
        if rows > 0:
            stream = np.ascontiguousarray(stream)
            shape, step = (rows, self.seq_len + 1), stream.itemsize
            self.writer.write(np.lib.stride_tricks.as_strided(stream, shape, (self.seq_len * step, step)))
        self.pending = [stream[rows * self.seq_len :].copy()]
        self.size = len(self.pending[0])

    def finish(self) -> None:
        """Write the last whole rows, and the index; the rest of the tokens is dropped and counted."""
        if self.pending:
            self._write(max(self.size - 1, 0) // self.seq_len)
        # The last token of the last row is also what would begin the next one: it is not lost.
        self.writer.dropped_tokens = self.size - 1 if self.writer.rows else self.size
        self.index.write(self.writer.result())


@lru_cache(maxsize=1)
def _encoder(path: str, max_table_bytes: int) -> FastEncoder:
    """The encoder of this process: its table stays warm from one task to the next."""
    return FastEncoder(path, max_table_bytes=max_table_bytes)


def document_key(seed: int, id: str) -> tuple[int, int]:
    """Two independent seeded 64-bit hashes of a document's id: for its place, and for the split it goes to."""
    digest = blake2b(f"{seed}:{id}".encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


class PackStep(Step):
    """What the packing steps share: groups of input files, the encoder, the footer of the shards."""

    writes = True

    def __init__(
        self, *, groups: Sequence[Sequence[Split]], domain: str, run: RunContext, tokenizer: str, settings: PackSettings
    ) -> None:
        super().__init__()
        self.splits = tuple(split for group in groups for split in group)
        self.domain = domain
        self.groups = tuple(tuple(group) for group in groups)
        self.context = run
        self.tokenizer = tokenizer
        self.settings = settings
        self.buckets = settings.buckets.get(domain)
        self.numbers = {} if self.buckets is None else self.buckets.numbers()
        self.files = (tokenizer,)
        self.leaves = "" if self.writes else None

    @property
    def output(self) -> str:
        """Folder of the domain's shards."""
        return tokens_folder(self.context, self.domain)

    def encoder(self) -> FastEncoder:
        """The encoder, loaded once a process. Raises ModelError when it lacks the BOS or EOS that is asked for."""
        encoder = _encoder(self.tokenizer, self.settings.max_table_bytes)
        if encoder.fallback is not None:
            logger.warning(f"{self.tokenizer}: encoded by SentencePiece itself, slowly: {encoder.fallback}")
        for wanted, id, name in (
            (self.settings.bos, encoder.bos_id, "BOS"),
            (self.settings.eos, encoder.eos_id, "EOS"),
        ):
            if wanted and id < 0:
                raise ModelError(f"{self.tokenizer}: it has no {name} piece; turn {name.lower()} off in the recipe")
        return encoder

    def footer(self, encoder: FastEncoder, split: str) -> Footer:
        """What is known of a shard before it is written."""
        return Footer(
            kind="domain",
            split="validation" if split == VALIDATION else "train",
            domain=self.domain,
            seq_len=self.settings.seq_len,
            vocab_size=encoder.vocab_size,
            tokenizer_sha256=encoder.sha256,
            bos_id=encoder.bos_id if self.settings.bos else None,
            eos_id=encoder.eos_id if self.settings.eos else None,
        )

    def packers(self, stack: ExitStack, encoder: FastEncoder, rank: int) -> list[Packer]:
        """Packers of this task's training shards, one a bucket, and of its validation shard when texts are held out."""
        names = [shard_name(rank, bucket) for bucket in bucket_names(self.buckets)]
        writers = [ShardWriter(join(self.output, name), self.footer(encoder, "train")) for name in names]
        if self.settings.validation:
            name = join(self.output, VALIDATION, shard_name(rank))
            writers.append(ShardWriter(name, self.footer(encoder, VALIDATION)))
        return [Packer(stack.enter_context(writer)) for writer in writers]

    def finish(self, packers: Sequence[Packer], stack: ExitStack, rank: int) -> None:
        """Write the last rows, close the shards, and leave the note of what was written."""
        for packer in packers:
            packer.finish()
        stack.close()
        written = [file for packer in packers for file in (packer.writer.written, packer.index.written)]
        leave_note(self.context.output, group_of(self.domain), f"{rank:05d}", written)

    def encoded(self, rank: int) -> Iterator[tuple[Names, NDArray[Any], NDArray[np.int64], NDArray[np.uint8]]]:
        """Batches of this task's documents: ids and sources, tokens of all, where each one's end, and its packer.

        Raises InputError: a document belongs to no bucket.
        """
        encoder = self.encoder()
        held = len(bucket_names(self.buckets))
        for split in self.groups[rank]:
            for batch in read_texts(split.path, None if self.buckets is None else self.buckets.field):
                tokens, ends = encoder.encode_documents(batch.texts, bos=self.settings.bos, eos=self.settings.eos)
                self.stat_update("documents", value=len(batch.ids), unit="batch")
                self.stat_update("tokens", value=len(tokens), unit="batch")
                counts.records += len(batch.ids)
                parts = self._parts(batch, split.path)
                parts[[out for _, out in self.keys(batch.ids)]] = held
                yield Names(batch.ids, batch.sources), tokens, ends, parts
            counts.bytes += split.size

    def _parts(self, batch: Texts, path: str) -> NDArray[np.uint8]:
        """The number of each document's bucket; 0 where there are none."""
        if self.buckets is None:
            return np.zeros(len(batch.ids), np.uint8)
        found = [self.numbers.get(str(value)) for value in batch.values]
        if None in found:
            place = found.index(None)
            raise InputError(
                f"{path}: {batch.ids[place]}: its {self.buckets.field} is {batch.values[place]!r}, which is in none of "
                f"the buckets of {self.domain}; name it under tokens.buckets.{self.domain}.into"
            )
        return np.array(found, np.uint8)

    def keys(self, ids: Sequence[str]) -> list[tuple[int, bool]]:
        """Of each document its random key, and whether it goes to the validation split."""
        limit = int((self.settings.validation or 0.0) * 2**64)
        hashes = (document_key(self.context.seed, id) for id in ids)
        return [(key, split < limit) for key, split in hashes]


class Pack(PackStep):
    """Encodes and packs the documents of one group of files a task, in their order."""

    name = "tokenize"

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's shards. Yields nothing."""
        with ExitStack() as stack:
            packers = self.packers(stack, self.encoder(), rank)
            for names, tokens, ends, parts in self.encoded(rank):
                lengths = np.diff(ends, prepend=0)
                if not parts.any():
                    packers[0].add(tokens, names, lengths)
                    continue
                found = np.split(tokens, ends[:-1])
                for number, packer in enumerate(packers):
                    picked = np.nonzero(parts == number)[0]
                    if len(picked):
                        packer.add(np.concatenate([found[i] for i in picked]), cut(names, picked), lengths[picked])
            self.finish(packers, stack, rank)
        yield from ()


class Scatter(PackStep):
    """First pass of a shuffle: encodes a group of files and leaves its documents sorted by their random key."""

    name = "scatter"
    writes = False

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's tokens, names and index below the work folder. Memory: these, of the task."""
        parts: list[NDArray[Any]] = []
        named: list[bytes] = []
        rows: list[tuple[int, int, int, int]] = []
        for names, tokens, ends, packers in self.encoded(rank):
            found = np.split(tokens, ends[:-1])
            parts += found
            lines = [orjson.dumps(pair) + b"\n" for pair in zip(*names, strict=True)]
            named += lines
            for (key, _), part, line, packer in zip(self.keys(names.ids), found, lines, packers, strict=True):
                rows.append((key, len(part), len(line), packer))
        index = np.array(rows, SHUFFLE_INDEX)
        order = np.argsort(index["key"], kind="stable")
        work = join(self.context.work(self.domain), "shuffle")
        with atomic_write(join(work, f"{rank:05d}.tokens")) as stream:
            for place in order:
                stream.write(parts[place].tobytes())
        with atomic_write(join(work, f"{rank:05d}.names")) as stream:
            stream.writelines(named[place] for place in order)
        with atomic_write(join(work, f"{rank:05d}.index")) as stream:
            stream.write(index[order].tobytes())
        yield from ()


class Gather(PackStep):
    """Second pass of a shuffle: task b packs the documents whose key falls into the b-th part of all keys."""

    name = "gather"

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's shards. Memory: the tokens of the task."""
        tasks, encoder = len(self.groups), self.encoder()
        keys, out, parts, names = [], [], [], Names([], [])
        for task in range(tasks):
            index, tokens, named = _read_bucket(
                join(self.context.work(self.domain), "shuffle", f"{task:05d}"), rank, tasks, encoder
            )
            keys.append(index["key"])
            out.append(index["part"])
            names.ids.extend(named.ids)
            names.sources.extend(named.sources)
            parts += np.split(tokens, np.cumsum(index["length"])[:-1]) if len(index) else []
        order = np.argsort(np.concatenate(keys), kind="stable")
        chosen = np.concatenate(out)
        with ExitStack() as stack:
            packers = self.packers(stack, encoder, rank)
            for place in order:
                part = parts[place]
                packers[chosen[place]].add(part, cut(names, [place]), np.array([len(part)]))
            self.finish(packers, stack, rank)
        yield from ()


def _read_bucket(
    path: str, bucket: int, buckets: int, encoder: FastEncoder
) -> tuple[NDArray[Any], NDArray[Any], Names]:
    """Index, tokens and names of the documents of one bucket in one task's files of the first pass."""
    with open_binary(path + ".index") as stream:
        index = np.frombuffer(stream.read(), SHUFFLE_INDEX)
    bounds = np.array([min((number << 64) // buckets, 2**64 - 1) for number in (bucket, bucket + 1)], np.uint64)
    first, last = np.searchsorted(index["key"], bounds)
    last = len(index) if bucket + 1 == buckets else last
    before, index = index[:first], index[first:last]
    with open_binary(path + ".tokens") as stream:
        stream.seek(int(before["length"].sum()) * encoder.dtype.itemsize)
        tokens = np.frombuffer(stream.read(int(index["length"].sum()) * encoder.dtype.itemsize), encoder.dtype)
    with open_binary(path + ".names") as stream:
        stream.seek(int(before["names"].sum()))
        pairs = [orjson.loads(line) for line in stream.read(int(index["names"].sum())).splitlines()]
    return index, tokens, Names([id for id, _ in pairs], [source for _, source in pairs])


class Index(Step):
    """Writes tokens.json beside the shards, so that a missing file is noticed, and clears what is left over."""

    name = "index"
    leaves = "index-"

    def __init__(
        self, *, run: RunContext, domain: str, tasks: int, work: str | None, buckets: Buckets | None = None
    ) -> None:
        super().__init__()
        self.buckets = buckets
        self.context = run
        self.domain = domain
        self.output = tokens_folder(run, domain)
        self.tasks = tasks
        self.work = work

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the list of shards. Yields nothing."""
        held = {shard_name(number) for number in range(self.tasks)}
        train = {shard_name(number, name) for number in range(self.tasks) for name in bucket_names(self.buckets)}
        shards = []
        for folder, wanted in (("", train), (VALIDATION, held)):
            for path in list_files(join(self.output, folder) if folder else self.output, ".parquet"):
                name = path.rsplit("/", 1)[-1]
                if name not in wanted:
                    remove_tree(path)
                    remove_tree(index_path(path))
                    continue
                footer = read_footer(path)
                shards.append(
                    {
                        "name": f"{folder}/{name}".lstrip("/"),
                        "split": footer.split,
                        "rows": footer.rows,
                        "documents": footer.documents,
                        "tokens": footer.tokens,
                        "dropped_tokens": footer.dropped_tokens,
                        "content_sha256": footer.content_sha256,
                        "index_crc32": stated_value(index_path(path)),
                    }
                )
        content = json.dumps({"format": 1, "shards": shards}, indent=1).encode()
        written = written_bytes(join(self.output, "tokens.json"), content)
        leave_note(self.context.output, group_of(self.domain), f"{self.leaves}{rank:05d}", [written])
        if self.work is not None:
            remove_tree(self.work)
        yield from ()


def group_of(domain: str) -> str:
    """What the jobs of a domain are called together, in the logs."""
    return f"tokenize/{domain}"


def tokens_folder(run: RunContext, domain: str) -> str:
    """Folder of a domain's shards."""
    return join(run.output, "tokens", domain)


def tokenize_jobs(
    domain: str, run: RunContext, *, tokenizer: str, settings: PackSettings, documents: Sequence[Split] | None = None
) -> list[Job]:
    """The jobs that turn RUN/documents/<domain> into RUN/tokens/<domain>.

    ``documents``: the files to take; None: those that lie there.

    Raises:
        RecipeError: neither BOS nor EOS is to be put around documents.
        InputError: the domain has no documents.
    """
    if not (settings.bos or settings.eos):
        raise RecipeError("tokenize: bos and eos are both off: documents could not be told apart; turn one on")
    found = list_inputs(run.documents(domain), ["*.jsonl.zst"]) if documents is None else documents
    groups = group_splits(found, settings.max_task_bytes)
    common: dict[str, Any] = {
        "groups": groups,
        "domain": domain,
        "run": run,
        "tokenizer": tokenizer,
        "settings": settings,
    }
    work = join(run.work(domain), "shuffle") if settings.shuffle else None
    index = Job(
        f"tokenize/{domain}/index",
        [Index(run=run, domain=domain, tasks=len(groups), work=work, buckets=settings.buckets.get(domain))],
        1,
    )
    if settings.shuffle:
        return [
            Job(f"tokenize/{domain}/scatter", [Scatter(**common)], len(groups)),
            Job(f"tokenize/{domain}/gather", [Gather(**common)], len(groups)),
            index,
        ]
    return [Job(f"tokenize/{domain}/pack", [Pack(**common)], len(groups)), index]
