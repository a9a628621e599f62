"""The plain transcription of CCNet's rules, small models, and what a run wrote."""

from __future__ import annotations

import gzip
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import fasttext
import kenlm
import plain_commoncrawl
import pytest
import sentencepiece
from fasttext_writer import write_model

from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.jsonl import read_jsonl

WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "is",
    "that",
    "for",
    "it",
    "as",
    "was",
    "with",
    "be",
    "by",
    "on",
    "not",
    "he",
    "his",
    "but",
    "at",
    "are",
    "this",
    "have",
    "from",
    "or",
    "had",
    "an",
    "they",
    "which",
    "one",
    "you",
    "were",
    "all",
    "her",
    "she",
    "there",
    "would",
    "their",
    "we",
    "him",
    "been",
    "has",
    "when",
    "who",
    "will",
    "no",
    "more",
    "if",
    "out",
    "so",
    "said",
    "what",
    "river",
    "stone",
    "garden",
    "winter",
    "letter",
    "market",
    "bread",
    "window",
    "history",
    "teacher",
    "music",
]


def sentence(rng: random.Random, words: int = 9) -> str:
    """A line of common English words."""
    return " ".join(rng.choice(WORDS) for _ in range(words)).capitalize() + "."


@pytest.fixture(scope="session")
def plain() -> ModuleType:
    return plain_commoncrawl


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A perplexity model of English (with cut-offs), a reference and a language model, all tiny."""
    folder = tmp_path_factory.mktemp("models")
    rng = random.Random(7)
    lines = [sentence(rng, rng.randint(4, 14)).lower() for _ in range(1500)]
    (folder / "lines.txt").write_text("\n".join(lines) + "\n")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "lines.txt"),
        model_prefix=str(folder / "en.sp"),
        vocab_size=150,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "en.sp.model"))
    _write_arpa(folder / "en.arpa", [processor.encode_as_pieces(line) for line in lines])
    (folder / "en.cutoffs.json").write_text(json.dumps({"language": "en", "head": 100.0, "middle": 200.0}))
    write_model(folder / "references.bin", words=WORDS, labels=["__label__cc", "__label__wiki"], dim=16)
    return folder


def _write_arpa(path: Path, lines: Sequence[Sequence[str]]) -> None:
    """A bigram model of lines of pieces, with a fixed discount."""
    single = Counter(piece for line in lines for piece in [*line, "</s>"])
    pairs = Counter(pair for line in lines for pair in pairwise(["<s>", *line, "</s>"]))
    total = sum(single.values()) + 50
    ones = [f"{math.log10(count / total):.5f}\t{piece}\t-0.4" for piece, count in sorted(single.items())]
    ones += [f"{math.log10(1 / total):.5f}\t<unk>\t0", "-99\t<s>\t-0.4"]
    twos = [
        f"{math.log10(0.6 * count / (single[one] or len(lines))):.5f}\t{one} {two}"
        for (one, two), count in sorted(pairs.items())
    ]
    head = f"\\data\\\nngram 1={len(ones)}\nngram 2={len(twos)}\n"
    body = "\n\\1-grams:\n" + "\n".join(ones) + "\n\n\\2-grams:\n" + "\n".join(twos)
    path.write_text(head + body + "\n\n\\end\\\n")


@pytest.fixture(scope="session")
def plain_models(plain: ModuleType, model_folder: Path, oracle_models: Path) -> Any:
    """The same models in the modules that made them."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model_folder / "en.sp.model"))
    cutoffs = json.loads((model_folder / "en.cutoffs.json").read_text())
    return plain.Models(
        fasttext.load_model(str(oracle_models / "lid.176.ftz")),
        {"en": processor},
        {"en": kenlm.Model(str(model_folder / "en.arpa"))},
        {"en": (cutoffs["head"], cutoffs["middle"])},
        fasttext.load_model(str(model_folder / "references.bin")),
    )


@pytest.fixture(scope="session")
def results() -> Callable[[RunContext], tuple[dict[str, Any], dict[str, str]]]:
    """The ledger's rows and the texts of a run, by source."""
    import pyarrow.parquet as pq

    def read(run: RunContext) -> tuple[dict[str, Any], dict[str, str]]:
        rows = {row["source"]: row for row in pq.read_table(run.ledger("commoncrawl")).to_pylist()}
        texts: dict[str, str] = {}
        for folder in (run.documents("commoncrawl"), run.rejected("commoncrawl")):
            for path in sorted(Path(folder).glob("*.jsonl.zst")):
                texts |= {doc["metadata"]["source"]: doc["text"] for doc in read_jsonl(str(path))}
        return rows, texts

    return read


@pytest.fixture(scope="session")
def write_wet() -> Callable[[Path, Sequence[str]], None]:
    """Write a WET file, one gzip member a record."""

    def write(path: Path, bodies: Sequence[str]) -> None:
        members = []
        for number, body in enumerate(bodies):
            data = body.encode()
            head = f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: https://example.org/{path.name}/{number}\r\n"
            head += f"WARC-Date: 2019-07-01T00:00:00Z\r\nContent-Length: {len(data)}\r\n\r\n"
            members.append(gzip.compress(head.encode() + data + b"\r\n\r\n", mtime=0))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(members))

    return write
