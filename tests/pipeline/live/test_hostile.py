"""Nothing that a record, a name or a reason holds reaches a terminal as a command, or a page as a script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from llama_data.pipeline.commands.mix import affordable, plan_recipe, shards_of
from llama_data.pipeline.live import then
from llama_data.pipeline.recipe import load_recipe
from llama_data.pipeline.registry import STAGES

FORBIDDEN = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def obeyed(text: str) -> list[str]:
    """The characters that a terminal would obey."""
    return [
        char for char in text if (unicodedata.category(char) == "Cc" and char not in "\n\t") or FORBIDDEN.match(char)
    ]


@pytest.fixture
def rows(hostile_run: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = pq.read_table(hostile_run / "ledger" / "mine").to_pylist()
    return found


def test_the_run_is_as_hostile_as_it_should_be(rows: list[dict[str, str]], hostile_run: Path) -> None:
    assert {row["outcome"] for row in rows} == {"kept", "rejected", "failed"}
    for column in ("id", "source", "url", "title"):
        assert any(obeyed(row[column] or "") and "<script>" in (row[column] or "") for row in rows), column
    assert any("\x1b" in (row["reason"] or "") for row in rows)
    assert (hostile_run / "mix" / "mix.json").exists()


def test_no_verb_passes_on_what_a_terminal_would_obey(
    hostile_run: Path, rows: list[dict[str, str]], command: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    run = hostile_run
    one = {
        outcome: next(row["id"] for row in rows if row["outcome"] == outcome)
        for outcome in ("kept", "rejected", "failed")
    }
    [document] = sorted((run / "documents" / "mine").glob("*.zst"))[:1]
    source = next((run.parent / "in").iterdir())
    shown: list[list[str | Path]] = [
        *(["why", run, id, "--full"] for id in one.values()),
        ["why", run, "mine/"],
        ["why", run, "no such \x1b[2J\u202e id"],
        ["inspect", document],
        ["inspect", source],
        ["inspect", run / "ledger" / "mine" / "00000.parquet"],
        ["inspect", run / "tokens" / "mine" / "00000.parquet", "--row", "0"],
        ["inspect", run / "mix" / "00000.parquet"],
        ["inspect", run / "tokenizer", "--text", "a\x1b[2Jb\u202ec"],
        ["logs", run],
        ["status", run],
        ["verify", run, "--full"],
        ["plan", run / "recipe.yaml"],
        ["report", run],
        ["run", "all", "-c", run / "recipe.yaml"],
        ["run", "all", "-c", "absent\x1b[2J\u202e.yaml"],
        ["nosuch\x1b[2J\u202e"],
    ]
    for words in shown:
        code = command(*words)
        out, err = capfd.readouterr()
        assert obeyed(out + err) == [], words
        assert code in (0, 1, 2), words
        assert out + err, words
        assert "Traceback" not in err, words
        if words[0] not in ("inspect", "logs"):  # which show a text as it is, line by line
            assert not re.search(r"^kept: 5", out + err, re.MULTILINE), words


class _Active(HTMLParser):
    """What of a page would run: the texts of its scripts, and attributes that hold a handler or a script's address."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script"
        for name, value in attrs:
            if name.startswith("on") or (value or "").strip().lower().startswith("javascript:"):
                self.found.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found.append(data)


def test_the_page_of_a_hostile_run_has_no_script_of_its_content(
    hostile_run: Path, command: Callable[..., int], tmp_path: Path
) -> None:
    assert command("report", hostile_run, "--output", tmp_path / "page.html") == 0
    page = (tmp_path / "page.html").read_text()
    assert "alert(2)" in page  # it is shown, as text
    parser = _Active()
    parser.feed(page)
    assert [found for found in parser.found if "alert" in found or "onload" in found] == []


def test_the_next_commands_hold_for_the_run(hostile_run: Path) -> None:
    recipe, run = load_recipe(str(hostile_run / "recipe.yaml")), str(hostile_run)
    report = f"llama-data report {run}"
    assert then.after_documents(recipe) == [f"llama-data tokenize --output {run}", report]
    assert then.after_tokens(recipe, None) == [f"llama-data mix --output {run}", report]
    assert then.after_tokens(recipe, 640)[0] == f"llama-data mix --output {run} --tokens 640"
    assert then.after_mix(recipe, "mix/a b") == [f"llama-train launch --data '{run}/mix/a b'", report]
    more = recipe.model_copy(update={"mix": recipe.mix.model_copy(update={"weights": {"mine": 0.5, "c4": 0.5}})})
    assert then.after_documents(more) == [report]  # no stage of the recipe makes c4
    wider = more.with_settings("c4", STAGES["c4"].settings())
    assert then.after_documents(wider) == [f"llama-data run c4 -c {run}/recipe.yaml", report]
    assert then.after_tokens(wider, None)[0] == f"llama-data run c4 -c {run}/recipe.yaml"
    assert affordable(recipe) is None
    greedy = recipe.model_copy(update={"mix": recipe.mix.model_copy(update={"tokens": 10**12})})
    most = affordable(greedy)
    assert most is not None
    enough = recipe.model_copy(update={"mix": recipe.mix.model_copy(update={"tokens": most})})
    assert plan_recipe(enough, shards_of(enough)).tokens == most


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "books", "--workers", "x"], "invalid value for '--workers': "),
        (["run"], "missing argument 'stage'; `llama-data run --help` shows what it takes"),
        (["run", "books", "--nope"], "no such option: --nope"),
        (["nosuch"], "no such command 'nosuch'; `llama-data --help` shows what it takes"),
        (["mix", "--seed", "-1"], "invalid value for '--seed': "),
        (["run", "books", "--quiet", "--json"], "--quiet and --json: give one of them"),
    ],
)
def test_wrong_words_are_one_line_of_ours(
    command: Callable[..., int], capfd: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert command(*words) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"llama-data: {said}")
    assert err.count("\n") == 1
