"""Verbs on a run that is in an object store, and runs of several processes there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from llama_data.pipeline.core.errors import InputError, RequestError, RunError
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.launch import Cluster, describe, launch, starting_from
from llama_data.train_handoff.trainer.record import checkpoint_name, find_checkpoint, read_record
from llama_data.train_handoff.trainer.remote.copies import opened

pytest.importorskip("torch")

Configure = Callable[..., TrainConfig]


def call(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def model(make_model: Callable[..., Path], tmp_path: Path, dirstore: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a run with one checkpoint, whose tokenizer lies beside it; its folder is called store."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return f"dirstore://{make_model('store')}/train"


def test_a_model_in_a_store_speaks_and_is_exported(model: str, tmp_path: Path, dirstore: Any) -> None:
    here = model.removeprefix("dirstore://")
    asked = ["a b", "--temperature", "0", "--tokens", "5", "--device", "cpu"]
    said = call("generate", here, *asked)
    assert call("generate", model, *asked) == said
    fetched = dirstore.done["get"]
    single = f"{model}/checkpoints/{checkpoint_name(24)}"
    assert call("generate", single, *asked) == said
    assert dirstore.done["get"] - fetched < 8  # the record and what is small: no file of tensors again
    call("export", single, str(tmp_path / "there"))
    call("export", here, str(tmp_path / "here"))
    for path in (tmp_path / "here").iterdir():
        assert (tmp_path / "there" / path.name).read_bytes() == path.read_bytes()
    shutil.copytree(find_checkpoint(Path(here)), tmp_path / "store" / "alone")
    place = opened(f"dirstore://{tmp_path}/store/alone")
    assert read_record(place) == read_record(find_checkpoint(Path(here)))


def test_what_is_not_in_a_store_is_said(model: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a checkpoint nor a training run"):
        call("generate", f"{model}-not", "a")
    with pytest.raises(InputError, match=r"rows-000000000032: it has no record\.json"):
        call("generate", f"{model}/checkpoints/{checkpoint_name(32)}", "a")
    with pytest.raises(InputError, match="cannot be opened"):
        call("generate", "nowhere://bucket/run", "a")
    damaged = next(tmp_path.glob("store/train/checkpoints/*/*.distcp"))
    damaged.write_bytes(damaged.read_bytes()[1:])
    with pytest.raises(InputError, match="none of its checkpoints is whole"):
        call("generate", model, "a")


def test_a_run_starts_from_a_checkpoint_in_a_store(
    config: Configure, mix: Path, tmp_path: Path, stop: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = config(steps=4)
    launch(first, Cluster())
    settings = {
        "data": str(mix), "output": str(tmp_path / "second"), "device": "cpu", "batch_tokens": 8 * 32, "steps": 2,
        "dtype": "float32", "cache_dir": str(tmp_path / "here"), "optim.warmup_steps": 1,
    }  # fmt: skip
    launch(starting_from(first.output or "", None, settings), Cluster())
    record = read_record(find_checkpoint(tmp_path / "second"))
    assert (record.origin or {})["checkpoint"] == f"{first.output}/checkpoints/{checkpoint_name(32)}"
    launch(config(steps=6, change=True), Cluster())  # that run goes on, and forgets its older checkpoints
    elsewhere = {**settings, "cache_dir": str(tmp_path / "elsewhere"), "steps": 3, "change": True}
    again = starting_from(first.output or "", None, elsewhere)
    assert Path(again.initial or "").name == checkpoint_name(32)
    assert "goes on from" in describe(again, Cluster())
    shutil.rmtree(tmp_path / "bucket")
    launch(starting_from(first.output or "", None, {**elsewhere, "cache_dir": str(tmp_path / "third")}), Cluster())
    assert find_checkpoint(tmp_path / "second").name == checkpoint_name(24)


def test_the_command_keeps_a_run_in_a_store_and_shows_its_rows(
    mix: Path, tmp_path: Path, stop: list[int | None], dirstore: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    url = f"dirstore://{tmp_path}/bucket/train"
    command = ["launch", "--data", str(mix), "--output", url, "--device", "cpu", "--batch-tokens", "256",
               "--steps", "4", "--save-every", "2", "--dtype", "float32", "--warmup", "1", "--lr", "0.001"]  # fmt: skip
    assert "parameters drawn from seed" in call(*command, "--dry-run")
    assert not (tmp_path / "bucket").exists()
    stop[0] = 3
    said = call(*command)
    assert said.endswith(f"checkpoints and metrics.jsonl are in {url}\n")
    shutil.rmtree(tmp_path / "cache")
    dirstore.done.clear()
    assert "(row 24, step 3)" in call(*command, "--dry-run")
    assert not list((tmp_path / "cache").rglob("*.distcp"))
    stop[0] = None
    assert f"set aside: {url}/checkpoints/{checkpoint_name(24)}" in call(*command, "--rewind", "16")
    assert [line["row"] for line in lines(tmp_path / "bucket" / "train")] == [0, 8, 16, 24]
    assert len((tmp_path / "bucket" / "train" / "metrics-replaced.jsonl").read_text().splitlines()) == 1
    shutil.rmtree(tmp_path / "cache")
    working = opened(url, tensors=False)
    assert not list(working.rglob("*.distcp"))
    told = []
    monkeypatch.setattr("llama_data.train_handoff.trainer.rows.show", lambda asked, **options: told.append(asked) or [])
    call("rows", url, "--step", "2")
    assert told[0].rows == (range(16, 24),)
    assert told[0].before == ((range(16, 24),),)


def test_a_model_is_tuned_from_and_into_a_store(
    model: str, words: list[str], tmp_path: Path, stop: list[int | None]
) -> None:
    lessons, url = tmp_path / "store" / "lessons.jsonl", f"dirstore://{tmp_path}/bucket/tuned"
    lessons.write_text("".join(json.dumps({"prompt": word, "completion": word}) + "\n" for word in words[:40]))
    command = ["tune", f"dirstore://{lessons}", "--from", model, "--device", "cpu", "--dtype", "float32",
               "--epochs", "2", "--batch-tokens", "128", "--cache-dir", str(tmp_path / "here")]  # fmt: skip
    with pytest.raises(RequestError, match="name a folder or URL for the run as --output"):
        call(*command)
    command += ["--output", url]
    assert f"starts from {tmp_path}/here/copies/" in call(*command, "--dry-run")
    assert not (tmp_path / "bucket").exists()
    stop[0] = 2
    assert call(*command).endswith(f"are in {url}; talk with it: llama-train chat {url}\n")
    shutil.rmtree(tmp_path / "here")
    stop[0] = None
    assert "(row 8, step 2)" in call(*command)
    taken = [line["row"] for line in lines(tmp_path / "bucket" / "tuned")]
    assert taken == list(range(0, taken[-1] + 1, 4))
    assert len(taken) > 2
    shutil.rmtree(tmp_path / "store" / "tokenizer")  # the run has its own
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    command += ["--rewind", "8", "--tokenizer", f"{tmp_path}/bucket/tuned/tokenizer"]
    assert f"set aside: {url}/checkpoints/" in call(*command)
    assert call("generate", url, "a b", "--temperature", "0", "--tokens", "3", "--device", "cpu").startswith("a b")


def test_a_mix_in_a_store_needs_a_place_for_its_run(dirstore: Any) -> None:
    with pytest.raises(RequestError, match="name a folder or URL for the run as --output"):
        call("launch", "--data", "dirstore:///mix")


def test_processes_send_what_they_wrote_and_one_killed_while_it_sends_loses_only_that(
    config: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: Callable[[TrainConfig], None]
) -> None:
    here = config(cache_dir=str(tmp_path / "whole"), output=str(tmp_path / "local"), save_every=4)
    alone(here)
    run = tmp_path / "bucket" / "run" / "train"
    monkeypatch.setenv("DIRSTORE_KILL", f"{checkpoint_name(64)}/__1_0")
    with pytest.raises(RunError, match=r"training: a process was killed \(SIGKILL\)"):
        launch(config(save_every=4), Cluster(nproc=2))
    monkeypatch.delenv("DIRSTORE_KILL")
    half = {path.name for path in (run / "checkpoints" / checkpoint_name(64)).iterdir()}
    assert "__1_0.distcp" in half
    assert "record.json" not in half
    kept = {path.name for path in (run / "checkpoints" / checkpoint_name(32)).iterdir()}
    assert {"__0_0.distcp", "__1_0.distcp", ".metadata", "record.json"} <= kept
    shutil.rmtree(tmp_path / "here")
    alone(config(save_every=4))
    found, whole = lines(run), lines(tmp_path / "local")
    assert [line["row"] for line in found] == [line["row"] for line in whole]
    assert [line["processes"] for line in found] == [2] * 4 + [1] * 4
    np.testing.assert_allclose([a["loss"] for a in found], [b["loss"] for b in whole], rtol=2e-5)
    assert read_record(run / "checkpoints" / checkpoint_name(64)).rows == 64
