"""Marks in words against plain loops over their bytes."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from numba import njit

from llama_data.pipeline.kernels.swar import (
    ascii_above,
    bit_count,
    first_below,
    first_equal,
    first_place,
    keep_bytes,
    swap_bytes,
    trailing_zeros,
    zeros,
)

# Bytes at which carries and borrows happen come often.
BYTES = st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 0x1F, 0x20, 0x7E, 0x7F, 0x80, 0x81, 0xFE, 0xFF]))
WORDS = st.lists(BYTES, min_size=8, max_size=8).map(bytes)
ASCII_WORDS = st.lists(st.integers(0, 127), min_size=8, max_size=8).map(bytes)


@njit
def bits(word):  # type: ignore[no-untyped-def]
    return trailing_zeros(word), bit_count(word), swap_bytes(word)


def number(data: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(data, "little"))


def marked(marks: int) -> list[int]:
    assert int(marks) & ~0x8080808080808080 == 0
    return [place for place in range(8) if int(marks) >> (8 * place + 7) & 1]


def holds(found: list[int], wanted: list[int]) -> None:
    """The first is right, none is missed."""
    assert found[:1] == wanted[:1]
    assert set(found) >= set(wanted)


@given(WORDS)
@example(bytes(8))
@example(b"\xff" * 8)
def test_bits(data: bytes) -> None:
    value = int.from_bytes(data, "little")
    zeros_below = (value & -value).bit_length() - 1 if value else 64
    assert bits(number(data)) == (zeros_below, value.bit_count(), int.from_bytes(data, "big"))


@given(WORDS, st.integers(1, 127))
@example(bytes(8), 127)
@example(b"\x00\x01\x80\x7f\x7e\xff\x00\x01", 127)
@example(b"\x00\x01" * 4, 1)
def test_bytes_below(data: bytes, limit: int) -> None:
    holds(marked(first_below(number(data), limit)), [place for place in range(8) if data[place] < limit])


@given(WORDS, BYTES)
@example(b"\x20\x21" * 4, 0x20)
@example(b"\xff\xfe" * 4, 0xFF)
def test_bytes_equal(data: bytes, byte: int) -> None:
    holds(marked(first_equal(number(data), byte)), [place for place in range(8) if data[place] == byte])


@given(WORDS)
@example(b"\x00\x01\x00\x80\x7f\xff\x00\x00")
def test_zeros_are_marked_exactly(data: bytes) -> None:
    assert marked(zeros(number(data))) == [place for place in range(8) if data[place] == 0]


@given(ASCII_WORDS, WORDS, st.integers(0, 8), st.integers(0, 126))
@example(b"\x7f" * 8, bytes(8), 8, 126)
def test_ascii_above_is_exact_up_to_the_first_byte_that_is_not(
    data: bytes, others: bytes, cut: int, limit: int
) -> None:
    mixed = data[:cut] + others[cut:]
    first = next((place for place in range(8) if mixed[place] >= 0x80), 8)
    found = [place for place in marked(ascii_above(number(mixed), limit)) if place < first]
    assert found == [place for place in range(first) if mixed[place] > limit]


@given(st.sets(st.integers(0, 7)))
def test_the_place_of_the_first_mark(places: set[int]) -> None:
    marks = sum(0x80 << 8 * place for place in places)
    assert first_place(np.uint64(marks)) == min(places, default=8)


@given(WORDS, st.integers(1, 8))
def test_the_first_bytes_are_kept(data: bytes, count: int) -> None:
    assert keep_bytes(number(data), count) == number(data[:count])
