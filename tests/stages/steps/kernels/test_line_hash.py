# ruff: noqa: E501, RUF001
"""The line kernel hashes as CCNet does, on any Unicode."""

from __future__ import annotations

import hashlib
import re
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llama_data.stages.steps.kernels import line_hash
from llama_data.stages.steps.kernels.line_hash import PUNCTUATION, hash_line, hash_lines, normalise_line

DIGIT = re.compile(r"\d")
GONE = re.compile("[" + PUNCTUATION + "\x00-\x1f\x7f-\x9f]")


def plain(line: str) -> int:
    line = line.strip()
    line = GONE.sub("", DIGIT.sub("0", line.lower())) if line else line
    return int.from_bytes(hashlib.sha1(line.encode()).digest()[:8], "little")


awkward = st.sampled_from([
    *("", " ", "\t", "\r\n", "\r", "\x0b", "\x1c", "\x85", "\xa0", "\u2028", "\u3000", "\x00", "\x7f", "\x9f"),
    *("Σ", "ΟΔΟΣ", "ΣΑΣ.", "İ", "I\u0307", "é", "e\u0301", "\u0301", "ß", "ẞ", "Ǆ", "\u212a", "\U00010400", "\U0001f600"),
    *("\U0001d7d8", "٣", "१", "１", "９", "²", "½", "—", "…", "►", "ABC", "Zz9@[`{", "the quick brown fox ", "a" * 63),
    *("\U0001e900", "\U00020000", "\U0010ffff", "Ⱥ", "\ufeff", "\u200b", "\u180e"),
])  # fmt: skip
texts = st.lists(st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), awkward), max_size=30).map(
    "".join
)


@settings(deadline=None)
@given(texts)
@example("\n\n")
@example("x" * 55 + "\n" + "x" * 56 + "\n" + "x" * 64 + "\n" + "x" * 119 + "\n" + "x" * 120)
@example("\n".join("AbC 12, " * n for n in range(40)))
def test_every_line_hashes_as_in_plain_python(text: str) -> None:
    lines = hash_lines(text.encode())
    expected = text.split("\n")
    assert lines.hashes.tolist() == [plain(line) for line in expected]
    data = text.encode()
    assert [data[a:b].decode() for a, b in zip(lines.starts, lines.ends, strict=True)] == expected


def test_every_character_hashes_as_in_plain_python() -> None:
    chars = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000 and chr(point) != "\n"]
    groups = ["Ab" + "1".join(chars[n : n + 64]) + "cD" for n in range(0, len(chars), 64)]
    assert hash_lines("\n".join(groups).encode()).hashes.tolist() == [plain(line) for line in groups]


def test_a_huge_line_hashes_as_in_plain_python() -> None:
    line = "Größe 123, Ωmega — " * 200_000
    assert hash_lines(f"a\n{line}\nb".encode()).hashes.tolist() == [plain("a"), plain(line), plain("b")]


def test_the_normal_form_keeps_accents_ascii_marks_and_inner_spaces() -> None:
    assert normalise_line("  Café — №12, OK! ") == "café  №00, ok!"


def test_the_hash_is_the_first_eight_sha1_bytes_little_endian() -> None:
    assert hash_line("") == 0x0D4B6B5EEEA339DA
    assert hash_lines(b"").hashes.tolist() == [0x0D4B6B5EEEA339DA]


def test_the_punctuation_is_34_marks_none_of_them_ascii() -> None:
    assert len(set(PUNCTUATION)) == 34
    assert not any(char.isascii() for char in PUNCTUATION)


def test_nothing_above_the_table_changes() -> None:
    for point in range(0x20000, 0x110000):
        char = chr(point)
        assert char.lower() == char
        assert unicodedata.category(char) != "Nd"


@pytest.mark.parametrize("count", [1, 15, 16, 17, 33])
def test_any_number_of_lines_fills_the_lanes(count: int) -> None:
    lines = [f"line {'x' * (7 * n)}" for n in range(count)]
    assert np.array_equal(hash_lines("\n".join(lines).encode()).hashes, np.array([plain(x) for x in lines], np.uint64))


def test_the_table_is_what_its_definition_says_of_every_character() -> None:
    table = line_hash._table()
    for point in range(line_hash._LIMIT):
        lowered = chr(point).lower()
        wanted = line_hash._ASK_PYTHON << 24
        if len(lowered) == 1 and chr(point) != "\u03a3":
            kept = normalise_line(f"x{lowered}x")[1:-1].encode("utf-8", "surrogatepass")
            if len(kept) < line_hash._SAME:
                wanted = int.from_bytes(kept, "little") | len(kept) << 24
            elif kept == chr(point).encode():
                wanted = line_hash._SAME << 24
        assert table[point] == wanted, hex(point)
