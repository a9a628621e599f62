"""What is told of a run, and when: the rules, fed with figures. Without torch."""

from __future__ import annotations

import io
import json
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import fsspec
import pytest

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.trainer.pieces import pieces_beside
from llama_data.train_handoff.trainer.watch.checks import require_boards
from llama_data.train_handoff.trainer.watch.energy import Energy, Spent, kilowatt_hours, watts_of
from llama_data.train_handoff.trainer.watch.observer import HeldOut, StepSeen
from llama_data.train_handoff.trainer.watch.options import watch_settings
from llama_data.train_handoff.trainer.watch.settings import WatchConfig
from llama_data.train_handoff.trainer.watch.slowness import SILENT, Sample, SlowProcess, SlowRows
from llama_data.train_handoff.trainer.watch.tables import summary_table
from llama_data.train_handoff.trainer.watch.terminal import CLEAR, Terminal
from llama_data.train_handoff.trainer.watch.totals import Totals

HOSTS = ("node-a", "node-a", "node-b")


def seen(step: int, **changes: Any) -> StepSeen:
    values: dict[str, Any] = {
        "step": step, "row": 8 * step, "end": 8 * step + 8, "rows": 8, "tokens": 256 * (step + 1), "loss": 2.5,
        "lr": 1e-3, "norm": 0.5, "seconds": 2.0, "data_wait": 0.5, "tokens_per_second": 128.0, "mfu": None,
        "peak_memory": 1, "processes": 2, "by_domain": {"books": 2.25, "arxiv": 2.75},
    }  # fmt: skip
    return StepSeen(**{**values, **changes})


def samples(*seconds: float, share: float = 0.0) -> list[Sample]:
    return [Sample(value, 0.25, share) for value in seconds]


def test_a_process_is_named_when_it_is_slow_twice_in_a_row() -> None:
    judge = SlowProcess(1.2, HOSTS)
    assert judge.judge(samples(1.0, 1.2, 1.0)) == []  # as slow as is allowed
    assert judge.judge(samples(1.0, 1.2, 1.0)) == []
    assert judge.judge(samples(1.0, 1.0, 1.21)) == []
    assert judge.judge(samples(1.0, 1.0, 1.0)) == []  # once is no news
    assert judge.judge(samples(1.0, 1.0, 1.21)) == []
    (said,) = judge.judge(samples(0.9, 1.1, 1.21))
    assert said == (
        "process 2 on node-b is slow: 1.21 s a step without waiting for others (0.25 s of them for its rows), where "
        "the median of the others is 1.00 s; all wait for it"
    )


def test_the_same_is_not_said_again_for_a_while() -> None:
    judge = SlowProcess(1.2, HOSTS)
    said = [bool(judge.judge(samples(1, 1, 2))) for _ in range(2 * SILENT + 2)]
    assert [number for number, spoke in enumerate(said) if spoke] == [1, 1 + SILENT, 1 + 2 * SILENT]
    assert judge.judge(samples(2, 1, 1)) == []
    assert len(judge.judge(samples(2, 1, 1))) == 1  # another process is news at once


def test_with_two_processes_each_is_compared_with_the_other() -> None:
    judge = SlowProcess(1.2, HOSTS[:2])
    judge.judge(samples(1.0, 1.3))
    (said,) = judge.judge(samples(1.0, 1.3))
    assert said.startswith("process 1 on node-a is slow: 1.30 s")


def test_waiting_for_rows_is_said_above_the_limit_and_not_at_it() -> None:
    judge = SlowRows(0.1, HOSTS)
    assert judge.judge(samples(1, 1, 1, share=0.1)) == []
    (said,) = judge.judge([*samples(1, 1, share=0.05), *samples(1, share=0.34)])
    assert said.startswith("process 2 on node-b waits for its rows for 34% of the time")
    assert [bool(judge.judge(samples(1, 1, 1, share=0.5))) for _ in range(SILENT)] == [False] * (SILENT - 1) + [True]


@pytest.mark.parametrize(
    ("hours", "megawatt_hours", "tonnes"),
    [(82_432, 36, 14), (135_168, 59, 23), (530_432, 233, 90), (1_022_362, 449, 173)],
)
def test_energy_and_emissions_are_those_of_the_papers_table(hours: int, megawatt_hours: int, tonnes: int) -> None:
    watch = WatchConfig()
    used = kilowatt_hours(hours, 400, watch.pue)
    assert used / 1000 == pytest.approx(megawatt_hours, abs=1)  # the paper cuts some of them off
    assert round(used * watch.kg_co2e_per_kwh / 1000) == pytest.approx(tonnes, abs=1)


def test_watts_are_known_by_name_or_not_at_all() -> None:
    names = ("NVIDIA A100-SXM4-80GB", "NVIDIA A100 80GB PCIe", "NVIDIA H100 80GB HBM3", "NVIDIA H100 PCIe", "Tesla T4")
    assert [watts_of(name) for name in names] == [400, 300, 700, 350, None]


def test_energy_goes_on_where_an_earlier_process_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    energy = Energy(Spent(10.0, 5.0), devices=8, watts=500, pue=1.0, kg_per_kwh=0.5)
    now[0] += 3600
    assert energy.now() == {"device_hours": 18.0, "energy_kwh": 9.0, "co2e_kg": 4.5}
    unknown = Energy(Spent(10.0, None), devices=8, watts=None, pue=1.0, kg_per_kwh=0.5)
    assert unknown.now() == {"device_hours": 10.0}


def test_the_tokenizer_beside_a_mix_is_found_wherever_it_lies(tokenizer: Path, tmp_path: Path) -> None:
    digest = sha256(tokenizer.read_bytes()).hexdigest()
    for run in (str(tmp_path / "run"), "memory://bucket/run"):
        assert pieces_beside(f"{run}/mix", digest) is None
        with fsspec.open(f"{run}/tokenizer/tokenizer.model", "wb", auto_mkdir=True) as stream:
            stream.write(tokenizer.read_bytes())
        found = pieces_beside(f"{run}/mix/", digest)
        assert found is not None
        assert found.sha256 == digest
        assert pieces_beside(f"{run}/mix", "another") is None


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    screen, errors, now = Screen(), io.StringIO(), [0.0]
    terminal = Terminal(100, 10, out=screen, errors=errors, clock=lambda: now[0])
    for step in range(3):
        now[0] = 60.0 * step
        terminal.step(seen(step, mfu=0.5))
    lines = screen.getvalue().split(CLEAR)[1:]
    assert [line.split()[1] for line in lines] == ["1/100", "2/100", "3/100"]
    assert "\n" not in screen.getvalue()
    assert all(len(line) == 59 for line in lines)
    terminal.step(seen(3))  # too early to be drawn
    assert screen.getvalue().count(CLEAR) == 3
    assert terminal.line(seen(2, mfu=0.5)) == (
        "step      3/100  loss  2.5000  lr 1.00e-03  norm   0.500         128 tokens/s  MFU 50.0%  data  25%  "
        "ETA 1h04m  books 2.250  arxiv 2.750"
    )
    terminal.warned("look here")
    assert screen.getvalue().endswith(CLEAR)
    assert errors.getvalue() == "llama-train: look here\n"
    monkeypatch.delenv("NO_COLOR")
    Terminal(1, 1, out=screen, errors=errors).warned("in colour")
    assert errors.getvalue().endswith("\x1b[33mllama-train: in colour\x1b[0m\n")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.4, "59s"), (61, "1m01s"), (3660, "1h01m"), (90000, "1d01h")]
)
def test_the_remaining_time_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    now = [0.0]
    terminal = Terminal(3, 1, out=io.StringIO(), clock=lambda: now[0])
    terminal.step(seen(0))
    now[0] = seconds
    terminal.step(seen(1))
    assert f"ETA {text}  " in terminal.line(seen(1))


def test_elsewhere_lines_are_written_at_a_rate_that_can_be_read() -> None:
    out, errors, now = io.StringIO(), io.StringIO(), [0.0]
    terminal = Terminal(40, 4, out=out, errors=errors, clock=lambda: now[0])
    for step in range(40):
        now[0] = step / 8
        terminal.step(seen(step))
    shown = [int(line.split()[1].partition("/")[0]) for line in out.getvalue().splitlines()]
    assert shown == [1, 9, 17, 25, 33, 40]  # every fourth step, at most one a second, and the last
    assert "\r" not in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_quiet_tells_warnings_alone() -> None:
    out, errors = io.StringIO(), io.StringIO()
    terminal = Terminal(2, 1, quiet=True, out=out, errors=errors)
    terminal.step(seen(0))
    terminal.step(seen(1, skipped="spike"))
    terminal.close()
    assert out.getvalue() == ""
    assert errors.getvalue() == (
        "llama-train: step 1 (rows 8 to 15 of the mix): loss 2.5000, gradient norm 0.5000: spike; left out\n"
    )


def test_totals_count_what_was_learnt_and_go_on_from_their_state() -> None:
    first = Totals(("a", "b"), {}, 0)
    first.add({"a": 100, "b": 50}, {"a": 4.0, "b": 2.0}, skipped=False)
    first.add({"a": 100}, {"a": float("nan")}, skipped=True)
    again = Totals(("a", "b"), json.loads(json.dumps(first.state())), 24)
    again.add({"a": 300}, {"a": 2.0}, skipped=False)
    assert again.tokens == {"a": 400, "b": 50}
    assert again.left_out == {"a": 100, "b": 0}
    assert (again.mean_loss("a"), again.last) == (2.5, {"a": 2.0, "b": 2.0})
    assert again.since == 0
    assert Totals(("a",), {}, 24).since == 24
    assert Totals(("a",), {}, 24).mean_loss("a") is None


def test_the_table_says_what_is_not_known() -> None:
    domain = {
        "tokens": 1000, "tokens_left_out": 10, "epochs": None, "last_loss": 2.0, "mean_loss": 2.5,
        "held_out_loss": None, "bits_per_byte": None,
    }  # fmt: skip
    summary = {"domains": {"a": domain}, "counted_since_row": 8, "device_hours": 82_432.0, "energy_formula": "x"}
    table = summary_table(summary).splitlines()
    assert table[1].split() == ["a", "1,000", "-", "2.0000", "2.5000", "-", "-"]
    assert table[2:] == [
        "10 tokens were read in steps that were left out",
        "tokens and mean losses are counted since row 8",
        "82,432 device hours",
    ]
    used = summary_table({**summary, "energy_kwh": 0.012345, "co2e_kg": 12345.6})
    assert used.endswith("82,432 device hours, 0.0123 kWh, 12,346 kg CO2e (x)")


def test_a_curve_has_only_finite_points_and_a_skipped_step_is_an_event() -> None:
    curves = seen(3, loss=float("nan"), skipped="not_finite").curves()
    assert "loss/all" not in curves
    assert "speed/mfu" not in curves
    assert (curves["events/skipped"], curves["loss/books"], curves["speed/data_wait"]) == (1.0, 2.25, 0.25)
    figures = {"windows": 2, "loss": 3.0, "bits_per_byte": None}
    held = HeldOut(3, 32, 1024, 0.1, figures, {"books": {**figures, "bits_per_byte": 1.5}})
    assert held.curves() == {"held_out/all": 3.0, "held_out/books": 3.0, "held_out_bits_per_byte/books": 1.5}


@pytest.mark.parametrize(("name", "setting"), [("tensorboard", {"tensorboard": True}), ("wandb", {"wandb": "project"})])
def test_a_missing_package_is_said_with_our_extra(
    name: str, setting: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(__import__("sys").modules, name, None)
    require_boards(WatchConfig())
    with pytest.raises(
        RequestError, match=rf'^--{name} needs {name}, which is not installed: `pip install "llama-data\[{name}\]"`$'
    ):
        require_boards(WatchConfig.model_validate(setting))


def test_options_become_settings() -> None:
    given = {
        "validate_every": 5, "validate_rows": None, "tensorboard": False, "wandb": "p", "profile_steps": "10:13",
        "device_watts": None, "quiet": True,
    }  # fmt: skip
    found = watch_settings(given)
    assert found == {
        "watch.validate_every": 5, "watch.wandb": "p", "watch.profile_steps": (10, 13), "watch.quiet": True,
    }  # fmt: skip
    for wrong in ("13:10", "10:10", "10", "a:b", "-1:3"):
        with pytest.raises(RequestError, match="expected A:B"):
            watch_settings({**given, "profile_steps": wrong})
