"""Runs of words by hashes are those of plain lists of words."""

# ruff: noqa: RUF001 (characters that are not what they look like are what is tested)
from __future__ import annotations

import unicodedata

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llama_data.stages.steps.kernels.word_runs import LIMIT, all_runs, find_runs, make_keys, normal_words

word = st.one_of(
    st.sampled_from(
        ["a", "B", "the", "don't", "--", "“Ab”", "É", "İ", "Σσς", "日本", "\ud800", "\U0001f600", "\U00030000"]
    ),
    st.text(max_size=4),
)
space = st.sampled_from([" ", "\n", "\r\n", "\u2028", "\x85", "\xa0", "\u3000", "\x1c", " . "])
texts = st.lists(st.tuples(word, space), max_size=14).map(lambda parts: "".join(a + b for a, b in parts))


def test_normal_words_are_lower_without_marks() -> None:
    assert normal_words("Don’t  panic — it's (only) $5.00!\u2028İstanbul ΣΑΣ") == [
        "dont", "panic", "its", "only", "500", "istanbul", "σασ",
    ]  # fmt: skip


def test_every_character_becomes_what_the_rule_says() -> None:
    for point in range(LIMIT):
        char = chr(point)
        gone = unicodedata.category(char)[0] in "PS" or char.isspace()
        assert "".join(normal_words(char)) == ("" if gone else char.lower()[0]), hex(point)


def test_no_character_beyond_the_table_is_special() -> None:
    for point in range(LIMIT, 0x110000):
        char = chr(point)
        assert unicodedata.category(char)[0] not in "PS"
        assert char.lower() == char
        assert not char.isspace()


@given(st.lists(texts, min_size=1, max_size=4), st.lists(texts, max_size=3), st.integers(1, 4))
def test_runs_are_those_of_plain_lists(searched: list[str], wanted: list[str], n: int) -> None:
    known = {tuple(words[at : at + n]) for words in map(normal_words, wanted) for at in range(len(words) - n + 1)}
    made = [" ".join(normal_words(text)).encode("utf-8", "surrogatepass") for text in wanted]
    keys = np.sort(all_runs(made, n).numbers.view(np.uint64))  # one that comes twice stands there twice
    assert len(np.unique(keys)) == len(known)
    blobs = [text.encode("utf-8", "surrogatepass") for text in searched]
    found = find_runs(blobs, n, make_keys(keys))
    expected = []
    for number, text in enumerate(searched):
        words = normal_words(text)
        runs = [words[at : at + n] for at in range(len(words) - n + 1)]
        expected += [(number, run) for run in runs if tuple(run) in known]
    got = [
        (text, normal_words(blobs[text][begin:end].decode("utf-8", "surrogatepass")))
        for text, begin, end in zip(found.texts.tolist(), found.begins.tolist(), found.ends.tolist(), strict=True)
    ]
    assert got == expected
