"""What repeats in a text, counted by kernels and by datatrove's functions and plain loops, text after text."""

from __future__ import annotations

import re

import numpy as np
import pytest
from datatrove.pipeline.filters.gopher_repetition_filter import find_all_duplicate, find_top_duplicate, get_n_grams
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llama_data.stages.steps.gopher_quality import Variant
from llama_data.stages.steps.gopher_repetition import Repetition
from llama_data.stages.steps.kernels import repetition
from llama_data.stages.steps.kernels.repetition import Slots
from tests.plain import plain_rules

# Short words that are others' parts, so that n-grams are equal written together and not word by word; and long ones.
WORDS = st.sampled_from(["a", "b", "ab", "ba", "aba", "c", "é", "abcdefgh", "日本", "longerthansixteenbytes"])
TEXTS = st.one_of(
    st.lists(WORDS, max_size=60).map(" ".join),
    st.builds(lambda part, rest, times: " ".join([*part, *rest] * times + rest), *[st.lists(WORDS, max_size=12)] * 2,
              st.integers(1, 5)),
)  # fmt: skip
# One memory for all texts, as a task has it.
COUNTERS = {
    variant: Repetition(variant=variant, words="whitespace" if variant == "datatrove" else None)
    for variant in ("datatrove", "paper", "dclm", "dolma3")
}
TOP, REPEATED = (2, 3, 4), (5, 6, 7, 8, 9, 10)


def figures(variant: str, text: str) -> dict[str, float]:
    names = [*(f"top_{n}_gram" for n in TOP), *(f"duplicated_{n}_n_grams" for n in REPEATED)]
    return dict(zip(names, COUNTERS[variant].figures(text.encode(), names), strict=True))


@settings(max_examples=100, deadline=None)
@example(text="ab c ab c a bc a bc ab c d a bc d")
@example(text="a b c d e f g a b c d e f g abcdef g a b cdef g")
@example(text="aba " * 40)
@given(text=TEXTS)
def test_n_grams_are_datatroves(text: str) -> None:
    words = text.split()
    expected = {}
    for n in TOP:
        grams = get_n_grams(words, n)
        expected[f"top_{n}_gram"] = find_top_duplicate(grams) / len(text) if grams else 0.0
    for n in REPEATED:
        expected[f"duplicated_{n}_n_grams"] = find_all_duplicate(words, n) / len(text) if text else 0.0
    assert figures("datatrove", text) == expected


@pytest.mark.parametrize("variant", ["paper", "dclm", "dolma3"])
@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_n_grams_are_the_plain_loops(variant: Variant, text: str) -> None:
    words = plain_rules.words_of(variant, text)
    found = figures(variant, text)
    for n in REPEATED:
        size = (lambda word: len(word.encode())) if variant == "dolma3" else len
        assert found[f"duplicated_{n}_n_grams"] == plain_rules.repeated(words, n, size)
    for n in TOP:
        # Which of several n-grams that are as common and long datamap-rs takes is not said; we take the first.
        assert found[f"top_{n}_gram"] == plain_rules.top(variant, words, n)


def test_tables_start_anew_where_another_one_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repetition, "_KEEP_SLOTS", 1 << 12)
    slots, held = Slots(), []
    for count in (3, 5000, 7, 3, 100_000, 2):
        table, base = slots.take(count, 9)
        assert table.size >= 4 * count
        assert not (table[1::2] >= base).any()
        table[1::2] = base + 9 * (count + 1) - 1
        held.append(table.size)
    assert held[2] < held[1] < held[4]


@settings(max_examples=100, deadline=None)
@given(
    lines=st.lists(st.sampled_from(["", " ", "a", "é" * 9, "line of some length", "x" * 16, "\u3000a"]), max_size=30),
    least=st.sampled_from([1, 2]),
    most=st.sampled_from([1, 2, 1 << 62]),
)
def test_segments_and_their_copies(lines: list[str], least: int, most: int) -> None:
    if most < least:
        return
    text = "\n".join(lines)
    data = text.encode()
    src = np.frombuffer(data + bytes(8), np.uint8)
    starts, ends = np.empty(len(data) + 2, np.int64), np.empty(len(data) + 2, np.int64)
    count = repetition.find_segments(src, 0, len(data), least, most, False, True, starts, ends)
    pattern = "\n" * least if most == least else f"\n{{{least},}}" if most > 2 else f"\n{{{least},{most}}}"
    expected = re.split(pattern, text)
    assert [data[a:b].decode() for a, b in zip(starts[:count], ends[:count], strict=True)] == expected
    out, seen = np.empty(3, np.int64), np.empty(count, np.int32)
    for copies in (repetition.LATER, repetition.ALL):
        repetition.count_copies(src, count, starts, ends, copies, False, *SLOTS.take(count, 1), seen, out)
        duplicates = [
            part for at, part in enumerate(expected)
            if part in (expected[:at] if copies == repetition.LATER else expected[:at] + expected[at + 1 :])
        ]  # fmt: skip
        assert out[:2].tolist() == [len(duplicates), sum(map(len, duplicates))]


SLOTS = Slots()
