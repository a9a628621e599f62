"""The counting kernel says what Python's str says."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.stages.github import counts as module
from llama_data.stages.github.counts import Counts, count

pieces = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(list("\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029 \t\0")),
    st.sampled_from(
        ["\r\n", "\r\r\n", "a", "é", "e\u0301", "中文", "\U0001f600", "\U0001d7d8", "²", "Ⅷ", "_", "\u200b"]
    ),
)


def plain(text: str) -> Counts:
    lines = text.splitlines()
    alnum = sum(char.isalnum() for char in text)
    return Counts(len(text), len(lines), max(map(len, lines), default=0), alnum)


@given(st.lists(pieces, max_size=40).map("".join))
@settings(max_examples=500, deadline=None)
def test_the_kernel_counts_as_python_does(text: str) -> None:
    assert count(text) == plain(text)


def test_every_character_is_judged_as_python_judges_it() -> None:
    wanted = [chr(point).isalnum() for point in range(0x110000)]
    assert np.array_equal(module._alnum_table(), np.array(wanted))


def test_a_huge_line_and_many_lines() -> None:
    for text in ("x" * 2_000_000, "\n" * 500_000, "ab\r\n" * 300_000, "é" * 500_000, ""):
        assert count(text) == plain(text)


def test_the_average_counts_line_ends() -> None:
    assert count("abc\nd\n").average_line == 3.0
    assert count("").average_line == 0.0
    assert count("").alnum_share == 0.0
    assert count("ab--").alnum_share == 0.5
