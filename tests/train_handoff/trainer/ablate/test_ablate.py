"""`llama-train ablate` as a person runs it: spoiled data is told from clean, and clean data is not told from itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.config import SampleConfig
from llama_data.train_handoff.trainer.sampled import SampledMix
from llama_data.train_handoff.trainer.watch.lines import METRICS

torch = pytest.importorskip("torch")

from llama_data.pipeline.core.errors import RequestError, RunError, StoppedError  # noqa: E402
from llama_data.train_handoff.trainer.ablate import runs as running  # noqa: E402
from llama_data.train_handoff.trainer.learner import Learner  # noqa: E402

pytestmark = pytest.mark.timeout(1200)  # twelve small models are trained; a busy machine takes its time
UNDECIDED = "not distinguishable at this budget"
Ablate = Callable[..., Result]


@pytest.fixture(scope="module")
def ablate(clean: Path, shuffled: Path, boilerplate: Path, neutral: Path, model: Path) -> Ablate:
    def run(output: Path, *more: object) -> Result:
        command = ["ablate", clean, shuffled, f"menus={boilerplate}", "--held-out", neutral, "--model", model]
        budget = ["--tokens", 32_768, "--evaluations", 4, "--average", 2, "--device", "cpu", "--held-out-bytes", "8KB"]
        return CliRunner().invoke(app, [str(word) for word in (*command, *budget, "--output", output, *more)])

    return run


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, ablate: Ablate) -> tuple[Path, str]:
    """A finished ablation of three mixes and three seeds, and what it said."""
    folder = tmp_path_factory.mktemp("judged") / "out"
    done = ablate(folder)
    if done.exception is not None:
        raise done.exception
    return folder, done.output


@pytest.fixture
def again(judged: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of it, to go on in."""
    return Path(shutil.copytree(judged[0], tmp_path / "out"))


def found_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "ablate.json").read_text())
    return found


def measured(folder: Path, run: str) -> list[dict[str, Any]]:
    """What a run's evaluations found, without how long they took."""
    lines = [json.loads(line) for line in (folder / "runs" / run / METRICS).read_text().splitlines()]
    return [{**line, "seconds": 0} for line in lines if line["kind"] == "held_out"]


def test_spoiled_data_is_worse_and_clean_data_is_not_told_from_itself(judged: tuple[Path, str]) -> None:
    found = found_in(judged[0])
    (news,) = found["verdicts"]
    verdicts = {arm["arm"]: arm["verdict"] for arm in news["arms"]}
    assert verdicts == {"shuffled": "worse", "menus": "worse", "A/A": UNDECIDED}
    for arm in news["arms"]:
        assert arm["pairs"] == 3
        assert arm["low"] < arm["difference"] < arm["high"]
        assert arm["difference"] == pytest.approx(arm["mean"] - news["baseline"]["mean"])
        assert (arm["low"] > 0) == (arm["arm"] != "A/A")
    assert found["failed"] == []
    assert 0 < news["detectable"] < min(arm["difference"] for arm in news["arms"] if arm["arm"] != "A/A")


def test_bits_per_byte_are_the_mean_of_the_last_evaluations(judged: tuple[Path, str]) -> None:
    found = found_in(judged[0])
    for run in found["runs"]:
        lines = measured(judged[0], run["folder"].removeprefix("runs/"))
        assert [line["step"] for line in lines] == [7, 15, 23, 31]
        last = [line["bits_per_byte/text/news"] for line in lines[-2:]]
        assert run["bits_per_byte"]["text/news"] == pytest.approx(sum(last) / 2)


def test_arms_differ_in_rows_and_seeds_in_values(judged: tuple[Path, str]) -> None:
    settings = {}
    for path in (judged[0] / "runs").glob("*/*/train.json"):
        one = json.loads(path.read_text())
        settings[path.parent.parent.name, path.parent.name] = (
            one["seed"],
            one["sample"]["begin"],
            one["sample"]["seed"],
        )
        same = {key: value for key, value in one.items() if key not in ("data", "output", "seed", "sample")}
        assert same == settings.setdefault("all", same)  # type: ignore[arg-type,call-overload]
    for seed in (1, 2, 3):
        arms = {arm: settings[arm, f"seed-{seed}"] for arm in ("clean", "shuffled", "menus", "A-A")}
        assert {one[0] for one in arms.values()} == {seed}
        assert arms["A-A"][1:] != arms["clean"][1:]
    begins = sorted(settings[arm, f"seed-{seed}"][1] for arm in ("clean", "A-A") for seed in (1, 2, 3))
    assert len(set(begins)) == 6


def test_the_screen_says_the_budget_the_overlap_and_the_verdicts(judged: tuple[Path, str]) -> None:
    said = judged[1]
    assert "12 of 12 runs (4 arms x 3 seeds) to train: 393,216 tokens learnt" in said
    assert "in training rows: clean" in said
    assert "extra, not neutral" in said
    lines = said.splitlines()
    assert sum(line.startswith(tuple(f"{n}/12 " for n in range(1, 13))) for line in lines) == 12
    assert next(line for line in lines if "shuffled " in line and "worse" in line)
    assert next(line for line in lines if "A/A " in line and UNDECIDED in line)


def test_the_page_holds_everything_and_fetches_nothing(judged: tuple[Path, str]) -> None:
    page = (judged[0] / "ablate.html").read_text()
    for text in (
        "shuffled",
        "menus",
        "A/A",
        UNDECIDED,
        "What it cannot show",
        "DataDecide",
        "Epochs",
        "default-src 'none'",
    ):
        assert text in page
    assert page.count('<svg class="chart"') == 3  # one set, its differences, and the training losses
    for outside in ("http://", "https://", "<script", "url(", "@import"):
        assert outside not in page


def test_rows_names_the_documents_that_a_step_of_a_run_read(judged: tuple[Path, str]) -> None:
    run = judged[0] / "runs" / "A-A" / "seed-2"
    done = CliRunner().invoke(app, ["rows", str(run), "--step", "3", "--json"])
    assert done.exception is None, done.exception
    settings = json.loads((run / "train.json").read_text())
    rows = SampledMix(settings["data"], SampleConfig(**settings["sample"]))
    parts = [json.loads(line) for line in done.output.splitlines()]
    assert [row for row in dict.fromkeys(part["row"] for part in parts)] == [rows.row(n) for n in range(48, 64)]


def test_the_same_command_trains_nothing_again(again: Path, ablate: Ablate, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*_: object) -> None:
        raise AssertionError("a run was trained again")

    before = found_in(again)
    monkeypatch.setattr(running, "train", train)
    monkeypatch.setattr(running, "rate", train)
    done = ablate(again)
    assert done.exception is None, done.exception
    after = found_in(again)
    assert {**after, "written": ""} == {**before, "written": ""}


def test_what_was_declared_cannot_be_changed(again: Path, ablate: Ablate) -> None:
    for more, said in (
        (("--seeds", 4), "seeds 3"),
        (("--average", 3), "evaluations_averaged 2"),
        (("--lr", 0.02), "lr"),
    ):
        done = ablate(again, *more)
        assert isinstance(done.exception, RequestError)
        assert said in str(done.exception)
        assert "another --output" in str(done.exception)


def test_a_failed_seed_is_left_out_and_tried_again(
    again: Path, ablate: Ablate, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(again / "runs" / "shuffled" / "seed-2")

    def train(*_: object) -> None:
        raise RunError("10 steps in a row were left out")

    monkeypatch.setattr(running, "train", train)
    monkeypatch.setattr(running, "rate", lambda *_: 1000.0)
    done = ablate(again)
    assert isinstance(done.exception, RunError)
    assert done.exception.exit_code == 1
    assert "shuffled, seed 2: 10 steps in a row were left out" in str(done.exception)
    found = found_in(again)
    arms = {arm["arm"]: arm for arm in found["verdicts"][0]["arms"]}
    assert (arms["shuffled"]["pairs"], arms["menus"]["pairs"]) == (2, 3)
    assert "(2 of 3 seeds)" in (again / "ablate.html").read_text()


def test_a_stopped_run_goes_on_and_ends_as_if_it_had_not_been(
    judged: tuple[Path, str], again: Path, ablate: Ablate, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(again / "runs" / "menus" / "seed-3")
    monkeypatch.setattr(running, "rate", lambda *_: 1000.0)
    update = Learner.update

    def stopping(self: Learner, batch: Any, *more: Any) -> Any:
        if batch.step == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(self, batch, *more)

    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "update", stopping)
        done = ablate(again)
    assert isinstance(done.exception, StoppedError)
    assert done.exception.exit_code == 128 + signal.SIGTERM
    assert "menus, seed 3" in str(done.exception)
    assert signal.getsignal(signal.SIGTERM) is before
    assert ablate(again).exception is None
    assert measured(again, "menus/seed-3") == measured(judged[0], "menus/seed-3")


def test_what_cannot_be_compared_is_refused(
    clean: Path, shuffled: Path, neutral: Path, model: Path, write_mix: Any, texts: list[str], tmp_path: Path
) -> None:
    def refused(*mixes: object, tokens: int = 8192) -> str:
        command = ["ablate", *mixes, "--held-out", neutral, "--model", model, "--tokens", tokens, "--device", "cpu"]
        done = CliRunner().invoke(app, [*map(str, command), "--output", str(tmp_path / "out")])
        assert isinstance(done.exception, RequestError), done.exception
        assert not (tmp_path / "out" / "runs").exists()
        return str(done.exception)

    short = write_mix("short", texts[:200], seq_len=32)
    assert "seq_len is 64 and 32" in refused(clean, short)
    assert "two mixes or more" in refused(clean)
    assert "are the same mix" in refused(clean, f"again={clean}")
    assert "two mixes would be called 'clean'" in refused(clean, f"clean={shuffled}")
    assert "no such file" in refused(clean, tmp_path / "nothing")
    assert "fewer than one batch" in refused(clean, shuffled, tokens=1023)
    rows = Mixture(str(clean / "mix")).rows
    least = min(rows, Mixture(str(shuffled / "mix")).rows) // 16 * 1024
    assert "epochs of its" in refused(clean, shuffled, tokens=least + 1024)
