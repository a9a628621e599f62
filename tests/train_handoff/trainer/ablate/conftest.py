"""Mixes of a small language in which words follow each other in phrases, clean and spoiled, by the real mix writer."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.jsonl import JsonlWriter
from llama_data.train_handoff.mix.jobs import mix_jobs
from llama_data.train_handoff.mix.plan import plan_mix
from llama_data.train_handoff.pack import PackSettings, tokenize_jobs

SEQ_LEN = 64
MODEL = """\
name: small
model: {dim: 48, n_heads: 2, n_layers: 2, multiple_of: 16}
optim: {lr: 1.0e-2, warmup_steps: 4}
batch_tokens: 1024
micro_rows: 16
dtype: float32
"""
WriteMix = Callable[..., Path]


def _run(jobs: list[Job]) -> None:
    for job in jobs:
        for rank in range(job.tasks):
            for step in job.steps:
                list(step.run(None, rank, job.tasks))


@pytest.fixture(scope="session")
def write_mix(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path) -> WriteMix:
    """RUN/mix of texts, of all their rows, with a tenth of the documents held out; returns RUN."""

    def write(name: str, texts: list[str], *, seq_len: int = SEQ_LEN, tokens: int | None = None) -> Path:
        folder = tmp_path_factory.mktemp("ablate") / name
        run = RunContext(input=str(folder), output=str(folder), seed=1)
        with JsonlWriter(f"{run.documents('web')}/00000.jsonl.zst") as writer:
            for number, text in enumerate(texts):
                metadata = {"domain": "web", "source": f"web.gz#{number}"}
                writer.write({"id": f"web/{number}", "text": text, "metadata": metadata})
        settings = PackSettings(seq_len=seq_len, validation=0.1)
        _run(tokenize_jobs("web", run, tokenizer=str(tokenizer), settings=settings))
        (folder / "tokenizer").mkdir()
        (folder / "tokenizer" / "tokenizer.model").write_bytes(tokenizer.read_bytes())
        plan = plan_mix(
            str(folder / "tokens"), weights={"web": 1}, present=["web"], tokens=tokens, seed=3,
            rows_per_shard=300, max_epochs=1.0 if tokens is None else None,
        )  # fmt: skip
        _run(mix_jobs(plan, tokens_folder=str(folder / "tokens"), output=str(folder / "mix")))
        return folder

    return write


@pytest.fixture(scope="session")
def texts(words: list[str]) -> list[str]:
    """Documents whose words stand in phrases."""
    chooser = random.Random(21)
    phrases = [" ".join(chooser.choices(words, k=6)) for _ in range(80)]
    return [" ".join(chooser.choices(phrases, k=chooser.randint(3, 9))) for _ in range(900)]


@pytest.fixture(scope="session")
def neutral(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    """Documents of the same language that no mix has, as a .jsonl file."""
    path = tmp_path_factory.mktemp("neutral") / "news.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts[800:]))
    return path


@pytest.fixture(scope="session")
def clean(write_mix: WriteMix, texts: list[str]) -> Path:
    return write_mix("clean", texts[:800])


@pytest.fixture(scope="session")
def shuffled(write_mix: WriteMix, texts: list[str]) -> Path:
    """The same documents with their words in any order."""
    chooser = random.Random(22)
    return write_mix("shuffled", [" ".join(chooser.sample(text.split(), len(text.split()))) for text in texts[:800]])


@pytest.fixture(scope="session")
def boilerplate(write_mix: WriteMix, texts: list[str], words: list[str]) -> Path:
    """The same documents between what stands on every page of a site."""
    menu = " ".join(words[:60])
    return write_mix("boilerplate", [f"{menu}\n{text}\n{menu}" for text in texts[:400]])


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.yaml"
    path.write_text(MODEL)
    return path
