# ruff: noqa: E501, RUF001
"""The kernel of CCNet's language-model normaliser does what its rules say, on any Unicode."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import example, given, settings
from hypothesis import strategies as st

from llama_data.stages.steps.kernels import lm_text
from llama_data.stages.steps.kernels.line_hash import PUNCTUATION
from llama_data.stages.steps.kernels.lm_text import normalise_bytes, normalise_text

ASCII = [
    *(",", ".", ",", '"', '"', '"', '"', '"', '"', '"', '"', '"', '"', "'", ":", ":", "?", "!", "(", ")", ";", "-"),
    *(" - ", ". ", "~", "'", "...", "-", "<", ">", "[", "]", "%", "-"),
]
MARKS = dict(zip(PUNCTUATION, ASCII, strict=True))
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    text = unicodedata.normalize("NFD", text.strip().lower())
    text = "".join(char for char in text if unicodedata.category(char) != "Mn")
    text = re.sub(r"\d", "0", text)
    return CONTROL.sub("", "".join(MARKS.get(char, char) for char in text))


awkward = st.sampled_from([
    *("", " ", "\n", "\r\n", "\x85", "\xa0", "\u2028", "\x00", "\x7f", "Σ", "ΟΔΟΣ", "İ", "é", "e\u0301\u0323", "\u0301"),
    *("각", "\u1100\u1161", "ﬁ", "①", "Å", "\u1b44\u1b35", "\u302e\u0301\u302f", "\U0001d15e", "\U0001d165\U0001d16d"),
    *("\U0002f800", "—", "…", "１", "．", "٣", "ABC 123", "\u0344", "\u1fef", "\u037e", "\U0001f600", "\ufdfa"),
])  # fmt: skip
texts = st.lists(st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), awkward), max_size=30).map(
    "".join
)


@settings(deadline=None)
@given(texts)
@example("a\nb")
@example("\ufdfa" * 100)
def test_the_kernel_does_what_the_rules_say(text: str) -> None:
    assert normalise_bytes(text.encode()).decode() == plain(text) == normalise_text(text)


def test_every_character_becomes_what_the_rules_say() -> None:
    chars = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    for start in range(0, len(chars), 4096):
        text = "xy".join(chars[start : start + 4096])
        assert normalise_bytes(text.encode()).decode() == plain(text)


def test_accents_go_and_marks_become_ascii() -> None:
    assert normalise_text("  Café — №12, OK! ") == "cafe  -  №00, ok!"


def test_newlines_glue_words() -> None:
    assert normalise_bytes(b"a b\nc d") == b"a bc d"


def slow_form(char: str) -> bytes | None:
    """The table's entry by its definition, one character at a time; None where Python must be asked."""
    moves = any(
        unicodedata.combining(part) and unicodedata.category(part) != "Mn"
        for part in unicodedata.normalize("NFD", char)
    )
    return None if moves or char == "\u03a3" else normalise_text(f"x{char}x")[1:-1].encode("utf-8", "surrogatepass")


def test_the_table_is_what_its_definition_says_of_every_character() -> None:
    table = lm_text._table()
    for point in range(lm_text._LIMIT):
        char = chr(point)
        size, first = int(table.sizes[point]), int(table.offsets[point])
        found: bytes | None = table.values[first : first + size].tobytes()
        if size >= lm_text._SAME:
            found = char.encode("utf-8", "surrogatepass") if size == lm_text._SAME else None
        assert found == slow_form(char), hex(point)
        if point < 128:
            assert bytes(table.ascii[point : point + 1]).strip(b"\0") == found
    assert max(table.sizes[table.sizes < lm_text._SAME]) < lm_text._LONGEST
