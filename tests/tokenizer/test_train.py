"""Sampling the text for a tokenizer, and training on it."""

from __future__ import annotations

import json
import random
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llama_data.pipeline.core.errors import InputError, RecipeError
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.jsonl import JsonlWriter
from llama_data.tokenizer.sample import MAX_LINE_BYTES, Counts, Lowest, line_keys, split_lines
from llama_data.tokenizer.train import TokenizerSettings, predicted_memory, train_jobs, train_model


def sample_lines() -> list[str]:
    chooser = random.Random(3)
    words = ["".join(chooser.choices("abcdefghilmnoprstu", k=chooser.randint(2, 8))) for _ in range(400)]
    return [" ".join(chooser.choices(words, k=10)) + "." for _ in range(800)]


def write_documents(run: RunContext, domain: str, files: list[list[str]]) -> None:
    for number, texts in enumerate(files):
        with JsonlWriter(f"{run.documents(domain)}/{number:05d}.jsonl.zst") as writer:
            for index, text in enumerate(texts):
                id = f"{domain}/{text[:20]}-{index}"
                writer.write({"id": id, "text": text, "metadata": {"domain": domain, "source": id}})


def test_long_lines_are_cut_at_whitespace_and_counted() -> None:
    counts = Counts()
    text = "short\n\n   \n" + "word " * 2000 + "\n" + "é" * 4000 + "\nwith nul \x00\nwith mark \u2585\nlast"
    lines = split_lines(text, counts)
    assert max(map(len, lines)) <= MAX_LINE_BYTES
    assert b"".join(lines).decode() == "short" + "word " * 2000 + "é" * 4000 + "last"
    assert (counts.lines, counts.left_out) == (6, 2)
    assert counts.cut_at_whitespace == 2
    assert counts.cut_in_word == 1


def test_the_sample_does_not_depend_on_how_the_input_is_divided() -> None:
    lines = [f"line {number} {'x' * (number % 50)}".encode() for number in range(5000)]
    keys = line_keys(1, "a document", len(lines))

    def take(parts: int) -> list[bytes]:
        whole = Lowest(20_000, 900)
        for part in range(parts):
            own = Lowest(20_000, 900)
            own.add(keys[part::parts], lines[part::parts])
            own.trim()
            whole.add(own.keys[0], own.lines)
        whole.trim()
        return whole.lines

    assert take(1) == take(7) == take(50)
    assert sum(map(len, take(1))) <= 20_000
    assert len(take(1)) <= 900
    assert len(np.unique(keys)) == len(keys)
    assert not np.array_equal(keys, line_keys(2, "a document", len(lines)))


def test_training_gives_the_same_bytes_for_any_order_of_lines_and_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [line.encode() for line in sample_lines()]
    first = train_model(lines, vocab_size=500, input_sentence_size=10_000)
    assert train_model(lines[::-1], vocab_size=500, input_sentence_size=10_000) == first
    monkeypatch.setitem(__import__("llama_data.tokenizer.train", fromlist=["x"]).LLAMA_SETTINGS, "num_threads", 1)
    other = train_model(lines, vocab_size=500, input_sentence_size=10_000)
    from llama_data.tokenizer.model_file import parse_model

    assert parse_model(other).pieces == parse_model(first).pieces


def test_too_little_text_for_the_vocabulary_is_a_clear_error() -> None:
    with pytest.raises(RecipeError, match=r"20000 pieces cannot be made from this text.*smaller vocab_size"):
        train_model([line.encode() for line in sample_lines()], vocab_size=20000, input_sentence_size=10_000)


def test_jobs_write_the_tokenizer_and_its_card(tmp_path: Path, run_jobs: Any) -> None:
    lines = sample_lines()
    models = []
    for name, division in (("one", 1), ("many", 4)):
        run = RunContext(input=str(tmp_path), output=str(tmp_path / name), seed=5)
        texts = ["\n".join(lines[at : at + 10]) for at in range(0, 600, 10)]
        parts = [texts[at : at + len(texts) // division] for at in range(0, len(texts), len(texts) // division)]
        chosen = [[text for text in part] for part in parts]
        for number, part in enumerate(chosen):
            with JsonlWriter(f"{run.documents('books')}/{number:05d}.jsonl.zst") as writer:
                for text in part:
                    id = f"books/{text[:30]}"
                    writer.write({"id": id, "text": text, "metadata": {"domain": "books", "source": id}})
        write_documents(run, "web", [lines[600:]])
        settings = TokenizerSettings(
            vocab_size=450, sample_bytes=30_000, max_task_bytes=3000 if division > 1 else 1 << 30
        )
        jobs = train_jobs(run, weights={"web": 0.25, "books": 0.75}, settings=settings)
        run_jobs(jobs)
        models.append((tmp_path / name / "tokenizer" / "tokenizer.model").read_bytes())
        assert not (tmp_path / name / "work" / "tokenizer" / "sample").exists()
    assert models[0] == models[1]
    card = json.loads((tmp_path / "one" / "tokenizer" / "card.json").read_bytes())
    assert card["sha256"] == sha256(models[0]).hexdigest()
    assert card["settings"]["character_coverage"] == 0.99995
    assert card["input"]["books"]["share_of_sample"] == pytest.approx(0.75, abs=0.01)
    assert card["input"]["web"]["read"]["documents"] == 200
    assert sorted(path.name for path in (tmp_path / "one" / "tokenizer").iterdir()) == [
        "card.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer.vocab",
        "tokenizer_config.json",
    ]


def test_a_domain_without_documents_is_named(tmp_path: Path) -> None:
    run = RunContext(input=str(tmp_path), output=str(tmp_path))
    with pytest.raises(InputError, match="documents/arxiv"):
        train_jobs(run, weights={"arxiv": 1.0}, settings=TokenizerSettings())
    with pytest.raises(RecipeError, match="weight"):
        train_jobs(run, weights={"arxiv": 0.0}, settings=TokenizerSettings())


def test_predicted_memory_grows_with_the_bounds_of_the_sample() -> None:
    small = predicted_memory(TokenizerSettings(sample_bytes=1 << 20))
    large = predicted_memory(TokenizerSettings(sample_bytes=1 << 30))
    assert small < large
    assert predicted_memory(TokenizerSettings(sample_bytes=1 << 30, input_sentence_size=1000)) < large
