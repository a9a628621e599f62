"""Splitters of words against ``str``, ``regex`` and spaCy, one text after the other."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import regex
from datatrove.utils.text import PUNCTUATION
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llama_data.pipeline.kernels.code_points import LIMIT, characters
from llama_data.pipeline.kernels.memory import padded
from llama_data.pipeline.kernels.word_table import key_hash
from llama_data.stages.steps.kernels import word_properties
from llama_data.stages.steps.kernels.word_scan import ALPHA, COUNTS, STOP_SHIFT
from llama_data.stages.steps.words import Kind, Words

# One of each class of word boundaries and of each kind of space, and characters whose lower case is another size.
CHARACTERS = (
    "aaBz19_.,;:'\"-#()$ \t\n\r\x0b\x0c\x1c\x1f\x01\x00\x85\xa0\u1680\u2003\u2028\u202f\u3000"
    "\u05d0\u30ab\u0301\u200d\xad\U0001f1e6\U0001f600\u4e00\u0345\u02bc\u2019éÜ\u0130\u03a3\u03c3\u212a\u0915\u093f\ud800"
)
SOME = [
    "the",
    "The",
    "THE",
    "with",
    "WITH",
    "\u212aind",
    "für",
    "FÜR",
    "ΟΔΟΣ",
    "extraordinary",
    "ExtraOrdinary",
    "x" * 70,
]
TEXTS = st.lists(st.sampled_from(CHARACTERS) | st.sampled_from(SOME) | st.characters(), max_size=50).map("".join)
STOPS = ("the", "with", "kind", "für", "extraordinary", "evenings", "x" * 70)

SIGNS = frozenset(PUNCTUATION)

Plain = Callable[[str], list[tuple[str, bool]]]


def all_count(words: list[str]) -> list[tuple[str, bool]]:
    return [(word, True) for word in words]


def fasttext(text: str) -> list[tuple[str, bool]]:
    return [
        (word, number == 0 and chunk[0].isalnum())
        for chunk in re.split("[\t-\r ]+", text)
        for number, word in enumerate(chunk.split())
    ]


SPACED: dict[Kind, Plain] = {
    "whitespace": lambda text: all_count(text.split()),
    "signs": lambda text: [(word, not SIGNS.issuperset(word)) for word in text.split()],
    "fasttext": fasttext,
    "bytes": lambda text: all_count([word for word in regex.split(r"\p{White_Space}+", text) if word]),
}


@pytest.mark.parametrize("kind", SPACED)
@settings(max_examples=80, deadline=None)
@example(text="The\x1cwith \x1cthe\u2003a")
@example(text="word" * 9 + "\u3000" + "1" * 16)
@given(text=TEXTS)
def test_words_between_spaces(kind: Kind, text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    total, words, src = _words(kind).of(data)
    expected = SPACED[kind](text)
    found = [bytes(src[a:b]) for a, b in zip(words.starts[:total], words.ends[:total], strict=True)]
    assert found == [word.encode("utf-8", "surrogatepass") for word, _ in expected]
    sizes = [len(held) if kind == "bytes" else len(word) for (word, _), held in zip(expected, found, strict=True)]
    assert words.lengths[:total].tolist() == sizes
    marks = [(bool(mark & COUNTS), bool(mark & ALPHA), mark >> STOP_SHIFT) for mark in words.marks[:total].tolist()]
    assert marks == [
        (counts, any(map(str.isalpha, word)), _stop(word if kind == "signs" else word.lower(), STOPS))
        for word, counts in expected
    ]


@cache
def _words(kind: Kind) -> Words:
    return Words(kind, stop_words=STOPS)


def _stop(word: str, stops: tuple[str, ...]) -> int:
    return stops.index(word) + 1 if word in stops else 0


@pytest.mark.parametrize("stops", [("οδος", "b"), ("οδοσ",), ("i\u0307",)])
def test_stop_words_whose_lower_case_depends_on_neighbours(stops: tuple[str, ...]) -> None:
    text = "ΟΔΟΣ ΟΔΟΣ, οδος οδοσ \u0130 B"
    total, words, _ = Words("whitespace", stop_words=stops).of(text.encode())
    assert (words.marks[:total] >> STOP_SHIFT).tolist() == [_stop(word.lower(), stops) for word in text.split()]


def test_sixty_three_stop_words_have_a_slot_each() -> None:
    stops = tuple(f"w{n}" for n in range(63))
    total, words, _ = Words("whitespace", stop_words=stops).of(" ".join(stops).encode())
    assert (words.marks[:total] >> STOP_SHIFT).tolist() == list(range(1, 64))


@pytest.mark.parametrize("kind", ["uniseg", "unicode"])
@settings(max_examples=100, deadline=None)
@example(text="a.b a:b a,b 1.2 1,2 1:2 a'b 'a \u05d0'\u05d0\"\u05d0 a_b \u30ab\u30ab_ a\u0301.b a.\u0301b")
@example(text="\u0301a \x85\u0301a \U0001f1e6a \U0001f1e6\U0001f1e6 \u200d\U0001f600 \u2003\u2003 can't. #tag,")
@given(text=TEXTS)
def test_words_between_boundaries(kind: Kind, text: str) -> None:
    total, words, _ = _words(kind).of(text.encode("utf-8", "surrogatepass"))
    parts = [part for chunk in re.split("[\t-\r ]+", text) for part in regex.split(r"(?V1w)\b", chunk) if part]
    first = kind == "uniseg"
    wanted = [part for part in parts if (part[0].isalnum() if first else regex.search(r"[\p{Alphabetic}\p{N}]", part))]
    held = [part.encode("utf-8", "surrogatepass") for part in wanted]
    assert words.hashes[:total].tolist() == [int(key_hash(padded(part), 0, len(part))) for part in held]
    assert words.lengths[:total].tolist() == [len(part) for part in (wanted if first else held)]


# What spaCy cuts at, what looks as if it did, and words of letters that are not ASCII.
PIECES = [
    "word", "Ünder", "naïve", "日本語", "नमस्ते", "привет", "\u0301a",
    "don't", "it\u2019s", "U.S.", "etc.", "No.", "a.", "10km", "3.5",
    "12", "x", ",", ".", ";", ":", "!", "?", "(", ")", "'", '"', "…", "...", "-", "/", ":)", "): (", "'em",
    "é.", "É.", "Z.", "http://a.org/b", "cannot", "€5", "\u0301", "\u200d", " ", " ", "\n", "\u3000",
    "Im", "ill", "IS_ALPHA",
]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(text=st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_words_of_spacy(text: str) -> None:
    pytest.importorskip("spacy", reason="needs spaCy, whose words are found")
    splitter = _words("spacy")
    total, words, src = splitter.of(text.encode())
    assert splitter._spacy is not None
    expected = splitter._spacy._spacy.of_text(text)
    assert [bytes(src[a:b]).decode() for a, b in zip(words.starts[:total], words.ends[:total], strict=True)] == expected
    assert words.lengths[:total].tolist() == list(map(len, expected))
    assert [bool(mark & ALPHA) for mark in words.marks[:total]] == [any(map(str.isalpha, word)) for word in expected]
    assert [bool(mark & COUNTS) for mark in words.marks[:total]] == [not SIGNS.issuperset(word) for word in expected]


def test_no_character_outside_the_ranges_has_a_property() -> None:
    inside = np.zeros(LIMIT, np.bool_)
    for start, end in word_properties.RANGES:
        inside[start:end] = True
    points = np.flatnonzero(~inside)
    start, end = int(points[0]), LIMIT
    kinds = word_properties.kinds_of(start, end)
    assert not kinds[~inside[start:]].any()
    assert all(char.lower() == char for char in characters()[word_properties.LOWER_LIMIT :])


def test_a_text_is_split_once_and_room_follows_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    words = Words("whitespace")
    long = b"word " * 40_000
    assert words.of(long).total == 40_000
    monkeypatch.setattr(words, "_split", lambda data: pytest.fail("split again"))
    assert words.of(bytes(bytearray(long))).total == 40_000
