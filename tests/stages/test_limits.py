"""What each rule decides exactly at its limit, just below it and just above."""

# ruff: noqa: RUF001 - Serbian in both of its scripts

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llama_data.pipeline.core.document import Document, new_document
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.books import frame, gutenberg
from llama_data.stages.books import jobs as books_jobs
from llama_data.stages.c4 import jobs as c4_jobs
from llama_data.stages.fasttext.model import FastTextModel, Prediction
from llama_data.stages.github import rules as github
from llama_data.stages.stackexchange.jobs import _pieces
from llama_data.stages.stackexchange.posts import post_of
from llama_data.stages.steps.c4_rules import CleanPage, PageLimit
from llama_data.stages.steps.kernels.c4_constants import PRESETS
from llama_data.stages.steps.language import Language
from llama_data.stages.wikipedia.wikitext import clean


def page(text: str, **more: Any) -> Document:
    return new_document(domain="d", id="d/1", text=text, source="a#1", **more)


def c4_language(language: str, minimum: float) -> Language:
    """The rule as C4's jobs make it."""
    return Language(model="m", languages=(language,), threshold=minimum, newlines="space", digits=None)


SENTENCES = "Here is a line that stays."


@pytest.mark.parametrize(("preset", "words"), [("tfds", 5), ("datatrove", 3), ("dolma", 3)])
def test_a_line_of_as_many_words_as_the_minimum_stays(preset: str, words: int) -> None:
    rules = PRESETS[preset]
    for count, stays in ((words - 1, False), (words, True), (words + 1, True)):
        line = " ".join(["word"] * count) + "."
        doc = page("\n".join([SENTENCES] * 5 + [line]))
        assert CleanPage(rules=rules).judge(doc) is None
        assert doc.text.endswith(line) is stays
        assert doc.metadata["removed_lines"] == (not stays)


@pytest.mark.parametrize("letter", ["x", "é", "中"])
def test_a_word_of_a_thousand_characters_stays(letter: str) -> None:
    for size, stays in ((999, True), (1000, True), (1001, False)):
        line = f"This line has {letter * size} in it."
        doc = page("\n".join([SENTENCES] * 3 + [line]))
        assert CleanPage(rules=PRESETS["tfds"]).judge(doc) is None
        assert doc.text.endswith(line) is stays


@pytest.mark.parametrize(("preset", "sentences"), [("tfds", 3), ("datatrove", 5)])
def test_as_many_sentences_as_the_minimum_are_enough(preset: str, sentences: int) -> None:
    for count in (sentences - 1, sentences, sentences + 1):
        reason = CleanPage(rules=PRESETS[preset]).judge(page("\n".join([SENTENCES] * count)))
        assert reason is (Reason.too_few_sentences if count < sentences else None)
        reason = CleanPage(rules=PRESETS[preset]).judge(page(" ".join([SENTENCES] * count)))
        assert reason is (Reason.too_few_sentences if count < sentences else None)


def test_a_page_of_as_many_characters_as_the_maximum_stays() -> None:
    assert [PageLimit(maximum=9).judge(page("é" * size)) for size in (8, 9, 10)] == [None, None, Reason.page_too_long]


@pytest.mark.parametrize(
    ("score", "minimum", "reason"),
    [
        (0.5, 0.5, None),
        (float(np.nextafter(0.5, 0)), 0.5, Reason.language_uncertain),
        (0.99, 0.99, None),
        (0.98999, 0.99, Reason.language_uncertain),
        (0.0, 0.0, None),
    ],
)
def test_c4_keeps_a_page_whose_language_score_is_the_minimum(
    monkeypatch: pytest.MonkeyPatch, score: float, minimum: float, reason: Reason | None
) -> None:
    class Model:
        def predict(self, texts: list[bytes]) -> list[Prediction]:
            assert texts == [b"two lines"]
            return [Prediction("en", score)]

    monkeypatch.setattr(FastTextModel, "shared", lambda path: Model())
    doc = page("two\nlines")
    assert c4_language("en", minimum).judge(doc) is reason
    assert doc.metadata["language_score"] == round(score, 4)
    other = c4_language("de", minimum).judge(doc)
    assert other is (reason or Reason.language_not_chosen)


def test_c4_keeps_no_page_without_a_language_and_writes_four_decimals(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Prediction(None, 0.0)
    monkeypatch.setattr(FastTextModel, "shared", lambda path: type("M", (), {"predict": lambda s, texts: [found]})())
    assert c4_language("en", 0.0).judge(page("?")) is Reason.language_uncertain
    found, doc = Prediction("en", 0.123456), page("a")
    c4_language("en", 0.0).judge(doc)
    assert doc.metadata["language_score"] == 0.1235


@pytest.mark.parametrize(
    ("letters", "tokens", "reason"),
    [
        (6, 4, None),
        (7, 4, None),
        (5, 4, Reason.few_letters_per_token),
        (1, 0, Reason.few_letters_per_token),
        (0, 3, Reason.few_letters_per_token),
    ],
)
def test_a_file_with_as_many_letters_a_token_as_the_minimum_stays(
    monkeypatch: pytest.MonkeyPatch, letters: int, tokens: int, reason: Reason | None
) -> None:
    encoder = type("Encoder", (), {"encode": lambda self, text: [0] * tokens})()
    monkeypatch.setattr(github, "load_processor", lambda path: (encoder, None, None))
    doc = page("é" * letters + "12 _")
    assert github.LettersPerToken(model="m", minimum=1.5).judge(doc) is reason
    assert doc.notes["letters_per_token"] == (letters / tokens if tokens else 0.0)


@pytest.mark.parametrize(
    ("text", "limits", "reason"),
    [
        ("é" * 10, {"max_line": 10}, None),
        ("é" * 9 + "\n" + "é" * 11, {"max_line": 10}, Reason.long_line),
        (("x" * 9 + "\n") * 5, {"max_average_line": 10.0}, None),
        (("x" * 9 + "\n") * 4 + "x" * 10 + "\n", {"max_average_line": 10.0}, Reason.long_lines_on_average),
        (("x" * 9 + "\n") * 4 + "x" * 10, {"max_average_line": 10.0}, None),
        ("x-" * 10, {"min_alnum_share": 0.5}, None),
        ("x-" * 10 + "-", {"min_alnum_share": 0.5}, Reason.few_alphanumerics),
        ("---", {"min_alnum_share": 0.0}, None),
        ("--- ", {}, None),
    ],
)
def test_files_at_the_limits_of_the_heuristics_stay(text: str, limits: dict[str, Any], reason: Reason | None) -> None:
    off = {"max_line": None, "max_average_line": None, "min_alnum_share": None}
    assert github.Heuristics(**{**off, **limits}).judge(page(text)) is reason


@pytest.mark.parametrize(("lines", "found"), [(4, True), (5, False)])
def test_a_mark_of_a_generated_file_counts_in_the_fifth_line_and_not_in_the_sixth(lines: int, found: bool) -> None:
    assert github.is_generated("code\n\n" * lines + "@generated\n") is found


OPENING = "*** START OF THE PROJECT GUTENBERG EBOOK A BOOK ***"
CLOSING = "*** END OF THE PROJECT GUTENBERG EBOOK A BOOK ***"
BODY = "It was the first line of a book.\n\nIt went on for a while."


def stripped(text: str) -> str:
    return gutenberg.strip_gutenberg(text).text


@pytest.mark.parametrize(("size", "goes"), [(299, True), (300, True), (301, False)])
def test_a_header_is_believed_up_to_its_longest(monkeypatch: pytest.MonkeyPatch, size: int, goes: bool) -> None:
    monkeypatch.setattr(frame, "LONGEST", 300)
    text = "h" * (size - 2) + f"\n\n{OPENING}\n\n{BODY}"
    assert stripped(text) == (BODY if goes else text)


@pytest.mark.parametrize(("size", "goes"), [(299, True), (300, True), (301, False)])
def test_what_follows_a_closing_mark_goes_up_to_its_longest(
    monkeypatch: pytest.MonkeyPatch, size: int, goes: bool
) -> None:
    monkeypatch.setattr(frame, "LONGEST", 300)
    after = "\n" + "t" * (size - 1)
    assert (after[1:] in stripped(f"{BODY}\n{CLOSING}{after}")) is not goes


@pytest.mark.parametrize(("size", "goes"), [(199, True), (200, True), (201, False)])
def test_a_second_opening_mark_is_one_only_right_after_the_first(size: int, goes: bool) -> None:
    between = "b" * size
    text = f"{OPENING}\n\n{between}\n\n{OPENING}\n\n{BODY}"
    assert stripped(text) == (BODY if goes else f"{between}\n\n{OPENING}\n\n{BODY}")


def test_an_opening_mark_inside_the_second_book_of_a_file_is_no_mark() -> None:
    first, second = f"{OPENING}\n\n{BODY}\n\n{CLOSING}\n", "The second book. " * 20
    text = f"{first}{OPENING}\n\n{second}\n{OPENING}\n\n{BODY}\n\n{CLOSING}\n"
    assert stripped(text) == f"{BODY}\n\n\n{second}\n{OPENING}\n\n{BODY}"


@pytest.mark.parametrize(("size", "whole"), [(19, True), (20, False), (21, False)])
def test_a_file_of_which_next_to_nothing_would_be_left_stays_whole(size: int, whole: bool) -> None:
    text = f"{OPENING}\n\n{'b' * size}\n\n{CLOSING}"
    assert stripped(text) == (text if whole else "b" * size)


@pytest.mark.parametrize(("lines", "goes"), [(24, True), (25, True), (26, False)])
def test_a_paragraph_of_credits_has_so_many_lines_at_most(lines: int, goes: bool) -> None:
    credit = "Produced by A. Person\n" + "and another\n" * (lines - 2) + "and one\n\n"
    text = f"{OPENING}\n\n{credit}{BODY}"
    assert stripped(text) == (BODY if goes else f"{credit}{BODY}")


@pytest.mark.parametrize(
    ("name", "size", "pieces"),
    [
        ("Posts.xml", 99, [(0, None)]),
        ("Posts.xml", 100, [(0, None)]),
        ("Posts.xml", 101, [(0, 100), (100, 101)]),
        ("Posts.xml", 200, [(0, 100), (100, 200)]),
        ("a.7z", 300, [(0, None)]),
        ("Posts.xml.gz", 300, [(0, None)]),
    ],
)
def test_a_dump_of_posts_is_cut_when_it_is_larger_than_a_piece(
    name: str, size: int, pieces: list[tuple[int, int | None]]
) -> None:
    found = list(_pieces(Split(path=name, name=name, size=size), 100))
    assert [(split.start, split.end) for split in found] == pieces
    assert sum(split.size for split in found) == size


def test_the_owner_of_a_post_is_its_number_where_it_has_one() -> None:
    row = {"Id": "1", "PostTypeId": "1", "Title": "t"}
    assert post_of({**row, "OwnerUserId": "7", "OwnerDisplayName": "name"})["owner"] == "7"
    assert post_of({**row, "OwnerDisplayName": "name"})["owner"] == "name"
    assert "owner" not in post_of(row)


@pytest.mark.parametrize(
    ("limit", "tasks"), [(1, 4), (99, 4), (100, 4), (133, 4), (134, 3), (200, 2), (399, 2), (400, 1), (401, 1)]
)
def test_books_are_as_many_tasks_as_their_bytes_need_and_no_more_than_files(
    tmp_path: Path, limit: int, tasks: int
) -> None:
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text("x" * 100)
    run = RunContext(input=str(tmp_path), output=str(tmp_path / "out"))
    made = {job.name: job.tasks for job in books_jobs.jobs(books_jobs.Settings(max_task_bytes=limit), run)}
    assert made.pop("books/decide") == 1
    assert set(made.values()) == {tasks}


def test_fields_of_a_page_that_are_no_text_are_left_out(run_files: Any) -> None:
    rows = [
        {"text": "One page.", "url": 5, "timestamp": 20190425},
        {"text": "Another.", "url": None, "timestamp": None},
        {"text": "A third.", "url": "http://a.org", "timestamp": "2019-04-25T12:57:54Z"},
    ]
    found = run_files(c4_jobs, {"a.jsonl": "\n".join(json.dumps(row) for row in rows)})
    assert [(row["url"], row["timestamp"]) for row in found.ledger] == [
        (None, None),
        (None, None),
        ("http://a.org", "2019-04-25T12:57:54Z"),
    ]
    assert all(set(doc["metadata"]) >= {"domain", "source", "language"} for doc in found.documents)


@pytest.mark.parametrize(
    ("variant", "shown"),
    [
        ("-{sr-ec: реч; sr-el: reč}-", "реч"),
        ("-{sr-ec: а:б; sr-el: a:b}-", "а:б"),
        ("-{текст}-", "текст"),
        ("-{A|a|b}-", "a|b"),
        ("-{R|текст}-", "текст"),
    ],
)
def test_of_a_text_with_variants_the_first_is_shown_whole(variant: str, shown: str) -> None:
    assert clean(f"x {variant} y", title="T", language="sr").text == f"x {shown} y"
