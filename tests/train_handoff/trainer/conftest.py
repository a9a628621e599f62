"""A small mix of two domains to train on: text-like ids that a model can learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llama_data.train_handoff.mix import plan_mix
from llama_data.train_handoff.mix_jobs import mix_jobs
from llama_data.train_handoff.shards import Footer, ShardWriter

SEQ_LEN, VOCAB = 32, 128


def write_domain(folder: Path, domain: str, rows: int, seed: int) -> None:
    """Write one token shard whose documents repeat short phrases, so that loss can fall."""
    random = np.random.default_rng(seed)
    phrases = [random.integers(3, VOCAB, size=8) for _ in range(6)]
    stream: list[int] = []
    while len(stream) < rows * SEQ_LEN + 1:
        body = np.concatenate([phrases[index] for index in random.integers(0, 6, size=3)])
        stream += [1, *body.tolist(), 2]
    ids = np.array(stream[: rows * SEQ_LEN + 1], np.uint16)
    packed = np.stack([ids[row * SEQ_LEN : (row + 1) * SEQ_LEN + 1] for row in range(rows)])
    footer = Footer(
        kind="domain", split="train", domain=domain, seq_len=SEQ_LEN, vocab_size=VOCAB,
        tokenizer_sha256="0" * 64, bos_id=1, eos_id=2,
    )  # fmt: skip
    with ShardWriter(str(folder / domain / "00000.parquet"), footer) as writer:
        writer.write(packed)


@pytest.fixture(scope="session")
def mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RUN/mix with 512 rows of 32 tokens from two domains, 3 to 1."""
    run = tmp_path_factory.mktemp("run")
    write_domain(run / "tokens", "books", 400, 1)
    write_domain(run / "tokens", "arxiv", 200, 2)
    plan = plan_mix(
        str(run / "tokens"), weights={"books": 0.75, "arxiv": 0.25}, present=["books", "arxiv"],
        tokens=512 * SEQ_LEN, seed=3, rows_per_shard=200,
    )  # fmt: skip
    for job in mix_jobs(plan, tokens_folder=str(run / "tokens"), output=str(run / "mix")):
        for rank in range(job.tasks):
            for step in job.steps:
                list(step.run(None, rank, job.tasks))
    return run / "mix"
