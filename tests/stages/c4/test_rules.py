"""C4's decisions about pages: addresses, sentences, bad words, limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from llama_data.pipeline.core.document import Document, new_document
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.c4.address import url_key
from llama_data.stages.c4.dedup import line_hash, text_hash, time_number
from llama_data.stages.steps.bad_words import BadWords
from llama_data.stages.steps.c4_rules import CleanPage, PageLimit, has_sentences
from llama_data.stages.steps.kernels.c4_constants import PRESETS
from llama_data.stages.steps.kernels.c4_sentences import count_sentences
from llama_data.stages.steps.length import EmptyText


def page(text: str) -> Document:
    return new_document(domain="c4", id="c4/1", text=text, source="a#1")


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://www.example.org/a/", "example.org/a"),
        ("http://example.org/a", "example.org/a"),
        ("http://example.org/a?utm_source=x&y=1", "example.org/a"),
        ("http://example.org/a?ref=front", "example.org/a"),
        ("http://example.org/a?feed=rss", "example.org/a"),
        ("http://example.org/a?id=3", "example.org/a?id=3"),
        ("http://example.org/a?id=3&utm_source=x", "example.org/a?id=3&utm_source=x"),
        ("ftp://www.example.org//", "ftp://www.example.org"),
    ],
)
def test_an_address_is_normalised(url: str, key: str) -> None:
    assert url_key(url) == key


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        ("", 0),
        ("   ", 0),
        ("No end", 1),
        ("One. Two. Three.", 3),
        ("Really? Yes! Good.", 3),
        ('He said "Stop." Then he left.', 2),
        ("Mr. Smith met Dr. Jones.", 1),
        ("J. R. R. Tolkien wrote it. It is long.", 2),
        ("It costs 3.50 in the U.S. today.", 1),
        ("They live in the U.S. They like it.", 2),
        ("See www.example.org. It is there.", 2),
        ("It began at 5 p.m. and ended at 7 p.m. The end.", 2),
        ("Wait... what now.", 1),
        ("Wait... What now.", 2),
        ("It ends. in lower case.", 2),
        ("See e.g. The Times.", 1),
        ("So do I. You do too.", 2),
    ],
)
def test_sentences_are_counted(line: str, sentences: int) -> None:
    assert count_sentences(line) == sentences


def test_as_many_lines_as_sentences_are_enough_and_fewer_are_counted() -> None:
    assert has_sentences("a\nb\nc", 3)
    assert not has_sentences("a\nb", 3)
    assert has_sentences("One. Two.\nThree.", 3)
    assert not has_sentences("", 1)
    assert has_sentences("", 0)


def test_the_page_limit_is_in_characters() -> None:
    limit = PageLimit(maximum=190_000)
    assert limit.judge(page("\u00e9" * 190_000)) is None
    assert limit.judge(page("\u00e9" * 190_001)) is Reason.page_too_long


@pytest.mark.parametrize("text", ["\0" * 50, "\ufeff\n\0 \x1b\xa0"])
def test_a_text_of_control_characters_is_rejected(text: str) -> None:
    assert EmptyText().judge(page(text)) is Reason.empty_text
    assert EmptyText().judge(page(text + "a")) is None


def test_a_blank_text_is_rejected() -> None:
    assert EmptyText().judge(page(" \n\u3000")) is Reason.empty_text
    assert EmptyText().judge(page("a")) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("This is the first one.\nThis is the second one.\nThis is the third one.", None),
        ("This is the first one.\nThis is the second one.\nMenu", Reason.too_few_sentences),
        ("This is the first one. And here is a second.\nThis is the third one.", None),
        ("This is lorem ipsum and so on.\n" * 4, Reason.lorem_ipsum),
        ("This is the first { of all.\n" * 4, Reason.curly_brace),
        ("if (x) {\nThis is the first one.\nThis is the second one.\nThis is the third one.", None),
    ],
)
def test_what_becomes_of_a_page(text: str, reason: Reason | None) -> None:
    doc = page(text)
    assert CleanPage(rules=PRESETS["tfds"]).judge(doc) is reason
    if reason is not None:
        assert doc.text == text


def test_a_policy_line_goes_and_the_page_stays() -> None:
    doc = page("Read our privacy policy before you go.\n" + "Here is a line that stays.\n" * 3)
    assert CleanPage(rules=PRESETS["tfds"]).judge(doc) is None
    assert doc.text == "\n".join(["Here is a line that stays."] * 3)
    assert doc.metadata["removed_lines"] == 1


def test_bad_words_stand_alone_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("Darn\nc++ (x)\n\n", encoding="utf-8")
    rule = BadWords(path=str(path))
    assert rule.judge(page("Well, DARN.")) is Reason.bad_word
    assert rule.judge(page("darn")) is Reason.bad_word
    assert rule.judge(page("a c++ (x) b")) is Reason.bad_word
    assert rule.judge(page("darning socks, undarn, darn_it")) is None


@pytest.mark.parametrize("content", [b"", b" \n\n", b"\xff\xfe"])
def test_a_useless_list_of_bad_words_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"words\.txt"):
        BadWords(path=str(path)).judge(page("a"))


def test_hashes_and_times_are_what_the_rules_name() -> None:
    # MD5 of the empty text begins d41d8cd98f00b204.
    assert text_hash("") == 0xD41D8CD98F00B204
    assert line_hash("  Hello World. ") == text_hash("hello world.")
    assert time_number("2019-04-25T12:57:54Z") == 20190425125754
    assert time_number("2019-04-25") < time_number("2019-04-25T12:57:54Z")
    assert time_number(None) == 0
