"""A record's story: figures equal those counted independently, thresholds those of the recipe, one step ends it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from llama_data.pipeline.cli import app
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.looking import diff
from llama_data.pipeline.looking.diff import compare
from llama_data.pipeline.looking.raw import raw_text
from llama_data.pipeline.looking.rows import Filter, Ledgers
from llama_data.pipeline.looking.story import checks_of, story
from llama_data.pipeline.recipe import Recipe, load_recipe
from llama_data.pipeline.registry import STAGES
from llama_data.pipeline.samples.build import build_samples

Row = dict[str, Any]


def why(run: Path, *words: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, ["why", str(run), *words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def recipe_of(run: Path) -> Recipe:
    return load_recipe(str(run / "recipe.yaml"))


def test_figures_are_those_counted_from_the_input(looked: Path, ledger: list[Row]) -> None:
    raw = {}
    for path in sorted((looked.parent / "dumps" / "news").glob("*.jsonl")):
        for number, line in enumerate(path.read_text().split("\n"), 1):
            if line:
                raw[f"news/{path.name}#{number}"] = json.loads(line)["text"]
    recipe = recipe_of(looked)
    for row in (row for row in ledger if row["domain"] == "news"):
        told = story(row, checks_of(recipe, "news"))
        ended = [step for step in told if step.state == "ended"]
        assert len(ended) == (row["outcome"] != "kept")
        length = len(raw[row["source"]])
        low, high = (step for step in told if step.figure == "chars_in")
        assert (low.bound, high.bound) == (60, 400)
        assert (low.value, low.distance, low.setting) == (length, length - 60, "min_characters")
        assert (low.state == "ended") == (length < 60)
        if length >= 60:
            assert (high.value, high.distance) == (length, length - 400)
            assert (high.state == "ended") == (length > 400)
        else:
            assert (high.state, high.value, high.distance) == ("not reached", None, None)


def test_what_rejects_is_declared_for_every_domain(tmp_path: Path) -> None:
    build_samples(tmp_path / "in")
    for domain, stage in STAGES.items():
        starters = {"language_model": "starter", "perplexity_models": {"en": "starter"}, "reference_model": "starter"}
        settings = stage.settings.model_validate(starters if domain == "commoncrawl" else {})
        folder = {"commoncrawl": "cc"}.get(domain, domain)
        jobs = stage.jobs(settings, RunContext(input=str(tmp_path / "in" / folder), output=str(tmp_path / "out")))
        built = [str(step.name) for job in jobs for step in job.steps if job.name.endswith(("/documents", "/repeated"))]
        declared = list(dict.fromkeys(check.step for check in settings.checks(None)))
        assert [name for name in dict.fromkeys(built) if name in declared] == declared
        silent = {"write", "raw_hash", "clean_hash", "text", "read", "read_c4", "read_github", "read_wikipedia"}
        assert set(built) - set(declared) <= silent


@pytest.mark.parametrize(
    ("check", "value", "ended"),
    [
        (Check(step="s", says="", figure="f", least=0.5), 0.4999, True),
        (Check(step="s", says="", figure="f", least=0.5), 0.5, False),
        (Check(step="s", says="", figure="f", most=10), 11, True),
        (Check(step="s", says="", figure="f", most=10), 10, False),
        (Check(step="s", says="", figure="f", below=440.5), 440.5, True),
        (Check(step="s", says="", figure="f", below=440.5), 440.4, False),
    ],
)
def test_of_two_checks_of_a_step_the_one_that_was_failed_ended_it(check: Check, value: float, ended: bool) -> None:
    other = Check(step="s", says="", figure="g", least=1, reasons=())
    row = {"outcome": "rejected", "step": "s", "reason": "r", "f": value, "g": 0}
    states = [told.state for told in story(row, [check, other])]
    assert states == (["ended", "not reached"] if ended else ["passed", "ended"])


def test_a_reader_or_a_step_of_ones_own_ends_it_where_no_check_says_so() -> None:
    checks = [Check(step="a", says="", figure="chars_in", least=3, reasons=(Reason.too_short,))]
    failed = {"outcome": "failed", "step": "read_c4", "reason": "invalid_json", "chars_in": 0}
    assert [(told.step, told.state) for told in story(failed, checks)] == [("read_c4", "ended"), ("a", "not reached")]
    own = {"outcome": "rejected", "step": "mine", "reason": "dull", "chars_in": 5}
    assert [(told.step, told.state) for told in story(own, checks)] == [("a", "not told"), ("mine", "ended")]


def test_a_threshold_of_one_language_is_told_of_its_texts_alone() -> None:
    checks = (
        STAGES["commoncrawl"]
        .settings.model_validate(
            {"language_model": "starter", "perplexity_models": {"en": "starter"}, "reference_model": "starter"}
        )
        .checks(None)
    )
    row = {"outcome": "kept", "language": "en", "perplexity": 300.0, "language_score": 0.5, "reference_score": 0.6}
    english = {told.step: told for told in story({**row, "chars_in": 400}, checks)}
    assert english["perplexity"].bound is not None
    assert english["perplexity"].distance == 300.0 - english["perplexity"].bound
    assert english["reference_classifier"].distance == pytest.approx(0.1)
    assert "perplexity" not in {told.step for told in story({**row, "language": "de"}, checks)}


def test_why_tells_steps_text_tokens_and_training_rows(looked: Path, ledger: list[Row], texts: dict[str, str]) -> None:
    kept = next(row for row in ledger if row["outcome"] == "kept" and row["domain"] == "news")
    [told] = why(looked, kept["id"])
    assert told["text"] == texts[kept["id"]]
    assert told["row"]["chars_in"] == kept["chars_in"]
    assert any("tokens in tokens/news/" in line for line in told["tokens"])
    assert any("training rows" in line or "not drawn" in line for line in told["tokens"])
    total = sum(row["domain"] == "news" for row in ledger)
    same = sum(row["domain"] == "news" and row["outcome"] == "kept" for row in ledger)
    assert told["share"].startswith(f"as {same} of the {total} records of news")
    drawn = why(looked, "--random", "rejected", "--reason", "too_short", "--seed", "3", "-n", "2")
    assert {one["row"]["reason"] for one in drawn} == {"too_short"}
    assert drawn == why(looked, "--random", "rejected", "--reason", "too_short", "--seed", "3", "-n", "2")


def test_why_compares_with_the_raw_text(looked: Path) -> None:
    done = CliRunner().invoke(app, ["why", str(looked), "wikipedia/en/2", "--raw"], catch_exceptions=False)
    assert re.search(r"needs one of bg, ca, [a-z, ]*, …  ", done.output), "a list that is cut says so"
    assert "2 lines removed" in done.stdout
    assert "{{Infobox}}" in done.stdout.partition("lines removed")[2]


def test_what_others_wrote_is_no_command_to_the_terminal(looked: Path) -> None:
    for words in (["n.example", "-n", "200"], ['said "so"', "--text", "--full", "--raw"]):
        done = CliRunner().invoke(app, ["why", str(looked), *words], catch_exceptions=False)
        assert done.exit_code == 0
        assert not set(done.stdout) & {"\x1b", "\x07", "\u202e"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["no such document"], "no record with this id, source, URL or text"),
        ([], "name a document"),
        (["x", "--random", "kept"], "name a document"),
        (["--random", "sometimes"], "expected one of: kept, rejected, failed, all"),
        (["--random", "kept", "--reason", "too_short"], "no kept record for too_short found"),
        (["--random", "rejected", "--reason", "no_such_reason"], "; reasons there are: "),
        (["x", "--domain", "nosuch"], "no ledger of this domain"),
    ],
)
def test_a_wrong_question_is_one_sentence(looked: Path, words: list[str], says: str) -> None:
    done = CliRunner().invoke(app, ["why", str(looked), *words])
    assert says in str(done.exception)


def test_raw_text_is_read_again_or_it_is_said_why_not(looked: Path) -> None:
    recipe, ledgers = recipe_of(looked), Ledgers(str(looked))
    for found in ledgers.sample(Filter(), 1000, 1):
        raw = raw_text(str(looked), recipe, found)
        assert raw.why is None
        assert raw.text is not None
        assert len(raw.text) == found.row["chars_in"]
    found = ledgers.find("id", "wikipedia/en/3")
    assert found is not None
    path = looked.parent / "dumps" / "enwiki-20260101-pages-articles.xml"
    data = path.read_bytes()
    try:
        path.write_bytes(data.replace(b"Number 3 of", b"Numero 3 of"))  # as long as before
        assert raw_text(str(looked), recipe, found).why is None  # its length is what the run counted
        path.write_bytes(data + b"\n")
        assert "another file" in str(raw_text(str(looked), recipe, found).why)
        path.unlink()
        assert "not there any more" in str(raw_text(str(looked), recipe, found).why)
    finally:
        path.write_bytes(data)
    assert "not reached within 0 s" in str(raw_text(str(looked), recipe, found, seconds=0.0).why)


line = st.lists(st.sampled_from(["a", "b", "[[c]]", "d e", " ", ""]), max_size=4).map(" ".join)


@given(st.lists(line, max_size=12).map("\n".join), st.lists(line, max_size=12).map("\n".join))
def test_both_texts_stand_whole_in_their_comparison(raw: str, cleaned: str) -> None:
    made = compare(raw, cleaned)
    left = [(row.left_number, "".join(text for text, _ in row.left)) for row in made.lines if row.left_number]
    right = [(row.right_number, "".join(text for text, _ in row.right)) for row in made.lines if row.right_number]
    assert left == list(enumerate(raw.split("\n"), 1))
    assert right == list(enumerate(cleaned.split("\n"), 1))
    for row in made.lines:
        assert (row.kind == "same") == (bool(row.left_number and row.right_number) and row.left == row.right)


def test_long_texts_are_compared_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff, "MOST_LINES", 5)
    made = compare("x\ny\n1\n2\n3\n4\n5", "1\n2\n3\n4\n5")
    assert made.counts() == {"same": 3, "removed": 2, "added": 0, "changed": 0}
    assert (made.left_rest, made.right_rest) == (2, 2)
    assert (compare("1\n2", "1\n2").left_rest, compare("1\n2\n3\n4\n5", "1").left_rest) == (0, 0)


def test_lines_that_became_one_another_stand_side_by_side() -> None:
    raw = "{{box}}\n'''Berlin''' is [[city|a city]] of Germany.\n\n[[Category:X]]"
    made = compare(raw, "Berlin is a city of Germany.\n")
    [changed] = [row for row in made.lines if row.kind == "changed"]
    assert (changed.left_number, changed.right_number) == (2, 1)
    assert "".join(text for text, own in changed.left if not own) == "Berlin is a city of Germany."
