"""A small mix of two domains to train on: text-like ids that a model can learn."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
from workshop import Workshop

from llama_data.train_handoff.mix.jobs import mix_jobs
from llama_data.train_handoff.mix.plan import plan_mix
from llama_data.train_handoff.shards.file import Footer, ShardWriter
from llama_data.train_handoff.trainer import launch as launching
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.launch import Cluster
from llama_data.train_handoff.trainer.record import SIGNALS

SEQ_LEN, VOCAB = 32, 500


def write_rows(path: Path, domain: str, stream: list[int], sha256: str, split: Any = "train") -> None:
    """Write the ids that fill rows as one token shard."""
    rows = (len(stream) - 1) // SEQ_LEN
    ids = np.array(stream[: rows * SEQ_LEN + 1], np.uint16)
    packed = np.stack([ids[row * SEQ_LEN : (row + 1) * SEQ_LEN + 1] for row in range(rows)])
    footer = Footer(
        kind="domain", split=split, domain=domain, seq_len=SEQ_LEN, vocab_size=VOCAB,
        tokenizer_sha256=sha256, bos_id=1, eos_id=2,
    )  # fmt: skip
    with ShardWriter(str(path), footer) as writer:
        writer.write(packed)


def write_domain(folder: Path, domain: str, rows: int, seed: int, sha256: str) -> None:
    """Write one token shard whose documents repeat short phrases, so that loss can fall."""
    random = np.random.default_rng(seed)
    phrases = [random.integers(260, VOCAB, size=8) for _ in range(6)]
    stream: list[int] = []
    while len(stream) < rows * SEQ_LEN + 1:
        body = np.concatenate([phrases[index] for index in random.integers(0, 6, size=3)])
        stream += [1, *body.tolist(), 2]
    write_rows(folder / domain / "00000.parquet", domain, stream[: rows * SEQ_LEN + 1], sha256)


def write_mix(run: Path, rows: int, max_epochs: float | None = 4.0) -> Path:
    """RUN/mix with ``rows`` rows of its two domains, 3 to 1."""
    plan = plan_mix(
        str(run / "tokens"), weights={"books": 0.75, "arxiv": 0.25}, present=["books", "arxiv"],
        tokens=rows * SEQ_LEN, seed=3, rows_per_shard=200, max_epochs=max_epochs,
    )  # fmt: skip
    for job in mix_jobs(plan, tokens_folder=str(run / "tokens"), output=str(run / "mix")):
        for rank in range(job.tasks):
            for step in job.steps:
                list(step.run(None, rank, job.tasks))
    return run / "mix"


@pytest.fixture(scope="session")
def held_out_texts(words: list[str]) -> list[str]:
    """The documents of books that are in no training row."""
    return [" ".join(words[::7]) + " naïve 日本 " + words[6], "café", " ".join(words[1::5])]


@pytest.fixture(scope="session")
def mix(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path, held_out_texts: list[str]) -> Path:
    """RUN/mix with 512 rows of 32 tokens from two domains, 3 to 1, and held-out rows of one."""
    run = tmp_path_factory.mktemp("run")
    digest = sha256(tokenizer.read_bytes()).hexdigest()
    write_domain(run / "tokens", "books", 400, 1, digest)
    write_domain(run / "tokens", "arxiv", 200, 2, digest)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer))
    stream = [id for text in held_out_texts for id in [1, *processor.encode(text), 2]]
    write_rows(run / "tokens" / "books" / "validation" / "00000.parquet", "books", stream, digest, "validation")
    return write_mix(run, 512)


@pytest.fixture(scope="session")
def long_mix(mix: Path) -> Path:
    """A mix of the same rows for a thousand steps: minutes, in which a run can be disturbed on any machine."""
    run = mix.parent / "long"
    run.mkdir()
    (run / "tokens").symlink_to(mix.parent / "tokens")
    return write_mix(run, 8000, max_epochs=None)


@pytest.fixture(scope="session")
def repeating_mix(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path) -> Path:
    """A mix without held-out rows of 120 rows, in which its 40 and 12 rows stand several times."""
    run = tmp_path_factory.mktemp("repeating")
    digest = sha256(tokenizer.read_bytes()).hexdigest()
    write_domain(run / "tokens", "books", 40, 1, digest)
    write_domain(run / "tokens", "arxiv", 12, 2, digest)
    return write_mix(run, 120)


@pytest.fixture(scope="session")
def alone() -> Callable[[TrainConfig], None]:
    """`launch` on one process, which is this one, for it has torch already."""

    def train(config: TrainConfig) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(launching, "run", work_here)
            launching.launch(config, Cluster())

    return train


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    """What forks the processes of runs on several of them, for tests of what they do and not of how they start."""
    pytest.importorskip("torch")
    found = Workshop()
    yield found
    found.close()


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that train on one process do it in this one."""
    monkeypatch.setattr(launching, "run", work_here)


def work_here(command: list[str], cluster: Cluster, what: str) -> None:
    """In place of ``launch.run``: what the one process that it starts does."""
    pytest.importorskip("torch")
    from llama_data.train_handoff.trainer import distributed, loop

    assert cluster.alone
    assert command[-2] == launching.WORKER
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        loop.run(TrainConfig.model_validate_json(Path(command[-1]).read_text()), loop.Stop())
    finally:
        distributed.stop()
        for number, handler in handlers.items():
            signal.signal(number, handler)


MakeModel = Callable[..., Path]


@pytest.fixture
def make_model(tmp_path: Path, tokenizer: Path) -> MakeModel:
    """Write RUN/train with one checkpoint of a model that was drawn at random, and RUN/tokenizer; returns RUN."""

    def write(
        name: str = "run", model_file: bytes | None = None, rows: dict[str, Any] | None = None, **sizes: Any
    ) -> Path:
        torch = pytest.importorskip("torch")
        from llama_data.train_handoff.trainer import checkpoint
        from llama_data.train_handoff.trainer.config import ModelConfig
        from llama_data.train_handoff.trainer.model import Llama
        from llama_data.train_handoff.trainer.record import Record, checkpoint_name

        run = tmp_path / name
        (run / "tokenizer").mkdir(parents=True)
        content = tokenizer.read_bytes() if model_file is None else model_file
        (run / "tokenizer" / "tokenizer.model").write_bytes(content)
        small = {"dim": 32, "n_layers": 2, "n_heads": 4, "vocab_size": VOCAB, "seq_len": SEQ_LEN, "multiple_of": 32}
        config = ModelConfig(**{**small, **sizes})
        model = Llama(config)
        model.init_weights(7)
        with torch.no_grad():
            for parameter in model.parameters():  # sharper than trained ones, so that no two logits are alike
                parameter.mul_(4 if parameter.dim() > 1 else 1).add_(0.1 * torch.randn(parameter.shape))
        record = Record(
            step=3, rows=24, fingerprint="" if rows is None else "f", seed=1,
            tokenizer_sha256=sha256(content).hexdigest(),
            model=config.model_dump(), **(rows or {}),
        )  # fmt: skip
        folder = run / "train" / "checkpoints"
        folder.mkdir(parents=True)
        checkpoint.save_weights(folder / checkpoint_name(24), record, model)
        return run

    return write
