"""A sweep tries what fits, outlives what does not, and writes what is fastest as a preset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from llama_data.pipeline.core.errors import RunError
from llama_data.train_handoff.trainer import options
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.config import load_config
from llama_data.train_handoff.trainer.launch import Cluster, FailedError
from llama_data.train_handoff.trainer.measure import sweep as sweeping

LIMIT = 80e9


def space(limit: float | None = LIMIT, nproc: int = 8, **given: Any) -> sweeping.Space:
    return sweeping.space_of("7b", given, Cluster(nproc), limit, seq_len=2048, vocab_size=32_000)


class Machine:
    """Says that a step is the faster the less is computed again; some combinations are out of memory."""

    def __init__(self, too_much: int = 10**9) -> None:
        self.too_much = too_much
        self.asked: list[dict[str, Any]] = []

    def __call__(self, settings: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(settings)
        if settings["micro_rows"] >= self.too_much:
            raise FailedError("the measurement stopped with exit code 1", "cuda:0: out of memory")
        rate = settings["micro_rows"] * {"none": 4, "selective": 3, "full": 2}[settings["recompute"]]
        rate += 100 * (settings.get("loss_tokens") == 4096)
        return {
            "tokens_per_second": rate, "mfu": 0.5, "mfu_causal": 0.4, "peak_memory_bytes": 7e9,
            "processes": 8, "device": "a device",
        }  # fmt: skip


def test_what_is_tried_first_is_the_most_that_fits_and_half_of_it() -> None:
    here = space()
    tried = list(here.first())
    assert {one["recompute"] for one in tried} == {"none", "selective", "full"}
    for mode in ("none", "selective", "full"):
        half, most = sorted(one["micro_rows"] for one in tried if one["recompute"] == mode)
        assert most == 2 * half
        assert here.fits({"recompute": mode, "micro_rows": most})
        assert most == sweeping.MOST_ROWS or not here.fits({"recompute": mode, "micro_rows": 2 * most})
    rows = {mode: max(o["micro_rows"] for o in tried if o["recompute"] == mode) for mode in ("none", "full")}
    assert rows["none"] < rows["full"]


def test_what_was_given_is_not_varied() -> None:
    assert list(space(micro_rows=2, recompute="full").first()) == [{"recompute": "full", "micro_rows": 2}]
    best = {"recompute": "full", "micro_rows": 2}
    assert {name for one in space().changes(best) for name in one.keys() - best.keys()} >= {"compile", "loss_tokens"}
    assert not [one for one in space(compile=True).changes(best) if "compile" in one]
    assert not [one for one in space(nproc=1, **{"optim.states": "bfloat16"}).changes(best) if "replicate" in one]


def test_one_that_is_out_of_memory_does_not_end_the_sweep() -> None:
    lines: list[str] = []
    machine = Machine(too_much=8)
    tried = sweeping.sweep(space(), machine, lines.append)
    assert len(lines) == 1 + len(tried) == 1 + len(machine.asked)
    failed = [text for text in lines if "out of memory" in text]
    assert failed
    assert len(failed) < len(tried)
    best = sweeping.best_of(tried)
    assert best.rate == max(one.rate for one in tried)
    assert best.settings["loss_tokens"] == 4096
    assert " 7.00" in lines[-1]
    with pytest.raises(RunError, match=r"none of \d+ combinations could be measured; the last: cuda:0: out of memory"):
        sweeping.sweep(space(), Machine(too_much=1), lines.append)
    with pytest.raises(RunError, match="nothing fits the device"):
        sweeping.sweep(space(limit=1e9), machine, lines.append)


def test_the_best_is_a_preset(tmp_path: Path) -> None:
    tried = sweeping.sweep(space(), Machine(), lambda _: None)
    best = sweeping.best_of(tried)
    config = load_config("7b")
    sweeping.write_preset(tmp_path / "best.yaml", config, best)
    again = load_config(str(tmp_path / "best.yaml"))
    assert again.model_dump() == {**config.model_dump(), **best.settings}
    assert "# The fastest of a sweep: " in (tmp_path / "best.yaml").read_text()


def test_what_bench_varies_launch_takes() -> None:
    command: Any = get_command(app)
    flags = {
        name: {option.name: (tuple(option.opts), tuple(option.secondary_opts)) for option in found.params}
        for name, found in command.commands.items()
    }
    measured = {"steps", "warmup", "sweep", "write", "json_file", "model"}
    varied = {name: option for name, option in flags["bench"].items() if name not in measured}
    assert varied.items() <= flags["launch"].items()
    assert set(options.COMPUTE) <= set(varied)


def test_a_sweep_runs_and_launch_takes_what_it_wrote(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    small = tmp_path / "small.yaml"
    small.write_text("name: s\nmodel: {dim: 32, n_heads: 4, n_layers: 1, multiple_of: 32}\ndtype: float32\n")
    arguments = [
        "bench", "--model", str(small), "--device", "cpu", "--nproc", "1", "--steps", "1", "--warmup", "0",
        "--seq-len", "32", "--vocab", "300", "--micro-rows", "2", "--recompute", "full", "--no-compile",
        "--loss-tokens", "16", "--write", str(tmp_path / "best.yaml"),
    ]  # fmt: skip
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None, done.exception
    assert "    2 full" in done.output
    described = CliRunner().invoke(app, ["launch", "--dry-run", "--model", str(tmp_path / "best.yaml")])
    assert described.exception is None, described.exception
    assert load_config(str(tmp_path / "best.yaml")).recompute == "full"
