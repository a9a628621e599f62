"""A dry run says what a process will hold, whether a device holds that, and what to change."""

from __future__ import annotations

import re
from typing import Any

import pytest
from typer.testing import CliRunner

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.trainer import fit
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.config import TrainConfig, load_config
from llama_data.train_handoff.trainer.memory import moments, peak


def dry_run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["launch", "--dry-run", "--device", "cuda", *arguments])
    if done.exception is not None:
        raise done.exception
    return done.output


@pytest.fixture(autouse=True)
def _no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llama_data.train_handoff.trainer.options.found_memory", lambda: None)


def seven(**changes: Any) -> tuple[TrainConfig, Any]:
    config = fit.apply(load_config("7b"), changes)
    return config, config.model.model_copy(update={"vocab_size": 32_000, "seq_len": 2048})


def test_it_needs_no_data_and_its_lines_add_up() -> None:
    text = dry_run("--model", "7b", "--nproc", "8")
    assert "6,738,415,616 parameters, vocabulary 32,000, rows of 2,048 tokens" in text
    assert "a step of 2,048 rows = 4,194,304 tokens on 8 processes" in text
    sizes = {name.strip(): float(size) for name, size in re.findall(r"^  (\D+?) +([\d.]+)$", text, re.MULTILINE)}
    total = sizes.pop("total")
    assert list(sizes) == list(fit.LABELS)
    assert sum(sizes.values()) == pytest.approx(total, abs=0.06)
    # 16 bytes a parameter, a shard of an eighth: 4 of the parameter, 8 of the moments, 4 of the gradient.
    assert sizes["parameters"] == pytest.approx(6.738 * 4 / 8, abs=0.01)
    assert sizes["optimiser states"] == pytest.approx(6.738 * 8 / 8, abs=0.01)
    assert sizes["gradients"] == pytest.approx(6.738 * 4 / 8, abs=0.01)  # from the second micro-batch on: all of them
    assert "fit" not in text


def test_it_says_whether_a_device_holds_that_and_what_would_fit() -> None:
    assert "fits a device of 80.0 GB" in dry_run("--model", "7b", "--nproc", "8", "--device-memory", "80GB")
    text = dry_run("--model", "7b", "--nproc", "1", "--device-memory", "80GB")
    assert "does not fit a device of 80.0 GB" in text
    what_would = text.splitlines()[-1].strip()
    assert what_would.startswith("--recompute full --states bfloat16 (")  # it takes both, and nothing else
    advised = what_would.partition(" (")[0].split()
    assert "fits a device of 80.0 GB" in dry_run("--model", "7b", "--nproc", "1", "--device-memory", "80GB", *advised)
    text = dry_run("--model", "65b", "--nproc", "8", "--device-memory", "80GB")
    advised, count = re.findall(r"^  (--.*?|), on (\d+) processes \(", text, re.MULTILINE)[0]
    assert "fits a device of 80.0 GB" in dry_run(
        "--model", "65b", "--nproc", count, "--device-memory", "80GB", *advised.split()
    )
    with pytest.raises(RequestError, match="--device-memory much: expected a size as in 5GB"):
        dry_run("--device-memory", "much")


def test_every_advice_fits_and_is_an_option() -> None:
    config, model = seven(micro_rows=16, recompute="none", loss_tokens=None)
    limit = 70e9
    assert not fit.fits(peak(config, model, 4).total, limit)
    found = fit.advice(config, model, 4, limit)
    assert found
    options = {name for command in app.registered_commands for name in _flags(command.callback)}
    for line in found:
        given = dict(re.findall(r"--([a-z-]+) (\S+)", line.partition(" (")[0]))
        assert {f"--{name}" for name in given} <= options
        names = {"states": "optim.states"}
        changes = {names.get(name, name.replace("-", "_")): value for name, value in given.items()}
        total = peak(fit.apply(config, changes), model, 4).total
        assert total <= fit.USABLE * limit
        assert f"({total / 1e9:,.2f} GB)" in line
    assert fit.advice(config, model, 1, 1e9) == ["nothing that is known here, on up to 4,096 processes"]


def _flags(callback: Any) -> set[str]:
    from typer.main import get_command

    assert callback is not None
    command: Any = get_command(app)
    return {flag for found in command.commands.values() for option in found.params for flag in option.opts}


def test_the_limit_is_what_is_usable() -> None:
    assert fit.fits(95.0, 100.0)
    assert not fit.fits(95.1, 100.0)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"recompute": "selective"}, {"recompute": "none"}),
        ({"recompute": "full"}, {"recompute": "selective"}),
        ({"micro_rows": 2}, {"micro_rows": 4}),
        ({"loss_tokens": 512}, {"loss_tokens": None}),
        ({"optim.states": "bfloat16"}, {"optim.states": "float32"}),
        ({"dtype": "bfloat16"}, {"dtype": "float32"}),
        ({"replicate": 1}, {"replicate": 4}),
        ({"document_mask": False}, {"document_mask": True, "attention": "sdpa"}),
    ],
)
def test_what_saves_memory_is_said_to(less: dict[str, Any], more: dict[str, Any]) -> None:
    base = {"micro_rows": 8, "recompute": "none"}
    small, model = seven(**{**base, **less})
    large, _ = seven(**{**base, **more})
    assert peak(small, model, 8).total < peak(large, model, 8).total


def test_more_processes_hold_less_each_and_one_micro_batch_less_than_two() -> None:
    config, model = seven()
    totals = [peak(config, model, world).total for world in (1, 2, 8, 64)]
    assert totals == sorted(totals, reverse=True)
    one = fit.apply(config, {"batch_tokens": 2048 * config.micro_rows})
    two = fit.apply(config, {"batch_tokens": 2 * 2048 * config.micro_rows})
    first, second = moments(one, model, 1)[0], moments(two, model, 1)[0]
    assert first.gradients == 0
    assert second.gradients == 4 * model.parameters()


def test_the_driver_is_asked_for_the_memory_of_the_smallest_device(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "nvidia-smi"
    script.write_text("#!/bin/sh\necho 81559\necho 40960\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fit.found_memory() == 40960 * 2**20
    script.write_text("#!/bin/sh\necho no devices were found\nexit 6\n")
    assert fit.found_memory() is None
    monkeypatch.setenv("PATH", "")
    assert fit.found_memory() is None
