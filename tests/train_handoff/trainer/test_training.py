"""The trainer as processes: resumed, split and whole runs see the same rows and take the same steps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner
from workshop import Workshop

from llama_data.pipeline.core.errors import InputError, RequestError, RunError
from llama_data.pipeline.core.lock import Lock
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.launch import (
    Cluster,
    describe,
    describe_without_data,
    launch,
    rewind,
    start_command,
)
from llama_data.train_handoff.trainer.loader import batches, merge_ranges, rows_left, take_rows
from llama_data.train_handoff.trainer.record import checkpoint_name, checkpoints, find_checkpoint, read_record

torch = pytest.importorskip("torch")

STEPS, BATCH_ROWS = 8, 8
Alone = Callable[[TrainConfig], None]


def config(mix: Path, output: Path, **changes: Any) -> TrainConfig:
    """Eight steps of a very small model."""
    values: dict[str, Any] = {
        "name": "test",
        "data": str(mix),
        "output": str(output),
        "model": {"dim": 32, "n_heads": 2, "n_layers": 2, "multiple_of": 32},
        "optim": {"lr": 1e-2, "warmup_steps": 2},
        "batch_tokens": BATCH_ROWS * 32,
        "micro_rows": 4,
        "steps": STEPS,
        "dtype": "float32",
        "device": "cpu",
        "save_every": 4,
        **changes,
    }
    return TrainConfig.model_validate(values)


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(mix: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run on two processes."""
    output = tmp_path_factory.mktemp("whole")
    launch(config(mix, output), Cluster(nproc=2))
    return output


def test_loss_falls_and_every_step_is_written_once(whole: Path) -> None:
    lines = metrics(whole)
    assert [line["step"] for line in lines] == list(range(STEPS))
    assert [line["row"] for line in lines] == [step * BATCH_ROWS for step in range(STEPS)]
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.5
    assert lines[0]["loss/books"] != lines[0]["loss/arxiv"]
    assert lines[0]["mfu"] is None


@pytest.fixture(scope="module")
def single(mix: Path, tmp_path_factory: pytest.TempPathFactory, alone: Alone) -> Path:
    """The same run on one process."""
    output = tmp_path_factory.mktemp("single")
    alone(config(mix, output, micro_rows=3))
    return output


def test_checkpoints_that_are_written_while_training_goes_on_are_the_same(
    mix: Path, single: Path, tmp_path: Path, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mix.parent)  # the mix by a relative path, which the run's record must not keep
    alone(config(Path(mix.name), tmp_path, micro_rows=3, async_save="on"))
    assert json.loads((tmp_path / "train.json").read_text())["data"] == str(mix.resolve())
    for ours, theirs in zip(checkpoints(tmp_path), checkpoints(single), strict=True):
        tensors = {name: digest for name, digest in read_record(ours).files.items() if name.endswith(".distcp")}
        assert ours.name == theirs.name
        assert tensors
        assert tensors == {name: read_record(theirs).files[name] for name in tensors}


def test_one_process_takes_the_same_steps_as_two(whole: Path, single: Path) -> None:
    ours, theirs = metrics(single), metrics(whole)
    np.testing.assert_allclose([a["loss"] for a in ours], [b["loss"] for b in theirs], rtol=2e-5)
    np.testing.assert_allclose([a["gradient_norm"] for a in ours], [b["gradient_norm"] for b in theirs], rtol=2e-4)


def test_resumed_on_another_number_of_processes_it_continues_with_the_next_row(
    mix: Path, whole: Path, tmp_path: Path, alone: Alone
) -> None:
    import shutil

    shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / checkpoint_name(STEPS * BATCH_ROWS))
    (tmp_path / "run" / "checkpoints" / "rows-000000000048.partial").mkdir()
    alone(config(mix, tmp_path / "run"))
    resumed, expected = metrics(tmp_path / "run"), metrics(whole)
    assert [line["row"] for line in resumed] == [line["row"] for line in expected]
    assert [line["processes"] for line in resumed] == [2] * 4 + [1] * 4
    np.testing.assert_allclose([a["loss"] for a in resumed], [b["loss"] for b in expected], rtol=2e-5)


def test_a_signal_saves_and_the_run_goes_on(long_mix: Path, tmp_path: Path, alone: Alone) -> None:
    long = config(long_mix, tmp_path, steps=1000, save_every=None, optim={"lr": 1e-3, "warmup_steps": 2})
    (tmp_path / "long.json").write_text(json.dumps(long.model_dump(mode="json")))
    script = (
        "import json, sys\n"
        "from llama_data.pipeline.core.errors import run_command_line\n"
        "from llama_data.train_handoff.trainer import config, launch\n"
        "long = config.TrainConfig.model_validate(json.load(open(sys.argv[1])))\n"
        "run_command_line(lambda _: launch.launch(long, launch.Cluster()), 'llama-train')\n"
    )
    # As the only process of a job that another torchrun has started.
    around = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "3", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script, str(tmp_path / "long.json")]
    process = subprocess.Popen(command, env={**os.environ, **around}, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (tmp_path / "metrics.jsonl").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert "training was stopped by SIGTERM; saved at row " in said
    saved = list((tmp_path / "checkpoints").glob("rows-*"))
    assert len(saved) == 1
    done = int(saved[0].name.removeprefix("rows-")) // BATCH_ROWS
    assert len(metrics(tmp_path)) == done
    alone(long.model_copy(update={"steps": done + 3, "change": True}))
    assert [line["step"] for line in metrics(tmp_path)] == list(range(done + 3))


def test_with_a_larger_batch_it_goes_on_from_the_same_row_when_told_so(
    mix: Path, whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], workshop: Workshop
) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(whole, run)
    damaged, sound = checkpoints(run)[-1], checkpoints(run)[-2]
    tensors = next(damaged.glob("*.distcp"))
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"?")
    with (run / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 8, "ro')  # killed while it wrote
    doubled = config(mix, run, batch_tokens=2 * BATCH_ROWS * 32, steps=6)
    expected = (
        "was trained with batch_tokens 256, steps 8; this command has batch_tokens 512, steps 6; give --change to go on"
    )
    with pytest.raises(RequestError, match=expected):
        describe(doubled, Cluster())
    changed = doubled.model_copy(update={"change": True})
    assert "changed: batch_tokens 256 -> 512" in describe(changed, Cluster())
    with workshop.instead():
        launch(changed.model_copy(update={"async_save": "on"}), Cluster(nproc=2))
    assert f"{damaged}: {tensors.name} is not what was written; it is stepped over" in capfd.readouterr().err
    lines = metrics(run)
    assert [line["row"] for line in lines] == [0, 8, 16, 24, 32, 48]
    assert [line["step"] for line in lines] == list(range(6))
    assert [line["tokens"] // 32 for line in lines] == [8, 16, 24, 32, 48, 64]
    assert lines[-1]["lr"] < lines[-2]["lr"] < lines[3]["lr"]
    assert [path.name for path in checkpoints(run)] == [sound.name, checkpoint_name(64)]
    assert find_checkpoint(run).name == checkpoint_name(64)
    record = read_record(find_checkpoint(run))
    assert (record.rows, record.step, record.settings["batch_tokens"]) == (64, 6, 512)
    assert len(record.norms) == 6
    replaced = [json.loads(line) for line in (run / "metrics-replaced.jsonl").read_text().splitlines()]
    assert [line["row"] for line in replaced] == [32, 40, 48, 56]


def test_gone_back_and_with_rows_left_out_it_reads_the_others_and_remembers(
    mix: Path, whole: Path, tmp_path: Path, alone: Alone
) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(whole, run)
    asked = config(mix, run, skip_rows=((36, 40), (38, 50)))
    with pytest.raises(RequestError, match="no checkpoint at or before row 31"):
        rewind(asked, 31)
    rewind(asked, 60)
    assert [path.name for path in checkpoints(run)] == [checkpoint_name(32)]
    assert "rows 36 to 49 are left out" in describe(asked, Cluster())
    alone(asked)
    assert [line["row"] for line in metrics(run)] == [0, 8, 16, 24, 32, 54, 62, 70]
    assert read_record(find_checkpoint(run)).rows == 78
    longer = config(mix, run, steps=9, change=True)  # does not say again what is left out
    assert "goes on from" in describe(longer, Cluster())
    assert read_record(find_checkpoint(run)).settings["skip_rows"] == [[36, 50]]
    (run / "run.lock").write_text(json.dumps(Lock(run / "run.lock", "x").owner))
    with pytest.raises(RequestError, match="at work here"):
        rewind(asked, 60)


def test_an_id_outside_the_vocabulary_names_its_row_and_shard(mix: Path) -> None:
    class Broken(Mixture):
        def __getitem__(self, index: int) -> Any:
            row = super().__getitem__(index).copy()
            row[3] = 500 if index == 11 else 499
            return row

    rows = Broken(str(mix))
    for rank in (0, 1):
        source = batches(rows, batch_rows=8, start_row=0, first=0, steps=2, rank=rank, world=2)
        next(source)
        if rank == 0:
            next(source)
            continue
        with pytest.raises(InputError, match=r"parquet, row 11 \(row 11 of the mix\): id 500 is not in the vocabulary"):
            next(source)


@given(
    row=st.integers(0, 40),
    count=st.integers(0, 30),
    ranges=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=4),
)
def test_the_rows_taken_are_the_next_that_are_not_left_out(row: int, count: int, ranges: list[tuple[int, int]]) -> None:
    skip = merge_ranges(ranges)
    left_out = {number for begin, end in ranges for number in range(begin, end)}
    expected = [number for number in range(row, 200) if number not in left_out][:count]
    pieces, end = take_rows(row, count, skip)
    assert [number for piece in pieces for number in piece] == expected
    assert end == (expected[-1] + 1 if expected else row)
    assert rows_left(row, 100, skip) == sum(number not in left_out for number in range(row, 100))


def test_ranges_that_touch_are_one_and_ranges_with_a_row_between_them_are_two() -> None:
    assert merge_ranges([(4, 8), (0, 4)]) == ((0, 8),)
    assert merge_ranges([(5, 8), (0, 4)]) == ((0, 4), (5, 8))
    assert merge_ranges([(0, 8), (2, 4)]) == ((0, 8),)


def test_a_checkpoint_of_another_mix_is_refused(mix: Path, whole: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(whole, tmp_path / "run")
    record = tmp_path / "run" / "checkpoints" / checkpoint_name(STEPS * BATCH_ROWS) / "record.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "fingerprint": "another"}))
    with pytest.raises(RequestError, match="was made with mix another, this run has"):
        describe(config(mix, tmp_path / "run"), Cluster())
    with pytest.raises(RunError, match="exit code"):
        launch(config(mix, tmp_path / "run"), Cluster(nproc=1))


def test_processes_share_a_batch_without_overlap(mix: Path) -> None:
    rows = Mixture(str(mix))
    whole = next(batches(rows, batch_rows=8, start_row=16, first=2, steps=4, rank=0, world=1))
    parts = [next(batches(rows, batch_rows=8, start_row=16, first=2, steps=4, rank=rank, world=2)) for rank in (0, 1)]
    assert whole.start == 16
    np.testing.assert_array_equal(whole.ids[0::2], parts[0].ids)
    np.testing.assert_array_equal(whole.ids[1::2], parts[1].ids)
    np.testing.assert_array_equal(whole.ids[3], rows[19])


def test_too_few_rows_and_uneven_batches_are_named(mix: Path, tmp_path: Path) -> None:
    rows = Mixture(str(mix))
    with pytest.raises(RequestError, match="need 520 rows, and the mix has 512 to read"):
        next(batches(rows, batch_rows=8, start_row=0, first=0, steps=65, rank=0, world=1))
    with pytest.raises(RequestError, match="does not divide among 3 processes"):
        next(batches(rows, batch_rows=8, start_row=0, first=0, steps=1, rank=0, world=3))
    with pytest.raises(InputError, match=r"mix\.json"):
        describe(config(tmp_path, tmp_path), Cluster())


def test_what_no_processes_can_do_is_said_before_they_start(mix: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="--node-rank 2: 2 nodes have the numbers from 0 on"):
        Cluster(nnodes=2, node_rank=2)
    assert Cluster(nnodes=2, node_rank=1).world == 2
    with pytest.raises(RequestError, match="replicate 3: must divide the 2 processes"):
        describe(config(mix, tmp_path, replicate=3), Cluster(nproc=2))
    with pytest.raises(RequestError, match="replicate 3: must divide the 2 processes"):
        describe_without_data(config(mix, tmp_path, replicate=3), Cluster(nproc=2), seq_len=32, vocab_size=500)
    for option in ("--output", "--data", "--from", "--cache-dir"):
        done = CliRunner().invoke(app, ["launch", "--data", str(mix), option, "", "--dry-run"])
        assert str(done.exception) == f"{option}: expected a value, found none"


def test_several_nodes_need_a_meeting_place() -> None:
    with pytest.raises(RequestError, match="--rendezvous"):
        start_command(Cluster(nnodes=2), Path("train.json"))
    command = start_command(Cluster(nproc=8, nnodes=2, node_rank=1, rendezvous="head:29500"), Path("train.json"))
    assert "--rdzv-endpoint=head:29500" in command
    assert "--nnodes=2" in command


def test_a_checkpoint_loads_with_transformers_and_comes_back(whole: Path, tokenizer: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from llama_data.train_handoff.trainer.huggingface import export as huggingface
    from llama_data.train_handoff.trainer.huggingface import pretrained

    path = checkpoints(whole)[-1]
    huggingface.export(path, tmp_path / "hf", tokenizer.parent, "float32", shard_bytes=200_000)
    assert (tmp_path / "hf" / "model.safetensors.index.json").exists()
    ours, record = huggingface.load_model(path)
    assert (record.bos_id, record.eos_id) == (1, 2)
    for name in ("config.json", "generation_config.json"):
        stated = json.loads((tmp_path / "hf" / name).read_text())
        assert (stated["bos_token_id"], stated["eos_token_id"]) == (1, 2)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf").eval()
    back = pretrained.load_huggingface(tmp_path / "hf")
    assert record.step == STEPS
    ids = torch.randint(0, 128, (2, 32), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = ours.eval()(ids)
        torch.testing.assert_close(theirs(ids).logits, expected, atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(back.eval()(ids), expected)


def test_a_tokenizer_that_is_not_the_models_is_refused(whole: Path, tmp_path: Path) -> None:
    from llama_data.train_handoff.trainer.huggingface import export as huggingface

    (tmp_path / "tokenizer.model").write_bytes(b"another")
    with pytest.raises(RequestError, match=r"has sha256 [0-9a-f]{64}, this one [0-9a-f]{64}"):
        huggingface.export(checkpoints(whole)[-1], tmp_path / "hf", tmp_path)
