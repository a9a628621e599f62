"""Checkpoints that are written while training goes on: of the step they began at, whole or not there, waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import torch.distributed as dist  # noqa: E402
from torch.distributed.checkpoint import FileSystemWriter, state_dict_saver  # noqa: E402

from llama_data.pipeline.core.errors import RunError, StoppedError  # noqa: E402
from llama_data.train_handoff.trainer import checkpoint  # noqa: E402
from llama_data.train_handoff.trainer.config import TrainConfig  # noqa: E402
from llama_data.train_handoff.trainer.distributed import Processes  # noqa: E402
from llama_data.train_handoff.trainer.record import Record, checkpoints, find_checkpoint, read_record  # noqa: E402
from llama_data.train_handoff.trainer.saver import Saver  # noqa: E402


@pytest.fixture
def one_process() -> Iterator[Processes]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield Processes(0, 1, torch.device("cpu"), None)  # type: ignore[arg-type]
    dist.destroy_process_group()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Nothing is written until it is set."""
    event, save = threading.Event(), state_dict_saver.save

    def wait(*arguments: Any, **options: Any) -> Any:
        assert event.wait(120)
        return save(*arguments, **options)

    monkeypatch.setattr(state_dict_saver, "save", wait)
    return event


class Training:
    """A model and its optimiser, in which every value is the number of steps that were taken."""

    def __init__(self) -> None:
        self.model = torch.nn.Linear(3, 2, bias=False)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.0, weight_decay=0.0)
        self.steps = 0

    def step(self) -> Record:
        self.model.weight.grad = torch.ones(2, 3)
        self.optimizer.step()
        self.steps += 1
        with torch.no_grad():
            self.model.weight.fill_(self.steps)
        return Record(
            step=self.steps, rows=8 * self.steps, fingerprint="f", seed=1, tokenizer_sha256="t", model={}
        )  # fmt: skip


def steps_in(path: Path) -> tuple[float, float]:
    """The number of steps that the weights, and the optimiser, of a checkpoint have seen."""
    fresh = Training()
    fresh.step()
    checkpoint.load(path, fresh.model, fresh.optimizer)
    (state,) = fresh.optimizer.state.values()
    return float(fresh.model.weight.detach().mean()), float(state["step"])


def test_what_is_saved_is_the_step_at_which_it_began(
    tmp_path: Path, one_process: Processes, held: threading.Event
) -> None:
    training, saver = Training(), Saver(tmp_path, None, background=True)
    saver.save(training.step(), training.model, training.optimizer)
    for _ in range(3):
        training.step()
    assert checkpoints(tmp_path) == []
    assert not saver.failed()
    held.set()
    saver.finish()
    assert steps_in(find_checkpoint(tmp_path)) == (1.0, 1.0)
    saver.save(training.step(), training.model, training.optimizer)  # the copy is used again
    saver.finish()
    assert steps_in(find_checkpoint(tmp_path)) == (5.0, 5.0)
    assert read_record(find_checkpoint(tmp_path)).rows == 40
    assert checkpoint.find_sound(tmp_path, one_process) == find_checkpoint(tmp_path)


def test_the_next_waits_for_the_one_before_and_the_oldest_are_dropped(
    tmp_path: Path, one_process: Processes, held: threading.Event
) -> None:
    training, saver = Training(), Saver(tmp_path, 2, background=True)
    saver.save(training.step(), training.model, training.optimizer)
    release = threading.Timer(0.3, held.set)
    release.start()
    saver.save(training.step(), training.model, training.optimizer)
    assert [read_record(path).step for path in checkpoints(tmp_path)][:1] == [1]
    saver.save(training.step(), training.model, training.optimizer)
    saver.finish()
    assert [read_record(path).step for path in checkpoints(tmp_path)] == [2, 3]
    assert [path.name for path in (tmp_path / "checkpoints").iterdir() if path.suffix] == []


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("what", ["tensors", "record"])
def test_what_cannot_be_written_ends_the_run_and_leaves_what_was_there(
    tmp_path: Path, one_process: Processes, monkeypatch: pytest.MonkeyPatch, background: bool, what: str
) -> None:
    training, saver = Training(), Saver(tmp_path, 1, background=background)
    saver.save(training.step(), training.model, training.optimizer)
    saver.finish()
    if what == "tensors":
        monkeypatch.setattr(FileSystemWriter, "write_data", full)
    else:
        monkeypatch.setattr(checkpoint, "_finish", full)

    def save_and_wait() -> None:
        saver.save(training.step(), training.model, training.optimizer)
        saver.finish()

    with pytest.raises(
        RunError,
        match=r"rows-\d+\.partial: .* not be written: .*No space left on device; those before it are as",
    ):
        save_and_wait()
    assert not saver.failed()
    assert [read_record(path).step for path in checkpoints(tmp_path)] == [1]
    assert checkpoint.find_sound(tmp_path, one_process) == find_checkpoint(tmp_path)


def test_a_failure_is_known_without_waiting(
    tmp_path: Path, one_process: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, saver = Training(), Saver(tmp_path, 1, background=True)
    monkeypatch.setattr(FileSystemWriter, "write_data", full)
    saver.save(training.step(), training.model, training.optimizer)
    assert saver._pending is not None
    saver._pending.exception(120)
    assert saver.failed()
    with pytest.raises(RunError):
        saver.finish()


KILLED = """
import os, signal, sys
from torch.distributed.checkpoint import state_dict_saver
from llama_data.train_handoff.trainer import loop
save, count = state_dict_saver.save, []

def slow(*arguments, **options):
    count.append(None)
    if len(count) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return save(*arguments, **options)

state_dict_saver.save = slow
loop.main(sys.argv[1])
"""


@pytest.fixture
def settings(mix: Path, tmp_path: Path) -> TrainConfig:
    """Eight steps of a run that saves after every second one, in the background."""
    return TrainConfig.model_validate(
        {
            "name": "test",
            "data": str(mix),
            "output": str(tmp_path / "run"),
            "model": {"dim": 32, "n_heads": 2, "n_layers": 1, "multiple_of": 32},
            "batch_tokens": 256,
            "steps": 8,
            "dtype": "float32",
            "device": "cpu",
            "save_every": 2,
            "keep_checkpoints": None,
            "async_save": "on",
        }
    )


def saved_steps(settings: TrainConfig) -> list[int]:
    return [read_record(found).step for found in checkpoints(Path(settings.output or ""))]


def test_killed_while_it_saves_a_run_goes_on_from_the_checkpoint_before(
    settings: TrainConfig, tmp_path: Path, alone: Callable[[TrainConfig], None]
) -> None:
    path = tmp_path / "train.json"
    path.write_text(settings.model_dump_json())
    (tmp_path / "run").mkdir()
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False).returncode == -signal.SIGKILL
    assert saved_steps(settings) == [2, 4]
    alone(settings)
    assert saved_steps(settings) == [2, 4, 6, 8]


def test_a_signal_waits_for_the_checkpoint_in_hand_and_saves_one_more(
    settings: TrainConfig, alone: Callable[[TrainConfig], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    save, count = state_dict_saver.save, []

    def slow(*arguments: Any, **options: Any) -> Any:
        count.append(None)
        if len(count) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        return save(*arguments, **options)

    monkeypatch.setattr(state_dict_saver, "save", slow)
    with pytest.raises(StoppedError, match="saved at row") as stopped:
        alone(settings)
    assert stopped.value.number == signal.SIGTERM
    steps = saved_steps(settings)
    assert steps[0] == 2
    assert len(steps) == 2
    assert steps[1] in (3, 4)
