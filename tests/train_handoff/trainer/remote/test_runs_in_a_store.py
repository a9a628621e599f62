"""Runs that are kept in an object store: lost machines, damaged and half checkpoints, stores that fail."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llama_data.pipeline.core import store_lock
from llama_data.pipeline.core.errors import InputError, RequestError, RunError
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.launch import Cluster, launch
from llama_data.train_handoff.trainer.record import checkpoint_name, find_checkpoint, read_record
from llama_data.train_handoff.trainer.remote.copies import opened
from llama_data.train_handoff.trainer.remote.staging import prepare

pytest.importorskip("torch")

BATCH_ROWS = 8
Configure = Callable[..., TrainConfig]


def url(tmp_path: Path) -> str:
    return f"dirstore://{tmp_path}/bucket/run/train"


def there(tmp_path: Path) -> Path:
    return tmp_path / "bucket" / "run" / "train"


def names(tmp_path: Path) -> list[str]:
    return sorted(path.parent.name for path in there(tmp_path).glob("checkpoints/*/record.json"))


def steps_at(*steps: int) -> list[str]:
    return [checkpoint_name(step * BATCH_ROWS) for step in steps]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def lose_machine(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "here")


@pytest.fixture
def whole(config: Configure, tmp_path: Path, stop: list[int | None]) -> list[dict[str, Any]]:
    """What a run says of its steps that is kept in a folder and never stopped."""
    launch(config(output=str(tmp_path / "whole")), Cluster())
    return lines(tmp_path / "whole")


def assert_same_steps(found: list[dict[str, Any]], whole: list[dict[str, Any]]) -> None:
    for key in ("step", "row", "rows", "tokens", "lr"):
        assert [line[key] for line in found] == [line[key] for line in whole]
    np.testing.assert_allclose([a["loss"] for a in found], [b["loss"] for b in whole], rtol=1e-6)


@pytest.mark.parametrize("saved", ["off", "on"])
def test_a_run_goes_on_from_the_store_when_its_machine_is_lost(
    config: Configure, tmp_path: Path, stop: list[int | None], whole: list[dict[str, Any]], saved: str
) -> None:
    stop[0] = 5
    launch(config(async_save=saved), Cluster())
    assert names(tmp_path) == steps_at(2, 4, 5)
    assert len(lines(there(tmp_path))) == 5
    lose_machine(tmp_path)
    stop[0] = None
    launch(config(async_save=saved), Cluster())
    assert names(tmp_path) == steps_at(5, 6, 8)
    assert_same_steps(lines(there(tmp_path)), whole)
    assert not (there(tmp_path) / "run.lock").exists()
    kept = read_record(there(tmp_path) / "checkpoints" / steps_at(8)[0])
    alone = read_record(tmp_path / "whole" / "checkpoints" / steps_at(8)[0])
    assert {"__0_0.distcp", ".metadata"} <= kept.files.keys()
    assert kept.files["__0_0.distcp"] == alone.files["__0_0.distcp"]


def damage_bytes(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "harm", "said"),
    [
        ("__0_0.distcp", lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes instead of"),
        ("__0_0.distcp", damage_bytes, "is not what was written"),
        (".metadata", Path.unlink, ".metadata is missing"),
        ("record.json", lambda path: path.write_bytes(path.read_bytes()[:-9]), "record.json is damaged"),
    ],
)
def test_what_is_damaged_in_the_store_is_stepped_over(
    config: Configure, tmp_path: Path, stop: list[int | None], whole: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str], name: str, harm: Callable[[Path], None], said: str,
) -> None:  # fmt: skip
    stop[0] = 6
    launch(config(), Cluster())
    lose_machine(tmp_path)
    stop[0] = None
    harm(there(tmp_path) / "checkpoints" / steps_at(6)[0] / name)
    folder, _ = prepare(url(tmp_path), str(tmp_path / "here"))
    assert find_checkpoint(folder).name == steps_at(4)[0]
    assert said in capsys.readouterr().err
    launch(config(), Cluster())
    assert_same_steps(lines(there(tmp_path)), whole)
    assert names(tmp_path) == steps_at(4, 6, 8)
    assert find_checkpoint(opened(url(tmp_path), str(tmp_path / "other"))).name == steps_at(8)[0]


def test_a_run_of_which_nothing_is_whole_does_not_begin_anew(
    config: Configure, tmp_path: Path, stop: list[int | None]
) -> None:
    stop[0] = 2
    launch(config(), Cluster())
    lose_machine(tmp_path)
    damage_bytes(there(tmp_path) / "checkpoints" / steps_at(2)[0] / "__0_0.distcp")
    with pytest.raises(InputError, match="none of its checkpoints is whole"):
        launch(config(), Cluster())


def failing(text: str, what: str = "put", times: int | None = None) -> Callable[[str, str], None]:
    left = [times]

    def fault(operation: str, path: str) -> None:
        if operation == what and text in path and left[0] != 0:
            left[0] = None if left[0] is None else left[0] - 1
            raise ConnectionError("the store is away")

    return fault


@pytest.mark.parametrize("saved", ["off", "on"])
def test_a_store_that_fails_ends_the_run_which_loses_nothing(
    config: Configure, tmp_path: Path, stop: list[int | None], whole: list[dict[str, Any]], dirstore: Any,
    capsys: pytest.CaptureFixture[str], saved: str,
) -> None:  # fmt: skip
    dirstore.faults.append(failing(f"{steps_at(4)[0]}/__0_0"))
    with pytest.raises(RunError, match=r"could not be sent: .*failed 6 tries.*away.*it is whole in .*the same command"):
        launch(config(async_save=saved), Cluster())
    assert names(tmp_path) == steps_at(2)
    assert len(lines(there(tmp_path))) < 8
    dirstore.faults.clear()
    launch(config(async_save=saved), Cluster())
    assert "not in the store yet; it is sent" in capsys.readouterr().err
    assert names(tmp_path) == steps_at(4, 6, 8)
    assert_same_steps(lines(there(tmp_path)), whole)


def test_a_store_that_fails_for_a_while_is_asked_again(
    config: Configure, tmp_path: Path, stop: list[int | None], dirstore: Any
) -> None:
    dirstore.faults += [failing("", "put", 5), failing("", "get", 5), failing("", "list", 5)]
    stop[0] = 2
    launch(config(), Cluster())
    assert names(tmp_path) == steps_at(2)


def test_what_was_not_sent_is_set_aside_when_the_run_went_on_elsewhere(
    config: Configure, tmp_path: Path, stop: list[int | None], whole: list[dict[str, Any]], dirstore: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    dirstore.faults.append(failing(f"{steps_at(6)[0]}/record"))
    with pytest.raises(RunError, match="could not be sent"):
        launch(config(), Cluster())
    dirstore.faults.clear()
    stop[0] = 1
    launch(config(cache_dir=str(tmp_path / "elsewhere")), Cluster())
    assert names(tmp_path) == steps_at(2, 4, 5)
    stop[0] = None
    launch(config(), Cluster())
    assert "set aside in" in capsys.readouterr().err
    assert_same_steps(lines(there(tmp_path)), whole)


def test_errors_while_pruning_end_nothing(
    config: Configure, tmp_path: Path, stop: list[int | None], dirstore: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    dirstore.faults.append(failing(f"{steps_at(2)[0]}", "remove"))
    launch(config(keep_checkpoints=1), Cluster())
    assert names(tmp_path) == steps_at(2, 8)
    assert "training goes on" in capsys.readouterr().err


def test_what_killed_uploads_left_is_removed(config: Configure, tmp_path: Path, stop: list[int | None]) -> None:
    left = there(tmp_path) / "checkpoints" / steps_at(1)[0] / "__3_0.distcp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    stop[0] = 2
    launch(config(), Cluster())
    assert not left.parent.exists()
    assert names(tmp_path) == steps_at(2)


def test_one_run_at_a_time(
    config: Configure, tmp_path: Path, stop: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = store_lock.StoreLock(f"{url(tmp_path)}/run.lock", "a training run is at work here")
    with lock, pytest.raises(RequestError, match="a training run is at work here by process"):
        launch(config(), Cluster())


def test_going_back_sets_checkpoints_in_the_store_aside(
    config: Configure, tmp_path: Path, stop: list[int | None], whole: list[dict[str, Any]]
) -> None:
    launch(config(), Cluster())
    with pytest.raises(RequestError, match=r"no checkpoint at or before row 31; it has: 32, 48, 64"):
        prepare(url(tmp_path), str(tmp_path / "here"), 31)
    folder, aside = prepare(url(tmp_path), str(tmp_path / "here"), 47)
    assert aside == [f"{url(tmp_path)}/checkpoints/{name}" for name in steps_at(6, 8)]
    assert find_checkpoint(folder).name == steps_at(4)[0]
    assert names(tmp_path) == steps_at(4)
    launch(config(), Cluster())
    assert names(tmp_path) == steps_at(4, 6, 8)
    assert_same_steps(lines(there(tmp_path)), whole)
