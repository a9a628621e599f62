"""Tokenizers, fastText and KenLM models, definitions of templates, checkpoints. Nothing of a file is run."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import exists, file_size, join, list_files, open_binary
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.core.screen import one_line, size_of
from llama_data.pipeline.inspecting.asked import Asked, fields

FASTTEXT = struct.pack("<i", 793712314)
KENLM = b"mmap lm http://kheafield.com/code"
SAMPLED = 1_000_000
ARPA = b"\\data\\"


def tokenizer(path: str, asked: Asked) -> Iterator[str]:
    """A SentencePiece model: what it is, what it makes of a text, and how it compresses the documents beside it."""
    from llama_data.tokenizer import audit
    from llama_data.tokenizer.bpe.encode import FastEncoder
    from llama_data.tokenizer.model_file import read_model

    model = path if path.endswith(".model") else join(path, "tokenizer.model")
    facts = read_model(model)
    special = ", ".join(f"{name} {facts.special_id(name)}" for name in ("unk", "bos", "eos", "pad"))
    yield f"{one_line(model)}: SentencePiece model, {facts.kind}, {len(facts.pieces):,} pieces ({special})"
    if facts.kind != "bpe":
        yield f"  first pieces: {one_line(' '.join(piece.text for piece in facts.pieces[:20]))}"
        return
    encoder = FastEncoder(model)
    if asked.text is not None:
        found = audit.pieces(encoder, asked.text)
        yield " ".join(f"{one_line(piece)}({number})" for piece, number in found)
        trip = audit.round_trips(encoder, asked.text)
        yield f"{len(asked.text.encode())} bytes, {len(found)} tokens, round trip {trip}"
        return
    folder = join(model.rsplit("/", 2)[0], "documents") if model.count("/") > 1 else "documents"
    if exists(folder):
        yield from audit.table(audit.compression(encoder, _sample(folder, asked.limit * 100))).split("\n")


def _sample(folder: str, count: int) -> Iterator[dict[str, Any]]:
    """The first ``count`` documents of every domain of a run, of ``SAMPLED`` characters together."""
    for domain in list_files(folder, ""):
        left = SAMPLED
        files = (record for path in list_files(domain, ".jsonl.zst") for record in read_jsonl(path))
        for record in islice(files, count):
            yield {**record, "text": record["text"][:left]}
            left -= len(record["text"])
            if left <= 0:
                break


def fasttext(path: str) -> Iterator[str]:
    """A fastText model: its sizes and labels, and its card."""
    from llama_data.stages.fasttext.file import read_model

    found = read_model(path)
    yield f"{one_line(path)}: fastText model, {size_of(file_size(path))}"
    labels = ", ".join(found.labels[:40]) + (" …" if len(found.labels) > 40 else "")
    grams = f"{found.minn} to {found.maxn} characters" if found.maxn else "none"
    about = {
        "labels": f"{len(found.labels):,}: {labels}",
        "words": found.words,
        "dimensions": found.dim,
        "n-grams": grams,
    }
    yield from fields(about)
    yield from card(path)


def kenlm(path: str, data: bytes) -> Iterator[str]:
    """A KenLM model, compiled or as ARPA: its counts, and its card."""
    yield f"{one_line(path)}: KenLM model, {size_of(file_size(path))}"
    if data.startswith(KENLM):
        yield f"  {one_line(data[:80].partition(bytes(1))[0].decode('ascii', 'replace'))}"
    for line in data[:4096].decode("utf-8", "replace").splitlines():
        if line.startswith("ngram "):
            yield f"  {one_line(line)}"
    yield from card(path)


def card(path: str) -> Iterator[str]:
    """The card beside a model, if there is one."""
    from llama_data.stages.steps.model_cards import card_path, read_card

    beside = card_path(path)
    found = read_card(beside)
    if found is not None:
        yield f"  card {one_line(beside)}"
        yield from fields(found, "    ")


def templates(path: str) -> Iterator[str]:
    """A file of definitions of templates: how many there are. Raises InputError: it is cut short."""
    with open_binary(path) as stream:
        head = stream.read(8)
    if len(head) < 8:
        raise InputError(f"{path}: no definitions of templates: it is cut short")
    yield f"{one_line(path)}: definitions of templates, {struct.unpack('<Q', head)[0]:,}, {size_of(file_size(path))}"


def checkpoint(path: str) -> Iterator[str]:
    """A checkpoint of the trainer by its record; its pickle is not opened. Raises InputError: it is none."""
    from llama_data.train_handoff.trainer.record import read_record

    record = read_record(Path(path))
    sizes = sum(entry["bytes"] for entry in record.files.values())
    yield f"{one_line(path)}: checkpoint after {record.step:,} steps and {record.rows:,} rows, {size_of(sizes)}"
    yield from fields({"model": record.model, "mix": record.fingerprint, "tokenizer": record.tokenizer_sha256})
    rest = {"seed": record.seed, "template": record.template, "origin": record.origin, "settings": record.settings}
    yield from fields({name: value for name, value in rest.items() if value})
    for name, entry in record.files.items():
        yield f"  {one_line(name)}  {size_of(entry['bytes'])}  sha256 {one_line(entry['sha256'])[:16]}"
    tokens = record.totals.get("tokens")
    if isinstance(tokens, dict):
        yield "  trained on: " + ", ".join(f"{one_line(name)} {count:,}" for name, count in tokens.items())
