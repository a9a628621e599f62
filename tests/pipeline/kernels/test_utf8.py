"""Characters, spaces and line breaks of UTF-8 bytes against Python's str, on sound and on damaged text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import njit

from llama_data.pipeline.kernels.memory import PADDING
from llama_data.pipeline.kernels.utf8 import (
    BREAK,
    CLASSES,
    NO_CHARACTER,
    NOT_WIDE,
    PLAIN,
    SPACE,
    WIDE,
    characters,
    decode_checked_at,
    decode_trusted_at,
    is_surrogate,
    strip,
    strip_left,
    strip_right,
    valid_characters,
    wide,
    wide_kind,
    wide_size,
)

# One of each class of lead byte and continuation, and the borders between them.
ODD = [0x00, 0x09, 0x20, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xE2]
ODD += [0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF]
DAMAGED = st.one_of(
    st.binary(max_size=30),
    st.lists(st.sampled_from(ODD), max_size=20).map(bytes),
    st.tuples(st.text(max_size=12), st.lists(st.sampled_from(ODD), max_size=3).map(bytes), st.text(max_size=12)).map(
        lambda parts: parts[0].encode("utf-8", "surrogatepass") + parts[1] + parts[2].encode("utf-8", "surrogatepass")
    ),
)
SPACES = "".join(char for char in map(chr, range(0x110000)) if char.isspace())
SPACED = st.text(
    st.one_of(st.sampled_from(SPACES + "\u200b\u2060\ufeff\u00a1\u3001\u205e"), st.characters(codec="utf-8"))
)


@njit
def stripped(src, start, end):  # type: ignore[no-untyped-def]
    return strip(src, start, end)


@njit
def wide_at(src, at, end):  # type: ignore[no-untyped-def]
    return wide(src, at, end)


def padded(data: bytes) -> np.ndarray:
    return np.frombuffer(data + bytes(PADDING), np.uint8)


def plain_character(data: bytes) -> tuple[int, int] | None:
    """The character that ``data`` begins with, as Python decodes it."""
    for size in (1, 2, 3, 4):
        try:
            text = data[:size].decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            continue
        if len(text) == 1 and size <= len(data):
            return ord(text), size
    return None


def plain_count(data: bytes) -> int:
    try:
        return len(data.decode())
    except UnicodeDecodeError:
        return NO_CHARACTER


def checked(data: bytes) -> tuple[int, int] | None:
    point, size = decode_checked_at(padded(data).ctypes.data)
    return None if point == NO_CHARACTER else (point, size)


def test_every_character_is_decoded_by_both() -> None:
    data = padded("".join(map(chr, range(0x110000))).encode("utf-8", "surrogatepass"))
    place, points = data.ctypes.data, 0
    end = place + data.size - PADDING
    while place < end:
        wanted = (points, 1 + (points >= 0x80) + (points >= 0x800) + (points >= 0x10000))
        assert decode_trusted_at(place) == wanted
        assert points < 0x80 or decode_checked_at(place) == wanted
        place += wanted[1]
        points += 1
    assert points == 0x110000


def test_every_beginning_of_two_bytes_with_every_odd_rest() -> None:
    """Lead bytes of all classes: overlong, surrogates, beyond Unicode, continuations alone, cut off."""
    for first in range(0x80, 0x100):
        for second in ODD:
            for rest in (b"", b"\x80", b"\xbf", b"\x80\x80", b"\xbf\xbf", b"\x80A", b"\xc2\x80", b"\x7f\x80"):
                data = bytes([first, second]) + rest
                assert checked(data) == plain_character(data), data
        assert checked(bytes([first])) is None


@given(DAMAGED.filter(lambda data: data[:1] >= b"\x80"))
def test_damaged_text_is_decoded_as_python_does(data: bytes) -> None:
    assert checked(data) == plain_character(data)


@pytest.mark.parametrize(("point", "wanted"), [(0xD7FF, False), (0xD800, True), (0xDFFF, True), (0xE000, False)])
def test_surrogates(point: int, wanted: bool) -> None:
    assert is_surrogate(point) is wanted


@settings(max_examples=400)
@given(DAMAGED, st.binary(max_size=9), st.binary(min_size=8, max_size=8))
@example(b"x" * 7 + b"\xc3", b"", b"\xa9" + bytes(7))
@example(b"\xf0\x9f\x98", b"", b"\x80" + bytes(7))
@example(b"aaaaaaa\xe4\xb8\xad", b"", bytes(8))
@example(b"\xed\xa0\x80", b"1234567", bytes(8))
@example(b"\xc1\xbf" + b"\x80" * 8, b"", bytes(8))
def test_characters_are_counted_where_python_decodes_them(data: bytes, before: bytes, after: bytes) -> None:
    """Whatever stands before and behind, also where it would complete a character that the end cuts off."""
    source = np.frombuffer(before + data + after, np.uint8)
    assert valid_characters(source, len(before), len(before) + len(data)) == plain_count(data)


@pytest.mark.parametrize("char", ["a", "\u00e9", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000"])
def test_a_character_across_the_words_of_the_count(char: str) -> None:
    for shift in range(17):
        data = b"x" * shift + char.encode() * 3
        assert valid_characters(padded(data), 0, len(data)) == shift + 3
        cut = valid_characters(padded(data[:-1]), 0, len(data) - 1)
        assert cut == (NO_CHARACTER if ord(char) >= 0x80 else shift + 2)


@given(st.text())
def test_characters_of_sound_text(text: str) -> None:
    data = text.encode()
    assert characters(padded(data), 0, len(data)) == len(text)


def test_every_space_and_line_break_has_its_class() -> None:
    for point in range(0x110000):
        char = chr(point)
        data = char.encode("utf-8", "surrogatepass")
        kind = CLASSES[data[0]]
        size = len(data)
        if kind == WIDE:
            found = wide_at(padded(data), 0, size)
            kind = wide_kind(found)
            assert wide_size(found) == (1 if found == NOT_WIDE else size)
        wanted = BREAK if len(f"a{char}b".splitlines()) > 1 else SPACE if char.isspace() else PLAIN
        assert kind == wanted, hex(point)


@pytest.mark.parametrize("char", ["\u00a0", "\u2028", "\u3000"])
def test_a_space_that_the_end_cuts_off_is_none(char: str) -> None:
    data = char.encode()
    for end in range(1, len(data)):
        assert wide_at(padded(data), 0, end) == NOT_WIDE
    assert wide_at(padded(data), 0, len(data)) != NOT_WIDE


@settings(max_examples=400)
@given(SPACED, SPACED, SPACED)
@example("", "", "")
@example("\u3000", "", "\u2003")
@example("", "\u00e9\u4e2d", "\x85")
@example("\u200a", "\u0085x\u00a0", "\u205f")
def test_stripped_text_is_that_of_str_strip(before: str, text: str, behind: str) -> None:
    """Of the middle part alone: spaces outside of it do not count."""
    source = padded((before + text + behind).encode())
    start = len(before.encode())
    end = start + len(text.encode())
    left, right = strip_left(source, start, end), strip_right(source, start, end)
    assert source[left:end].tobytes() == text.lstrip().encode()
    assert source[start:right].tobytes() == text.rstrip().encode()
    first, last = stripped(source, start, end)
    assert source[first:last].tobytes() == text.strip().encode()
