"""Curves for TensorBoard and Weights & Biases, read back from the files they are in."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.watch.observer import HeldOut, Observer, StepSeen

torch = pytest.importorskip("torch")

from llama_data.train_handoff.trainer.watch.boards import Guarded, TensorBoard, Wandb  # noqa: E402

MakeConfig = Callable[..., TrainConfig]
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


def seen(step: int, **changes: Any) -> StepSeen:
    values: dict[str, Any] = {
        "step": step, "row": 8 * step, "end": 8 * step + 8, "rows": 8, "tokens": 256 * (step + 1), "loss": 10.0 - step,
        "lr": 1e-3, "norm": 0.5, "seconds": 2.0, "data_wait": 0.5, "tokens_per_second": 128.0, "mfu": None,
        "peak_memory": 1, "processes": 2, "by_domain": {"books": 2.25}, "seen": {"books": 256 * step},
    }  # fmt: skip
    return StepSeen(**{**values, **changes})


def held_out(step: int, loss: float) -> HeldOut:
    figures = {"windows": 2, "loss": loss, "bits_per_byte": 1.5}
    return HeldOut(step, 8 * step + 8, 256 * (step + 1), 0.1, figures, {"books": {**figures, "loss": loss + 1}})


def curve(folder: Path, tag: str) -> list[tuple[int, float]]:
    """The points of a curve as TensorBoard shows them."""
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"), purge_orphaned_data=True)
    events.Reload()
    return [(point.step, point.value) for point in events.Scalars(tag)]


@pytest.mark.parametrize(("axis", "places"), [("step", [0, 1, 2, 3]), ("tokens", [256, 512, 768, 1024])])
def test_a_resumed_run_draws_on_from_where_it_goes_on(tmp_path: Path, axis: Any, places: list[int]) -> None:
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    first = TensorBoard(tmp_path, axis, 0)
    for step in range(4):  # steps 2 and 3 are in no checkpoint: they are taken again
        first.step(seen(step, skipped="spike" if step == 1 else None))
    first.held_out(held_out(1, 5.0))
    first.close()
    again = TensorBoard(tmp_path, axis, 2 if axis == "step" else 2 * 256 + 1)
    for step in (2, 3):
        again.step(seen(step, loss=float("nan") if step == 3 else 1.0))
    again.held_out(held_out(3, 4.0))
    again.close()
    assert curve(tmp_path, "loss/all") == [(places[0], 10.0), (places[1], 9.0), (places[2], 1.0)]
    assert curve(tmp_path, "tokens/books") == [(place, 256.0 * step) for step, place in enumerate(places)]
    assert curve(tmp_path, "held_out/books") == [(places[1], 6.0), (places[3], 5.0)]
    assert curve(tmp_path, "events/skipped") == [(places[1], 1.0)]


def test_a_run_that_is_resumed_is_one_curve(
    make_config: MakeConfig, tmp_path: Path, alone: Callable[[TrainConfig], None]
) -> None:
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    watch = {"tensorboard": True, "validate_every": 2, "sample_every": None}
    for steps in (4, 6):
        alone(make_config(tmp_path, watch=watch, steps=steps, change=True))
    found = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [line for line in found if line["kind"] == "step"]
    assert [step for step, _ in curve(tmp_path, "loss/all")] == list(range(6))
    assert [value for _, value in curve(tmp_path, "loss/all")] == pytest.approx([line["loss"] for line in losses])
    held = [(line["step"], line["loss/arxiv"]) for line in found if line["kind"] == "held_out"]
    assert [step for step, _ in held] == [1, 3, 5]
    assert curve(tmp_path, "held_out/arxiv") == [(step, pytest.approx(loss)) for step, loss in held]


def test_wandb_logs_offline_and_leaves_the_signals_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="the extra `wandb` is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    before = [signal.getsignal(number) for number in SIGNALS]
    for begin in (0, 2):
        board = Wandb(tmp_path, "project", "tokens", {"name": "test"})
        for step in (begin, begin + 1):
            board.step(seen(step))
            board.held_out(held_out(step, 5.0))
        board.end({"device_hours": 1.0})
        board.close()
    assert [signal.getsignal(number) for number in SIGNALS] == before
    (first, second) = sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    assert first.name == second.name == f"run-{json.loads((tmp_path / 'wandb-run.json').read_text())['id']}.wandb"
    assert [entry["step"] for entry in history(first)] == [0, 1]
    (newest, *_) = reversed(history(second))
    assert (newest["step"], newest["tokens"], newest["loss/all"], newest["held_out/books"]) == (3, 1024, 7.0, 6.0)


def history(path: Path) -> list[dict[str, Any]]:
    """What an offline run has logged, step by step.

    Its file is a header of 7 bytes and records in LevelDB's log format: blocks of 32 KiB, in which a piece of a record
    has a checksum (4 bytes), its length (2), and whether it is whole, the first, one in the middle or the last (1).
    """
    from wandb.proto import wandb_internal_pb2

    data, place, record, found = path.read_bytes(), 7, b"", []
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        record = (record if kind in (3, 4) else b"") + data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            told = wandb_internal_pb2.Record.FromString(record)
            items = told.history.item if told.HasField("history") else ()
            if items:
                found.append({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})
    return found


def test_a_board_that_fails_does_not_end_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[int] = []

    class Board(Observer):
        def step(self, seen: StepSeen) -> None:
            told.append(seen.step)
            if seen.step == 1:
                raise OSError("no space left")

    guarded = Guarded("tensorboard", Board)
    for step in range(4):
        guarded.step(seen(step))
    guarded.close()
    assert told == [0, 1]
    assert capsys.readouterr().err == (
        "llama-train: tensorboard: OSError: no space left; training goes on without it\n"
    )

    def refuse() -> Observer:
        raise ValueError("no login")

    Guarded("wandb", refuse).step(seen(0))
    assert "wandb: ValueError: no login" in capsys.readouterr().err
