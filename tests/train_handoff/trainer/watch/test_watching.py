"""Real runs that are watched: the figures are right, nothing is lost or repeated, and training is as it would be."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from workshop import Workshop

from llama_data.pipeline.core.errors import RequestError, StoppedError
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.launch import Cluster, describe, launch, start_command
from llama_data.train_handoff.trainer.record import SIGNALS, checkpoint_name, checkpoints, read_record

torch = pytest.importorskip("torch")

from llama_data.train_handoff.trainer import distributed, learner  # noqa: E402
from llama_data.train_handoff.trainer.loop import Stop, Trainer  # noqa: E402
from llama_data.train_handoff.trainer.measure import evaluate  # noqa: E402
from llama_data.train_handoff.trainer.metrics import Metrics  # noqa: E402
from llama_data.train_handoff.trainer.watch.energy import Spent  # noqa: E402

MakeConfig = Callable[..., TrainConfig]
OFF: dict[str, Any] = {"sample_every": None}
ALL: dict[str, Any] = {
    "validate_every": 3, "validate_rows": 4, "sample_every": 2, "slow_factor": 50, "profile_steps": (2, 4),
    "device_watts": 100, "data_wait": 0.99,
}  # fmt: skip


def lines(folder: Path, kind: str = "step") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in found if line["kind"] == kind]


@pytest.fixture(scope="module")
def watched(make_config: MakeConfig, tmp_path_factory: pytest.TempPathFactory, workshop: Workshop) -> Path:
    """A run on two processes of which everything is watched."""
    output = tmp_path_factory.mktemp("run") / "train"
    with workshop.instead():
        launch(make_config(output, watch=ALL), Cluster(nproc=2))
    return output


@pytest.fixture
def processes(make_config: MakeConfig, tmp_path: Path) -> Iterator[distributed.Processes]:
    yield distributed.start(make_config(tmp_path, watch=OFF))
    distributed.stop()


@pytest.fixture
def train(processes: distributed.Processes) -> Iterator[Callable[..., Trainer]]:
    """Train in this process; ``stop_at``: as if a signal came in that step."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    stop = Stop()

    def run(config: TrainConfig, stop_at: int | None = None) -> Trainer:
        stop.got = 0
        trainer = Trainer(config, processes, stop)
        true = trainer.learner.update

        def update(batch: Any, rate: float) -> Any:
            stop.got = signal.SIGTERM if batch.step == stop_at else 0
            return true(batch, rate)

        trainer.learner.update = update  # type: ignore[method-assign]
        with suppress(StoppedError) if stop_at is not None else nullcontext():
            trainer.train()
        return trainer

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_training_is_bit_for_bit_what_it_is_unwatched(
    watched: Path, make_config: MakeConfig, tmp_path: Path, workshop: Workshop
) -> None:
    with workshop.instead():
        launch(make_config(tmp_path, watch=OFF), Cluster(nproc=2))
    for ours, theirs in zip(lines(watched), lines(tmp_path), strict=True):
        same = (
            "step",
            "row",
            "loss",
            "gradient_norm",
            "lr",
            "loss/books",
            "loss/arxiv",
            "tokens/books",
            "epochs/arxiv",
        )
        assert {name: ours.get(name) for name in same} == {name: theirs.get(name) for name in same}
    kept = [checkpoint_name(32), checkpoint_name(64)]
    assert [path.name for path in checkpoints(watched)] == [path.name for path in checkpoints(tmp_path)] == kept
    for ours, theirs in zip(checkpoints(watched), checkpoints(tmp_path), strict=True):
        for name in read_record(ours).files:
            if name.endswith(".distcp"):
                assert read_record(ours).files[name] == read_record(theirs).files[name]
    assert lines(tmp_path, "held_out") == []


def test_held_out_losses_are_those_of_evaluate_on_any_number_of_processes(watched: Path, watched_mix: Path) -> None:
    held = lines(watched, "held_out")
    assert [(line["step"], line["row"]) for line in held] == [(2, 24), (5, 48), (7, 64)]
    request = evaluate.Request(
        checkpoint=str(checkpoints(watched)[-1]), data=str(watched_mix), limit=4, micro_rows=4, device="cpu",
        tokenizer=str(watched_mix.parent / "tokenizer"),
    )  # fmt: skip
    expected = evaluate.evaluate_alone(request)
    assert held[-1]["loss"] == expected["all"]["loss"]
    assert held[-1]["bits_per_byte"] == expected["all"]["bits_per_byte"]
    for name, figures in expected["domains"].items():
        assert {figure: held[-1][f"{figure}/{name}"] for figure in ("windows", "loss", "bits_per_byte")} == {
            figure: figures[figure] for figure in ("windows", "loss", "bits_per_byte")
        }
    assert held[-1]["windows/arxiv"] == 4  # of 5
    assert held[0]["loss/arxiv"] != held[1]["loss/arxiv"]


def test_tokens_and_epochs_are_those_of_the_rows_that_were_read(watched: Path, watched_mix: Path) -> None:
    rows = Mixture(str(watched_mix))
    count = Counter(rows.domains[rows.domain_of(row)] for row in range(64))
    last, summary = lines(watched)[-1], json.loads((watched / "summary.json").read_text())
    for domain in rows.record["domains"]:
        name = domain["name"]
        assert last[f"tokens/{name}"] == summary["domains"][name]["tokens"] == 32 * count[name]
        assert last[f"epochs/{name}"] == count[name] / domain["rows"]
        shares = [(line[f"loss/{name}"], line[f"tokens/{name}"]) for line in lines(watched) if f"loss/{name}" in line]
        before = [0, *(tokens for _, tokens in shares)]
        mean = sum(loss * (tokens - b) for (loss, tokens), b in zip(shares, before, strict=False)) / before[-1]
        assert summary["domains"][name]["mean_loss"] == pytest.approx(mean)
        assert summary["domains"][name]["last_loss"] == shares[-1][0]
        assert summary["domains"][name]["held_out_loss"] == lines(watched, "held_out")[-1][f"loss/{name}"]
    assert read_record(checkpoints(watched)[-1]).totals["tokens"] == {
        name: 32 * number for name, number in sorted(count.items())
    }
    hours = last["device_hours"]
    assert last["energy_kwh"] == pytest.approx(hours * 100 * 1.1 / 1000)
    assert last["co2e_kg"] == pytest.approx(last["energy_kwh"] * 0.385)
    assert hours < summary["device_hours"] < hours + 1
    assert hours > 2 * sum(line["seconds"] for line in lines(watched)[:-1]) / 3600


def test_the_profile_holds_the_steps_that_were_asked_for(watched: Path) -> None:
    assert sorted(path.name for path in (watched / "profile").iterdir()) == [
        "rank0-steps-2-4.json.gz", "rank0-steps-2-4.txt",
    ]  # fmt: skip
    with gzip.open(watched / "profile" / "rank0-steps-2-4.json.gz") as stream:
        names = Counter(event.get("name") for event in json.load(stream)["traceEvents"])
    assert names["Optimizer.step#AdamW.step"] == 2
    assert "Self CPU" in (watched / "profile" / "rank0-steps-2-4.txt").read_text()


def test_resumed_elsewhere_it_goes_on_with_what_was_counted(
    watched: Path, make_config: MakeConfig, train: Callable[..., Trainer], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(watched, run)
    shutil.rmtree(checkpoints(run)[-1])
    train(make_config(run, watch={**ALL, "profile_steps": None}))
    assert [line["row"] for line in lines(run, "held_out")] == [24, 48, 64]
    assert [line["row"] for line in lines(run)] == [8 * step for step in range(8)]
    replaced = [json.loads(line) for line in (run / "metrics-replaced.jsonl").read_text().splitlines()]
    assert [(line["kind"], line["row"]) for line in replaced] == [
        ("step", 32), ("step", 40), ("held_out", 48), ("step", 48), ("step", 56), ("held_out", 64),
    ]  # fmt: skip
    ours, theirs = (json.loads((folder / "summary.json").read_text()) for folder in (run, watched))
    assert {name: figures["tokens"] for name, figures in ours["domains"].items()} == {
        name: figures["tokens"] for name, figures in theirs["domains"].items()
    }
    assert ours["domains"]["books"]["mean_loss"] == pytest.approx(theirs["domains"]["books"]["mean_loss"], rel=1e-4)
    # What the steps took that were taken twice is spent all the same.
    assert lines(run)[4]["device_hours"] > lines(watched)[-1]["device_hours"]
    np.testing.assert_allclose(
        [line["loss"] for line in lines(run, "held_out")],
        [line["loss"] for line in lines(watched, "held_out")],
        rtol=1e-4,
    )


def test_no_held_out_loss_is_lost_or_measured_twice(
    make_config: MakeConfig, train: Callable[..., Trainer], tmp_path: Path
) -> None:
    config = make_config(tmp_path, watch={**OFF, "validate_every": 2}, steps=5, save_every=2)
    train(config, stop_at=1)  # stopped when one was due: it is owed
    assert [line["row"] for line in lines(tmp_path, "held_out")] == []
    train(config, stop_at=3)
    assert [line["row"] for line in lines(tmp_path, "held_out")] == [16]
    train(config)
    whole = (tmp_path / "metrics.jsonl").read_text()
    assert [line["row"] for line in lines(tmp_path, "held_out")] == [16, 32, 40]
    train(config)  # nothing is left to do
    assert (tmp_path / "metrics.jsonl").read_text() == whole
    # Killed after the last checkpoint, while the held-out loss was measured.
    (tmp_path / "metrics.jsonl").write_text("".join(whole.splitlines(keepends=True)[:-1]) + whole[-50:-10])
    train(config)
    newest, before = lines(tmp_path, "held_out")[-1], json.loads(whole.splitlines()[-1])
    assert {**newest, "seconds": 0} == {**before, "seconds": 0}


def test_steps_and_rows_that_are_left_out_are_not_counted(
    make_config: MakeConfig,
    train: Callable[..., Trainer],
    tmp_path: Path,
    watched_mix: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    calls, true = iter(range(100)), learner.token_losses

    def spoilt(*arguments: Any, **named: Any) -> Any:
        return true(*arguments, **named) * (float("nan") if next(calls) == 2 else 1.0)

    monkeypatch.setattr(learner, "token_losses", spoilt)
    train(make_config(tmp_path, watch=OFF, steps=4, micro_rows=8, skip_rows=((4, 9),)))
    rows = Mixture(str(watched_mix))
    read = [*range(4), *range(9, 37)]
    learnt, lost = read[:16] + read[24:], read[16:24]
    summary = json.loads((tmp_path / "summary.json").read_text())["domains"]
    for code, name in enumerate(rows.domains):
        assert summary[name]["tokens"] == 32 * sum(rows.domain_of(row) == code for row in learnt)
        assert summary[name]["tokens_left_out"] == 32 * sum(rows.domain_of(row) == code for row in lost)
        assert np.isfinite(summary[name]["mean_loss"])
    told = capfd.readouterr()
    assert "step 2 (rows 21 to 28 of the mix): loss nan, gradient norm nan: not_finite; left out" in told.err
    assert "256 tokens were read in steps that were left out" in told.out


WORKER = """\
import os, time
from llama_data.train_handoff.trainer import learner, loop
slow, true = os.environ["RANK"] == "1", learner.token_losses
def losses(*arguments, **named):
    time.sleep(0.8 if slow else 0)
    return true(*arguments, **named)
learner.token_losses, main = losses, loop.main
"""


def test_the_process_that_all_wait_for_is_named(
    make_config: MakeConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    workshop: Workshop,
) -> None:
    (tmp_path / "slow_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    config = make_config(tmp_path / "run", watch={"sample_every": 2, "data_wait": None}, save_every=None)
    (tmp_path / "train.json").write_text(json.dumps(config.model_dump(mode="json")))
    cluster = Cluster(nproc=2)
    workshop.run(start_command(cluster, tmp_path / "train.json", "slow_worker"), cluster, "training")
    told = capfd.readouterr().err
    assert f"llama-train: process 1 on {socket.gethostname()} is slow: " in told
    assert "process 0" not in told


def test_waiting_for_rows_is_told(
    make_config: MakeConfig,
    train: Callable[..., Trainer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    import time

    true = Mixture.__getitem__

    def slowly(self: Mixture, index: int) -> Any:
        time.sleep(0.25)
        return true(self, index)

    monkeypatch.setattr(Mixture, "__getitem__", slowly)
    train(make_config(tmp_path, watch={"sample_every": 4, "data_wait": 0.01}, steps=4))
    assert f"process 0 on {socket.gethostname()} waits for its rows for " in capfd.readouterr().err
    assert sum(line["data_wait_seconds"] for line in lines(tmp_path)) > 0.5


def test_what_was_spent_is_the_most_that_any_line_says(tmp_path: Path) -> None:
    step = {"kind": "step", "row": 0, "device_hours": 2.0, "energy_kwh": 1.0}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(step) + "\n" + json.dumps({**step, "row": 8})[:-9])
    metrics = Metrics(str(tmp_path), 8)
    metrics.close()
    assert metrics.spent == Spent(2.0, 1.0)
    (tmp_path / "metrics-replaced.jsonl").write_text(json.dumps({**step, "device_hours": 3.0}) + "\n{")
    again = Metrics(str(tmp_path), 8)
    again.close()
    assert again.spent == Spent(3.0, 1.0)
    (tmp_path / "summary.json").write_text(json.dumps({"device_hours": 4.0}))
    last = Metrics(str(tmp_path), 8)
    last.close()
    assert last.spent == Spent(4.0, None)
    assert (tmp_path / "metrics.jsonl").read_text() == json.dumps(step) + "\n"


def test_what_cannot_be_validated_is_said_before_anything_starts(
    make_config: MakeConfig, repeating_mix: Path, tmp_path: Path
) -> None:
    config = make_config(tmp_path / "run", watch={"validate_every": 2}, data=str(repeating_mix))
    for ask in (launch, describe):
        with pytest.raises(RequestError, match=r"--validate-every: .* nothing was held out from these rows"):
            ask(config, Cluster())
    assert not (tmp_path / "run").exists()


def test_a_missing_package_is_said_before_anything_starts(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    config = make_config(tmp_path / "run", watch={"wandb": "project"})
    with pytest.raises(RequestError, match=r"llama-data\[wandb\]"):
        launch(config, Cluster())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "torn",
    [
        b"\xff\x00\x80",
        b"null",
        b"[]",
        b"7",
        b'{"row": 1e400}',
        b"[" * 20_000,
        b'{"row": 1, "device_hours": "x"}',
        b'{"row',
    ],
)
def test_what_is_torn_in_the_files_of_a_run_does_not_stop_it(tmp_path: Path, torn: bytes) -> None:
    line = json.dumps({"kind": "step", "row": 0, "device_hours": 2.0}).encode() + b"\n"
    for name in ("metrics.jsonl", "metrics-replaced.jsonl"):
        (tmp_path / name).write_bytes(line + torn + b"\n")
    (tmp_path / "summary.json").write_bytes(torn)
    metrics = Metrics(str(tmp_path), 1)
    metrics.close()
    assert (tmp_path / "metrics.jsonl").read_bytes() == line
    assert metrics.spent == Spent(2.0, None)
