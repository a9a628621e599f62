"""How many checkpoints a run keeps: the newest ones, exactly as many as asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import torch.distributed as dist  # noqa: E402

from llama_data.train_handoff.trainer import checkpoint  # noqa: E402
from llama_data.train_handoff.trainer.record import RECORD, Record, checkpoints, find_checkpoint, read_record  # noqa: E402


@pytest.fixture
def one_process() -> Iterator[None]:
    """A process group of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def record(step: int) -> Record:
    return Record(step=step, rows=step * 8, fingerprint="f", seed=1, tokenizer_sha256="t", model={})


@pytest.mark.parametrize(
    ("keep", "left"), [(None, [1, 2, 3, 4, 5]), (5, [1, 2, 3, 4, 5]), (4, [2, 3, 4, 5]), (2, [4, 5]), (1, [5])]
)
def test_the_newest_are_kept_and_no_more(tmp_path: Path, one_process: None, keep: int | None, left: list[int]) -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    (tmp_path / "checkpoints" / "step-00000000.partial").mkdir(parents=True)
    for step in range(1, 6):
        model(torch.ones(2)).sum().backward()
        optimizer.step()
        path = checkpoint.save(tmp_path, record(step), model, optimizer, keep)
        assert path.name == f"step-{step:08d}"
        expected = list(range(1, step + 1))[-(keep or 99) :]
        assert [read_record(found).step for found in checkpoints(tmp_path)] == expected
    assert [found.name for found in checkpoints(tmp_path)] == [f"step-{step:08d}" for step in left]
    assert find_checkpoint(tmp_path).name == "step-00000005"
    assert (tmp_path / "checkpoints" / "step-00000000.partial").is_dir()


def test_a_checkpoint_that_is_saved_again_takes_the_place_of_the_old(tmp_path: Path, one_process: None) -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    for value in (1.0, 2.0):
        torch.nn.init.constant_(model.weight, value)
        model(torch.ones(2)).sum().backward()
        checkpoint.save(tmp_path, record(3), model, optimizer, 1)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000003"]
    fresh = torch.nn.Linear(2, 1)
    checkpoint.load_parameters(find_checkpoint(tmp_path), fresh)
    assert fresh.weight.tolist() == [[2.0, 2.0]]


def test_what_is_not_complete_is_no_checkpoint(tmp_path: Path) -> None:
    for name in ("step-00000007", "step-00000008", "step-00000009.partial", "step-10", "other"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    for name in ("step-00000007", "step-00000009.partial", "step-10", "other"):
        (tmp_path / "checkpoints" / name / RECORD).write_text("{}")
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000007"]
