"""What is counted of a ledger in one pass, against loops over its rows; across the seams of row groups."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from reported import SETTINGS, row, write_evaluations, write_ledger

from llama_data.pipeline.report.domain import Example, Pair, count_domain, templates_of
from llama_data.pipeline.report.evaluations import evaluation_tasks
from llama_data.pipeline.report.thresholds import FIGURES, Choice

PAGES = "commoncrawl"
BY_NAME = {figure.column: figure for figure in FIGURES}


def pages(count: int) -> list[dict[str, Any]]:
    """Rows as the steps would leave them, with scores at, just below and just above the thresholds too."""
    drawn = random.Random(5)
    rows = []
    for number in range(count):
        language = drawn.choice(["en", "en", "en", "de"])
        score = drawn.choice([0.0, 0.3, 0.45, 0.4999, 0.5, 0.5001, 0.55, 1.0])
        perplexity = drawn.choice([1.0, 279.8, 440.4, 440.5, 440.6, 900.0, 5e7])
        reference = drawn.choice([0.0, 0.05, 0.0999, 0.1, 0.1001, 0.3, 1.0])
        values: dict[str, Any] = {"language": language, "language_score": score, "chars_in": number}
        lines = {"lines_duplicated": number % 4, "lines_repeated": 1}
        if number % 7 == 0:
            rows.append(row(f"p{number}", "too_short", "minimum_length"))
            continue
        if score < 0.5:  # in whatever language
            rows.append(row(f"p{number}", "language_uncertain", "language", **values, **lines))
            continue
        if language != "en":
            rows.append(row(f"p{number}", "language_not_chosen", "language", **values, **lines))
            continue
        values["perplexity"] = perplexity
        if perplexity >= 440.5:
            rows.append(row(f"p{number}", "high_perplexity", "perplexity", **values, **lines))
            continue
        values["reference_score"] = reference
        reason = None if reference >= 0.1 else "not_like_references"
        rows.append(row(f"p{number}", reason, reason and "reference_classifier", **values, **lines))
    return rows


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    run, rows = tmp_path_factory.mktemp("run"), pages(400)
    write_ledger(run, PAGES, [rows[:150], [], rows[150:]], group=64)
    return run, rows


def test_outcomes_reasons_and_lengths(ledger: tuple[Path, list[dict[str, Any]]]) -> None:
    run, rows = ledger
    found = count_domain(str(run), PAGES, Choice(SETTINGS))
    assert found.total().records == 400
    assert found.total().chars_in == sum(each["chars_in"] for each in rows)
    assert found.total("kept").chars_out == sum(each["chars_out"] for each in rows)
    for reason in found.reasons:
        mine = [each for each in rows if each["reason"] == reason.code]
        assert (reason.records, reason.chars) == (len(mine), sum(each["chars_in"] for each in mine))
    counts = [reason.records for reason in found.reasons]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) + found.total("kept").records == 400
    assert found.dedup.documents == sum("lines_duplicated" in each for each in rows)
    assert found.dedup.duplicated == sum(each.get("lines_duplicated", 0) for each in rows)
    languages = {named.name: (named.records, named.kept) for named in found.tallies["language"].top(9)}
    for name in ("en", "de"):
        mine = [each for each in rows if each.get("language") == name]
        assert languages[name] == (len(mine), sum(each["outcome"] == "kept" for each in mine))
    assert {example.id for example in found.examples["too_short"].items} <= {
        each["id"] for each in rows if each["reason"] == "too_short"
    }


@pytest.mark.parametrize("column", ["language_score", "perplexity", "reference_score"])
def test_a_moved_threshold_lets_through_what_the_rows_say(
    ledger: tuple[Path, list[dict[str, Any]]], column: str
) -> None:
    run, rows = ledger
    choice, figure = Choice(SETTINGS), BY_NAME[column]
    found = count_domain(str(run), PAGES, choice)
    language = "en" if column == "perplexity" else ""
    moved = choice.moved(figure, language, found.scales[column, language])
    assert [each.at for each in moved if each.today] == [
        {"language_score": 0.5, "perplexity": 440.5, "reference_score": 0.1}[column]
    ]
    assert len(moved) > 4
    mine = [each for each in rows if each.get(column) is not None and each["language"] == "en"]
    for each in moved:
        passing = [one for one in mine if (one[column] < each.at if column == "perplexity" else one[column] >= each.at)]
        assert each.passed == len(passing)
        assert each.kept == sum(one["outcome"] == "kept" for one in passing)
        assert each.added == sum(one["reason"] == figure.reason for one in passing)


def test_a_threshold_that_is_off_is_neither_drawn_nor_moved() -> None:
    choice = Choice({**SETTINGS, "reference_threshold": None, "perplexity_buckets": None, "language_threshold": 0.0})
    assert choice.cuts(BY_NAME["reference_score"], "") == []
    assert choice.candidates(BY_NAME["reference_score"], "") == []
    assert choice.candidates(BY_NAME["perplexity"], "en") == []
    assert [cut.at for cut in choice.cuts(BY_NAME["perplexity"], "en")] == [279.8, 440.5]
    assert choice.deciding(BY_NAME["language_score"], "") == 0.0
    assert choice.cuts(BY_NAME["perplexity"], "de") == []


def test_the_thresholds_of_a_source_stand_in_its_steps() -> None:
    steps = [
        {"language": {"threshold": 0.65, "languages": ["de"]}},
        {"references": {"threshold": 0.25}},
        {"own:Step": {}},
    ]
    choice = Choice({"steps": steps})
    assert choice.deciding(BY_NAME["language_score"], "") == 0.65
    assert choice.deciding(BY_NAME["reference_score"], "") == 0.25
    assert choice.languages == ("de",)


def test_the_pairs_nearest_to_the_threshold_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llama_data.pipeline.report.domain.PAIRS", 2)
    overlaps = [0.99, 0.91, 1.0, 0.95, 0.9001]
    rows = [
        row(f"b{n}", "duplicate_book", "overlap", duplicate_of="b9", overlap=overlap)
        for n, overlap in enumerate(overlaps)
    ]
    write_ledger(tmp_path, "books", [[*rows, row("b9")]], group=2)
    found = count_domain(str(tmp_path), "books", Choice({}))
    assert found.pairs == [Pair("b4", "b9", 0.9001), Pair("b1", "b9", 0.91)]
    assert found.paired == 5


def test_unknown_templates_are_ranked_by_how_often_they_stand_in_lines(tmp_path: Path) -> None:
    def article(n: int, language: str, unknown: str | None, lost: str | None) -> dict[str, Any]:
        return row(f"w{n}", language=language, templates_unknown_names=unknown, templates_lost_names=lost)

    first = [
        article(0, "en", '{"A": 2, "B": 1}', '{"B": 1}'),
        article(1, "de", '{"A": 1}', None),
        article(2, "en", None, None),
    ]
    write_ledger(tmp_path, "wikipedia", [first, [article(3, "en", '{"A": 3}', '{"A": 1}')]], group=1)
    found = count_domain(str(tmp_path), "wikipedia", Choice({}))
    assert templates_of(found, 9) == [("en", "A", 5, 1), ("de", "A", 1, 0), ("en", "B", 1, 1)]
    assert templates_of(found, 1) == [("en", "A", 5, 1)]


def test_a_ledger_without_the_domains_columns_is_counted_too(tmp_path: Path) -> None:
    rows = [row("x", "broken_step", "own", outcome="failed", detail="ValueError: no"), row("y")]
    write_ledger(tmp_path, "mine", [rows], extra={})
    found = count_domain(str(tmp_path), "mine", Choice({}))
    assert (found.total("failed").records, found.total("kept").records) == (1, 1)
    assert found.examples["broken_step"].items == [Example("x", "ValueError: no")]


def test_evaluation_tasks_are_those_of_the_ledger_and_of_the_steps_report(tmp_path: Path) -> None:
    write_evaluations(tmp_path)
    found = count_domain(str(tmp_path), "arxiv", Choice({})).evaluations
    quiz, other, unseen = evaluation_tasks(str(tmp_path), "arxiv", found)
    assert (quiz.task, quiz.items, quiz.found, quiz.whole, quiz.not_tested, quiz.documents) == ("quiz", 10, 6, 1, 2, 6)
    assert (quiz.rejected, quiz.others, quiz.action) == (4, 2, "masked")
    # The greatest shares first, of equal ones the lower id; one of six is not shown.
    assert [(each.id, each.item, each.share) for each in quiz.examples] == [
        ("arxiv/q1", "1", 1.0), ("arxiv/q5", "5", 0.75), ("arxiv/q2", "2", 0.5), ("arxiv/q3", "3", 0.5),
        ("arxiv/q0", "0", 0.25),
    ]  # fmt: skip
    # What went for another reason was masked before.
    assert (other.rejected, other.others) == (0, 1)
    assert (unseen.found, unseen.documents, unseen.examples) == (0, 0, [])
    (tmp_path / "reports/arxiv/02-decontaminate.json").unlink()
    alone = evaluation_tasks(str(tmp_path), "arxiv", found)
    assert [(each.task, each.items, each.documents, each.rejected) for each in alone] == [
        ("quiz", None, 6, 4), ("other", None, 1, 0),
    ]  # fmt: skip
