"""Shards made by hand, and a small tokenizer to pack with."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.jsonl import JsonlWriter
from llama_data.tokenizer.train import train_model
from llama_data.train_handoff.mix.jobs import mix_jobs
from llama_data.train_handoff.mix.plan import plan_mix
from llama_data.train_handoff.pack import PackSettings, tokenize_jobs
from llama_data.train_handoff.shards.file import Footer, Shard, ShardWriter

MakeShard = Callable[..., np.ndarray]


@pytest.fixture
def make_shard() -> MakeShard:
    """Write a domain shard of random rows; returns the rows."""

    def make(path: Path, rows: int, *, seed: int = 0, **changes: Any) -> np.ndarray:
        known: dict[str, Any] = {
            "kind": "domain",
            "split": "train",
            "domain": path.parent.name,
            "seq_len": 8,
            "vocab_size": 500,
            "tokenizer_sha256": "ab" * 32,
            "bos_id": 1,
            "eos_id": 2,
        }
        footer = Footer(**{**known, **changes})
        rng = np.random.default_rng(seed)
        ids = rng.integers(0, min(footer.vocab_size, 40), (rows, footer.seq_len + 1))
        ids[:, 0][1:] = ids[:-1, -1]
        found = ids.astype(footer.numpy_dtype)
        with ShardWriter(str(path), footer) as writer:
            writer.write(found)
        return found

    return make


@pytest.fixture(scope="session")
def words() -> list[str]:
    chooser = random.Random(11)
    return ["".join(chooser.choices("abcdefghilmnoprstu", k=chooser.randint(1, 9))) for _ in range(500)]


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> Path:
    chooser = random.Random(12)
    lines = [" ".join(chooser.choices(words, k=12)).encode() for _ in range(1000)]
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    path.write_bytes(train_model(lines, vocab_size=500, input_sentence_size=10_000))
    return path


def run_jobs(jobs: list[Job]) -> None:
    for job in jobs:
        for rank in range(job.tasks):
            for step in job.steps:
                list(step.run(None, rank, job.tasks))


def write_documents(run: RunContext, domain: str, texts: list[str], files: int) -> None:
    size = -(-len(texts) // files)
    for number in range(files):
        with JsonlWriter(f"{run.documents(domain)}/{number:05d}.jsonl.zst") as writer:
            for place in range(number * size, min((number + 1) * size, len(texts))):
                metadata = {"domain": domain, "source": f"{domain}.gz#{place * 100}"}
                writer.write({"id": f"{domain}/{place}", "text": texts[place], "metadata": metadata})


@pytest.fixture(scope="session")
def traced_texts(words: list[str]) -> dict[str, list[str]]:
    """Documents from none to some hundred words: many in a row, and one over many rows."""
    chooser = random.Random(5)
    lengths = [0, 1, 1, 400, 2, 3, *(chooser.randint(0, 40) for _ in range(90))]
    return {
        domain: [" ".join(chooser.choices(words, k=length)) for length in lengths[: 96 if domain == "books" else 40]]
        for domain in ("books", "arxiv")
    }


def write_traced(folder: Path, tokenizer: Path, texts: dict[str, list[str]], *, shuffle: bool) -> Path:
    """RUN with tokens of two domains, books in two shards with held-out documents, and a mix of 2.5 epochs of books."""
    run = RunContext(input=str(folder), output=str(folder), seed=1)
    for domain, files in (("books", 2), ("arxiv", 1)):
        write_documents(run, domain, texts[domain], files)
        settings = PackSettings(
            seq_len=16, validation=0.1 if domain == "books" else None, shuffle=shuffle, max_task_bytes=1
        )
        run_jobs(tokenize_jobs(domain, run, tokenizer=str(tokenizer), settings=settings))
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "tokenizer.model").write_bytes(tokenizer.read_bytes())
    rows = sum(Shard(str(path)).rows for path in (folder / "tokens" / "books").glob("*.parquet"))
    plan = plan_mix(
        str(folder / "tokens"), weights={"books": 0.7, "arxiv": 0.3}, present=["books", "arxiv"],
        tokens=int(rows * 2.5 / 0.7) * 16, seed=3, rows_per_shard=64, max_epochs=None,
    )  # fmt: skip
    run_jobs(mix_jobs(plan, tokens_folder=str(folder / "tokens"), output=str(folder / "mix")))
    return folder


@pytest.fixture(scope="session")
def traced(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path, traced_texts: dict[str, list[str]]) -> Path:
    return write_traced(tmp_path_factory.mktemp("traced"), tokenizer, traced_texts, shuffle=False)


@pytest.fixture(scope="session")
def traced_shuffled(
    tmp_path_factory: pytest.TempPathFactory, tokenizer: Path, traced_texts: dict[str, list[str]]
) -> Path:
    return write_traced(tmp_path_factory.mktemp("shuffled"), tokenizer, traced_texts, shuffle=True)


class Store:
    """A web server over a folder that answers ranges and counts what it sends; ``faults`` change an answer."""

    def __init__(self, folder: Path) -> None:
        self.sent: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.faults: list[Callable[[bytes], bytes | int]] = []
        store = self

        class Handler(SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: Any) -> None:
                pass

            def do_GET(self) -> None:
                path = folder / self.path.lstrip("/")
                if not path.is_file():
                    return self.send_error(404)
                content, wanted = path.read_bytes(), re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
                first = int(wanted[1]) if wanted else 0
                asked = content[first : int(wanted[2]) + 1 if wanted and wanted[2] else None]
                data: bytes | int = asked
                name = path.name
                store.requests[name] += 1
                if store.faults:
                    data = store.faults.pop(0)(asked)
                if isinstance(data, int):
                    return self.send_error(data)
                self.send_response(206 if wanted else 200)
                if wanted:
                    self.send_header("Content-Range", f"bytes {first}-{first + len(asked) - 1}/{len(content)}")
                self.send_header("Content-Length", str(len(asked)))
                self.end_headers()
                self.close_connection = len(data) < len(asked)
                store.sent[name] += len(data)
                self.wfile.write(data)
                return None

            def do_HEAD(self) -> None:
                path = folder / self.path.lstrip("/")
                if not path.is_file():
                    return self.send_error(404)
                self.send_response(200)
                self.send_header("Accept-Ranges", "bytes")
                self.send_header("Content-Length", str(path.stat().st_size))
                self.end_headers()
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Store]]:
    stores: list[Store] = []

    def start(folder: Path) -> Store:
        stores.append(Store(folder))
        return stores[-1]

    yield start
    for store in stores:
        store.close()
