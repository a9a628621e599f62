"""Encoding, packing and mixing against the peers: ours and the peer in turn, in one process, on the same text.

``NAMES`` maps each benchmark to a function of a corpus folder; ``run.py`` prints and stores what they return.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import sentencepiece
import zstandard

from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.jsonl import JsonlWriter
from llama_data.tokenizer.bpe.encode import FastEncoder
from llama_data.tokenizer.huggingface import huggingface_files
from llama_data.tokenizer.model_file import read_model
from llama_data.train_handoff.mix.jobs import write_shard
from llama_data.train_handoff.mix.plan import MixPlan, plan_mix
from llama_data.train_handoff.pack import PackSettings, _encoder, tokenize_jobs
from llama_data.train_handoff.shards.file import Footer, Shard, ShardWriter

BATCH_BYTES = 1 << 20
SLICES = 12
ROUNDS = 3
_SPECIAL = re.compile("</?s>|<unk>")


def _web(corpus: Path) -> Iterator[str]:
    from fastwarc.warc import ArchiveIterator, WarcRecordType  # type: ignore[import-untyped]

    for path in sorted(corpus.glob("cc/*.wet.gz")):
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.conversion):
                yield record.reader.read().decode("utf-8", "replace")


def _books(corpus: Path) -> Iterator[str]:
    for path in sorted(corpus.glob("books/*")):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield archive.read(name).decode("utf-8", "replace")
        else:
            data = path.read_bytes()
            yield (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "replace")


def _code(corpus: Path) -> Iterator[str]:
    for path in sorted(corpus.glob("github/*.jsonl.zst")):
        with path.open("rb") as raw:
            reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
            for line in io.TextIOWrapper(reader, encoding="utf-8"):
                content = json.loads(line).get("content")
                if content:
                    yield content.encode("utf-8", "replace").decode()


@cache
def corpus_texts(corpus: Path) -> dict[str, list[str]]:
    """The corpus's text by source: web pages, books, source code."""
    sources = {"web": _web(corpus), "books": _books(corpus), "code": _code(corpus)}
    return {name: [text for text in texts if text] for name, texts in sources.items()}


def _plain_texts(corpus: Path) -> tuple[list[str], int]:
    """All texts but those few that spell a special token out, which others read as the token; and their bytes."""
    texts = [text for part in corpus_texts(corpus).values() for text in part if not _SPECIAL.search(text)]
    return texts, sum(len(text.encode()) for text in texts)


def _batches(texts: list[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of all threads, which other work on the machine does not lengthen."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def _encode(encoder: FastEncoder, texts: list[str]) -> list[np.ndarray]:
    return [encoder.encode_documents(batch)[0] for batch in _batches(texts)]


def _model(corpus: Path) -> str:
    """LLaMA's own tokenizer where it lies beside the corpus; otherwise train one with its settings."""
    beside = corpus.parent / "models" / "llama-tokenizer.model"
    if beside.exists():
        return str(beside)
    raise SystemExit(f"{beside}: put a SentencePiece BPE model there to run this benchmark")


def _row(
    name: str, ours: float, peer: float, peer_name: str, identical: bool, compared: dict[str, int], **more: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "unit": "MB/s",
        "ours": round(ours, 1),
        "peer": round(peer, 2),
        "peer_name": peer_name,
        "ratio": round(ours / peer, 1),
        "identical": identical,
        "compared": compared,
        **more,
    }


class _Peer(NamedTuple):
    """Another encoder: what makes it of a model, and how it encodes texts, as it likes best; the ids in one array."""

    name: str
    load: Callable[[str], Any]
    encode: Callable[[Any, list[str]], Any]
    flat: Callable[[Any], np.ndarray]


def _sentencepiece(model: str) -> Any:
    return sentencepiece.SentencePieceProcessor(model_file=model)


def _gigatoken(model: str) -> Any:
    import gigatoken  # type: ignore[import-not-found, import-untyped, unused-ignore]

    return gigatoken.Tokenizer.from_sentencepiece(model)


_SENTENCEPIECE = _Peer(
    "SentencePieceProcessor.encode",
    _sentencepiece,
    lambda peer, texts: [peer.encode(text) for text in texts],
    lambda ids: np.fromiter(chain(*ids), np.int64),
)
_GIGATOKEN = _Peer(
    "gigatoken.Tokenizer.encode_batch, one thread",
    _gigatoken,
    lambda peer, texts: [peer.encode_batch(batch, parallel=False) for batch in _batches(texts)],
    lambda ids: np.concatenate([np.asarray(some.layout.content.data, np.int64) for some in ids]),
)


def _cold(name: str, peer: _Peer, corpus: Path) -> dict[str, Any]:
    """From an empty table over the whole corpus: slice by slice, the peer and ours in turn, every id compared."""
    texts, size = _plain_texts(corpus)
    model = _model(corpus)
    FastEncoder(model).encode("compile the kernels first")
    encoder = FastEncoder(model)
    other = peer.load(model)
    ours_seconds = peer_seconds = 0.0
    identical, ids = True, 0
    for part in range(SLICES):
        chosen = texts[part::SLICES]
        seconds, expected = _seconds(lambda chosen=chosen: peer.encode(other, chosen))
        peer_seconds += seconds
        seconds, found = _seconds(lambda chosen=chosen: _encode(encoder, chosen))
        ours_seconds += seconds
        flat = np.concatenate(found)
        ids += flat.size
        identical &= np.array_equal(flat, peer.flat(expected))
    mb = size / 1e6
    compared = {"documents": len(texts), "ids": ids}
    return _row(name, mb / ours_seconds, mb / peer_seconds, peer.name, identical, compared, megabytes=mb)


def _warm(name: str, peer: _Peer, share: int, corpus: Path) -> dict[str, Any]:
    """Both have seen the corpus once: medians of rounds, in turn; the peer over one of ``share`` texts, compared."""
    texts, size = _plain_texts(corpus)
    model = _model(corpus)
    encoder = FastEncoder(model)
    other = peer.load(model)
    _encode(encoder, texts)
    chosen = texts[::share]
    peer.encode(other, chosen)
    mb = sum(len(text.encode()) for text in chosen) / 1e6
    rates: list[tuple[float, float]] = []
    identical = True
    for _ in range(ROUNDS):
        seconds, expected = _seconds(lambda: peer.encode(other, chosen))
        whole, _ = _seconds(lambda: _encode(encoder, texts))
        rates.append((size / 1e6 / whole, mb / seconds))
        found = np.concatenate(_encode(encoder, chosen))
        identical &= np.array_equal(found, peer.flat(expected))
    ours, theirs = (statistics.median(column) for column in zip(*rates, strict=True))
    compared = {"documents": len(chosen), "ids": int(found.size)}
    return _row(name, ours, theirs, peer.name, identical, compared, megabytes=size / 1e6)


def _write_documents(texts: list[str], folder: Path, files: int) -> None:
    for number in range(files):
        with JsonlWriter(str(folder / f"{number:05d}.jsonl.zst")) as writer:
            for index, text in enumerate(texts[number::files]):
                id = f"bench/{number}-{index}"
                writer.write({"id": id, "text": text, "metadata": {"domain": "bench", "source": id}})


def _run_jobs(jobs: list[Job]) -> None:
    for job in jobs:
        for rank in range(job.tasks):
            for step in job.steps:
                for _ in step.run(None, rank, job.tasks):
                    pass


def tokenize_job(corpus: Path) -> dict[str, Any]:
    """jsonl.zst to shards against datatrove's reader and DocumentTokenizer, same vocabulary; a third of the corpus."""
    chosen = _plain_texts(corpus)[0][::3]
    mb = sum(len(text.encode()) for text in chosen) / 1e6
    model = _model(corpus)
    _encoder.cache_clear()
    FastEncoder(model).encode("compile the kernels first")
    rates = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, content in huggingface_files(read_model(model)).items():
            (folder / name).write_bytes(content)
        _write_documents(chosen, folder / "documents" / "bench", 2)
        context = RunContext(input=scratch, output=scratch)
        settings = PackSettings(validation=0)
        for _ in range(2):
            _encoder.cache_clear()
            jobs = tokenize_jobs("bench", context, tokenizer=model, settings=settings)
            ours, _ = _seconds(lambda jobs=jobs: _run_jobs(jobs))
            shutil.rmtree(folder / "ds", ignore_errors=True)
            theirs, _ = _seconds(lambda: _datatrove(folder))
            rates.append((mb / ours, mb / theirs))
        same = _same_tokens(folder)
    ours, theirs = (statistics.median(column) for column in zip(*rates, strict=True))
    compared = {"documents": len(chosen), "ids": same or 0}
    name = "datatrove JsonlReader + DocumentTokenizer"
    return _row("tokenize_job", ours, theirs, name, same is not None, compared, megabytes=mb)


def _datatrove(folder: Path) -> None:
    from datatrove.pipeline.readers import JsonlReader  # type: ignore[import-untyped]
    from datatrove.pipeline.tokens import DocumentTokenizer  # type: ignore[import-untyped]

    documents = str(folder / "documents" / "bench")
    reader = JsonlReader(documents, glob_pattern="*.jsonl.zst", compression="zstd")
    tokenizer = DocumentTokenizer(
        str(folder / "ds"), str(folder / "tokenizer.json"), eos_token="</s>", shuffle_documents=False
    )
    for _ in tokenizer.run(reader.run(None, 0, 1), 0, 1) or ():
        pass


def _same_tokens(folder: Path) -> int | None:
    """How many ids are the same in our rows and datatrove's file, without our BOS, which it does not write.

    None: they are not the same, or more is missing at the end than the rows that are not full.
    """
    path = next((folder / "ds").glob("*.ds"))
    theirs = np.fromfile(path, np.uint16)
    shard = Shard(str(folder / "tokens" / "bench" / "00000.parquet"))
    rows = [shard.group(number)[:, :-1].reshape(-1) for number in range(shard.groups)]
    ours = np.concatenate(rows)
    ours = ours[ours != 1]
    whole = len(theirs) - len(ours) <= 2 * shard.footer.seq_len
    return len(ours) if whole and np.array_equal(ours, theirs[: len(ours)]) else None


def mix_write(corpus: Path) -> dict[str, Any]:
    """Writing a mix from packed shards, against copying the same bytes through pyarrow's list column and back.

    In CPU time, that of the system for reading and writing with it: a disk that others write to is no part of the rate
    of a core.
    """
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        footer = Footer(
            kind="domain",
            split="train",
            domain="",
            seq_len=2048,
            vocab_size=32000,
            tokenizer_sha256="0" * 64,
            bos_id=1,
            eos_id=2,
        )
        rows = {"commoncrawl": 40000, "c4": 10000, "books": 5000}
        for name, count in rows.items():
            with ShardWriter(f"{scratch}/tokens/{name}/00000.parquet", replace(footer, domain=name)) as writer:
                writer.write(rng.integers(3, 32000, (count, 2049), dtype=np.uint16))
        weights = {"commoncrawl": 0.75, "c4": 0.17, "books": 0.08}
        plan = plan_mix(
            f"{scratch}/tokens",
            weights=weights,
            present=list(rows),
            max_epochs=1,
            rows_per_shard=16384,
            tokens=2048 * 49152,
        )
        write_shard(plan, 0, f"{scratch}/mix/warm.parquet")
        rates, identical, rows_compared = [], True, 0
        for number in range(plan.shards):
            path = f"{scratch}/mix/{number:05d}.parquet"
            ours, _ = _seconds(lambda number=number, path=path: write_shard(plan, number, path))
            theirs, found = _seconds(lambda number=number: _list_mix(plan, number, f"{scratch}/list.parquet"))
            shard = Shard(path)
            mb = shard.rows * shard.footer.row_bytes / 1e6
            written = np.concatenate([shard.group(group) for group in range(shard.groups)])
            identical &= bool(np.array_equal(written, found))
            rows_compared += len(written)
            rates.append((mb / ours, mb / theirs))
    ours, theirs = (statistics.median(column) for column in zip(*rates, strict=True))
    name = "the same gather to a pyarrow list<uint16> column"
    return _row("mix_write", ours, theirs, name, identical, {"rows": rows_compared})


def _list_mix(plan: MixPlan, number: int, path: str) -> np.ndarray:
    """The straightforward way: gather the same rows, write them as a list column."""
    start = number * plan.rows_per_shard
    domains, _, rows = plan.locate(start, min(plan.rows_per_shard, plan.rows - start))
    tokens = np.empty((len(rows), plan.footer.seq_len + 1), np.uint16)
    for index, domain in enumerate(plan.domains):
        shard = Shard(domain.sources[0].path)
        for place in np.nonzero(domains == index)[0]:
            tokens[place] = shard[int(rows[place])]
    offsets = np.arange(0, tokens.size + 1, tokens.shape[1], dtype=np.int32)
    column = pa.ListArray.from_arrays(pa.array(offsets), pa.array(tokens.reshape(-1)))
    pq.write_table(pa.table({"tokens": column}), path, compression="none", use_dictionary=False)
    return tokens


NAMES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "encode_cold": partial(_cold, "encode_cold", _SENTENCEPIECE),
    "encode_warm": partial(_warm, "encode_warm", _SENTENCEPIECE, 8),
    "gigatoken_cold": partial(_cold, "gigatoken_cold", _GIGATOKEN),
    "gigatoken_warm": partial(_warm, "gigatoken_warm", _GIGATOKEN, 1),
    "tokenize_job": tokenize_job,
    "mix_write": mix_write,
}
