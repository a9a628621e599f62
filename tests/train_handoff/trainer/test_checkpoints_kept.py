"""Checkpoints of a run: named and ordered by rows, kept as many as asked for, checked before they are taken."""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import torch.distributed as dist  # noqa: E402

from llama_data.pipeline.core.errors import InputError, RequestError  # noqa: E402
from llama_data.train_handoff.trainer import checkpoint  # noqa: E402
from llama_data.train_handoff.trainer.distributed import Processes  # noqa: E402
from llama_data.train_handoff.trainer.record import (  # noqa: E402
    RECORD,
    Record,
    checkpoint_name,
    checkpoints,
    find_checkpoint,
    incomplete,
    read_record,
    set_aside,
)


@pytest.fixture
def one_process() -> Iterator[Processes]:
    """A process group of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield Processes(0, 1, torch.device("cpu"), None)  # type: ignore[arg-type]
    dist.destroy_process_group()


def record(step: int, rows: int | None = None) -> Record:
    return Record(
        step=step, rows=step * 8 if rows is None else rows, fingerprint="f", seed=1, tokenizer_sha256="t", model={}
    )


def save(folder: Path, about: Record, keep: int | None = None, value: float = 1.0) -> Path:
    model = torch.nn.Linear(2, 1)
    torch.nn.init.constant_(model.weight, value)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0)
    model(torch.ones(2)).sum().backward()
    optimizer.step()
    return checkpoint.save(folder, about, model, optimizer, keep)


def weight(path: Path) -> list[list[float]]:
    fresh = torch.nn.Linear(2, 1)
    checkpoint.load_parameters(path, fresh)
    return fresh.weight.tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("keep", "left"), [(None, [1, 2, 3, 4, 5]), (5, [1, 2, 3, 4, 5]), (4, [2, 3, 4, 5]), (2, [4, 5]), (1, [5])]
)
def test_the_newest_are_kept_and_no_more(
    tmp_path: Path, one_process: Processes, keep: int | None, left: list[int]
) -> None:
    (tmp_path / "checkpoints" / "rows-000000000000.partial").mkdir(parents=True)
    for step in range(1, 6):
        path = save(tmp_path, record(step), keep)
        assert path.name == f"rows-{8 * step:012d}"
        expected = list(range(1, step + 1))[-(keep or 99) :]
        assert [read_record(found).step for found in checkpoints(tmp_path)] == expected
    assert [found.name for found in checkpoints(tmp_path)] == [checkpoint_name(8 * step) for step in left]
    assert find_checkpoint(tmp_path).name == checkpoint_name(40)
    assert not (tmp_path / "checkpoints" / "rows-000000000000.partial").exists()


def test_with_a_larger_batch_what_has_more_rows_is_newer_though_it_has_fewer_steps(
    tmp_path: Path, one_process: Processes
) -> None:
    save(tmp_path, record(step=100, rows=800), 2)
    save(tmp_path, record(step=60, rows=960), 2)
    save(tmp_path, record(step=70, rows=1120), 2)
    assert [read_record(path).rows for path in checkpoints(tmp_path)] == [960, 1120]


def test_what_was_just_written_is_not_pruned_even_behind_others(tmp_path: Path, one_process: Processes) -> None:
    for rows in (80, 160):
        save(tmp_path, record(1, rows), 2)
    save(tmp_path, record(1, 40), 2)
    assert [read_record(path).rows for path in checkpoints(tmp_path)] == [40, 160]
    save(tmp_path, record(1, 48), 1)
    assert [read_record(path).rows for path in checkpoints(tmp_path)] == [48]


def test_a_checkpoint_that_cannot_be_removed_does_not_end_the_run(
    tmp_path: Path, one_process: Processes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path, record(1), 1)
    remove = shutil.rmtree

    def refuse(path: Path, ignore_errors: bool = False) -> None:
        if Path(path).name.startswith(checkpoint_name(8)):
            raise PermissionError(13, "no")
        remove(path, ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", refuse)
    save(tmp_path, record(2), 1)
    assert [read_record(path).rows for path in checkpoints(tmp_path)] == [16]
    assert "rows-000000000008: not removed" in capsys.readouterr().err
    monkeypatch.undo()
    save(tmp_path, record(3), 1)  # the next one tries again
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [checkpoint_name(24)]


def test_what_a_process_leaves_that_is_killed_while_it_removes_or_writes_is_no_checkpoint_and_goes(
    tmp_path: Path, one_process: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, **_: object) -> None:
        (path / ".metadata").unlink(missing_ok=True)
        if path.exists():
            raise SystemExit

    save(tmp_path, record(1))
    monkeypatch.setattr(checkpoint.shutil, "rmtree", killed)
    with pytest.raises(SystemExit):
        save(tmp_path, record(2), keep=1)
    monkeypatch.undo()
    assert [path.name for path in checkpoints(tmp_path)] == [checkpoint_name(16)]
    assert incomplete(tmp_path) == []
    (tmp_path / "checkpoints" / f"{checkpoint_name(8)}.partial").mkdir()
    save(tmp_path, record(3))
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        checkpoint_name(16),
        checkpoint_name(24),
    ]


def test_a_checkpoint_that_is_saved_again_takes_the_place_of_the_old(tmp_path: Path, one_process: Processes) -> None:
    for value in (1.0, 2.0):
        save(tmp_path, record(3), 1, value)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [checkpoint_name(24)]
    assert weight(find_checkpoint(tmp_path)) == [[2.0, 2.0]]


def test_what_is_not_complete_is_no_checkpoint(tmp_path: Path, one_process: Processes) -> None:
    whole = save(tmp_path, record(1))
    base = tmp_path / "checkpoints"
    (base / checkpoint_name(16)).mkdir()  # without a record
    for rows, name in ((24, ".metadata"), (32, "__0_0.distcp")):
        shutil.copytree(whole, base / checkpoint_name(rows))
        (base / checkpoint_name(rows) / name).unlink()
    shutil.copytree(whole, base / checkpoint_name(40))
    with (base / checkpoint_name(40) / "__0_0.distcp").open("r+b") as stream:
        stream.truncate(100)
    for name in ("rows-000000000048.partial", "rows-10", "other"):
        shutil.copytree(whole, base / name)
    assert checkpoints(tmp_path) == [whole]
    problems = [problem for _, problem in incomplete(tmp_path)]
    assert problems[0].startswith("not a checkpoint: it has no record.json")
    assert problems[1:3] == [".metadata is missing", "__0_0.distcp is missing"]
    assert problems[3].startswith("__0_0.distcp has 100 bytes instead of")


def test_a_damaged_one_is_stepped_over_for_the_one_before(
    tmp_path: Path, one_process: Processes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checkpoint.find_sound(tmp_path, one_process) is None
    first, second = save(tmp_path, record(1)), save(tmp_path, record(2))
    assert checkpoint.find_sound(tmp_path, one_process) == second
    assert capsys.readouterr().err == ""
    _flip(second / "__0_0.distcp")
    assert checkpoint.find_sound(tmp_path, one_process) == first
    assert f"{second}: __0_0.distcp is not what was written; it is stepped over" in capsys.readouterr().err
    with pytest.raises(InputError, match="not what was written"):
        checkpoint.load_weights(second, torch.nn.Linear(2, 1))
    (first / ".metadata").unlink()
    with pytest.raises(InputError, match="none of its checkpoints is whole"):
        checkpoint.find_sound(tmp_path, one_process)
    assert f"{first}: .metadata is missing; it is stepped over" in capsys.readouterr().err


@pytest.mark.parametrize(
    "torn",
    [
        *("", "null", "[]", "{}", "[" * 30_000, {"step": None}, {"rows": "x"}, {"rows": -1}, {"rows": 8}, {"seed": []}),
        *({"norms": 3}, {"model": "x"}, {"files": None}, {"files": {".metadata": 3}}, {"unheard": 1}),
        *({"files": {".metadata": {"bytes": "x", "sha256": ""}}}, {"origin": "x"}, {"origin": {"checkpoint": 3}}),
        *({"settings": {"skip_rows": [1]}}, {"settings": {"warmup_rows": "x"}}, None),
    ],
)
def test_a_torn_record_is_stepped_over(
    tmp_path: Path, one_process: Processes, capsys: pytest.CaptureFixture[str], torn: Any
) -> None:
    first, second = save(tmp_path, record(1)), save(tmp_path, record(2))
    path = second / RECORD
    content = json.loads(path.read_text())
    path.unlink()
    if torn is None:
        path.mkdir()
    else:
        path.write_text(torn if isinstance(torn, str) else json.dumps(content | torn))
    assert checkpoint.find_sound(tmp_path, one_process) == find_checkpoint(tmp_path) == first
    said = capsys.readouterr().err
    assert said.startswith(f"llama-train: {second}: record.json")
    assert said.endswith("; it is stepped over\n")
    assert said.count("\n") == 1


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_going_back_sets_later_checkpoints_aside(tmp_path: Path, one_process: Processes) -> None:
    for step in (1, 2, 3):
        save(tmp_path, record(step))
    with pytest.raises(RequestError, match="no checkpoint at or before row 7; it has: 8, 16, 24"):
        set_aside(tmp_path, 7)
    assert [path.name for path in set_aside(tmp_path, 15)] == [
        "rewound-rows-000000000016",
        "rewound-rows-000000000024",
    ]
    assert [read_record(path).rows for path in checkpoints(tmp_path)] == [8]
    save(tmp_path, record(2))
    assert set_aside(tmp_path, 16) == []
    assert [path.name for path in set_aside(tmp_path, 8)] == ["rewound-rows-000000000016-2"]


def test_one_that_an_earlier_version_named_is_not_trained_over(tmp_path: Path, one_process: Processes) -> None:
    path = save(tmp_path, record(3))
    old = path.rename(path.with_name("step-00000003"))
    for take in (find_checkpoint, checkpoints, lambda folder: checkpoint.find_sound(folder, one_process)):
        with pytest.raises(InputError, match=r"step-00000003: named by its steps.* rename it to rows-000000000024"):
            take(tmp_path)
    old.rename(path)
    assert checkpoint.find_sound(tmp_path, one_process) == path


def shown(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What others have logged that a terminal shows, as torch does tracebacks."""
    return [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]


class _Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch attacked",)


def test_a_checkpoint_that_names_a_program_is_not_run(
    tmp_path: Path, one_process: Processes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path, record(1))
    (path / ".metadata").write_bytes(pickle.dumps(_Attack()))
    content = json.loads((path / RECORD).read_text())
    (path / RECORD).write_text(json.dumps({**content, "files": {}}))
    with pytest.raises(InputError, match=r"posix\.system, which no checkpoint holds"):
        checkpoint.load_weights(path, torch.nn.Linear(2, 1))
    assert not (tmp_path / "attacked").exists()
    assert shown(caplog) == []


@pytest.mark.parametrize("metadata", [b"", b"\x80\x05", b"not a pickle", None])
def test_damaged_metadata_is_one_sentence(
    tmp_path: Path, one_process: Processes, caplog: pytest.LogCaptureFixture, metadata: bytes | None
) -> None:
    path = save(tmp_path, record(1))
    content = json.loads((path / RECORD).read_text())
    (path / RECORD).write_text(json.dumps({**content, "files": {}}))
    if metadata is None:
        (path / ".metadata").unlink()
    else:
        (path / ".metadata").write_bytes(metadata)
    with pytest.raises(InputError, match=r"\.metadata: cannot be read: .+; it is damaged; take the one before it"):
        checkpoint.load_weights(path, torch.nn.Linear(2, 1))
    assert shown(caplog) == []


def test_a_checkpoint_that_points_outside_its_folder_is_refused(tmp_path: Path, one_process: Processes) -> None:
    path = save(tmp_path, record(1))
    metadata = pickle.loads((path / ".metadata").read_bytes())
    next(iter(metadata.storage_data.values())).relative_path = "../elsewhere"
    (path / ".metadata").write_bytes(pickle.dumps(metadata))
    content = json.loads((path / RECORD).read_text())
    (path / RECORD).write_text(json.dumps({**content, "files": {}}))
    with pytest.raises(InputError, match=r"it points to \.\./elsewhere, outside its folder"):
        checkpoint.load_weights(path, torch.nn.Linear(2, 1))


def test_a_value_that_is_a_program_is_not_run(
    tmp_path: Path, one_process: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch.distributed.checkpoint import state_dict_saver

    monkeypatch.chdir(tmp_path)
    state_dict_saver.save({"x": _Attack()}, checkpoint_id=str(tmp_path / "evil"))
    with pytest.raises(InputError, match="cannot be read"):
        checkpoint._read({"x": 1}, tmp_path / "evil", alone=True)
    assert not (tmp_path / "attacked").exists()
