"""Eight bytes in one word, looked at together ("SIMD within a register").

A mark is the high bit of a byte: ``marks`` are words in which only high bits may be set. The first mark is right in all
of these. Functions named ``first_...`` are quick: they miss no byte, but above a right mark they may mark more, where
the borrow of a subtraction runs into the next byte. So they are good for "where is the first" and for "look at these",
and no good for counting.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
ONES = np.uint64(0x0101010101010101)
"""1 in every byte; times a byte it is that byte eight times."""
HIGH = np.uint64(0x8080808080808080)
"""The high bit of every byte."""
_LOW = np.uint64(0x7F7F7F7F7F7F7F7F)


def _trailing_zeros(typingctx: Any, word: Any) -> Any:
    """How many of the lowest bits of a uint64 are 0; 64 of zero."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), build


def _bit_count(typingctx: Any, word: Any) -> Any:
    """How many bits of a uint64 are 1."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), build


def _swap_bytes(typingctx: Any, word: Any) -> Any:
    """The bytes of a uint64 in the other order."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bswap(arguments[0])

    return types.uint64(types.uint64), build


# Any: numba calls these with its typing context in front, which a type checker cannot know.
trailing_zeros: Any = intrinsic(_trailing_zeros)
bit_count: Any = intrinsic(_bit_count)
swap_bytes: Any = intrinsic(_swap_bytes)


@njit(cache=True, nogil=True)
def first_place(marks):  # type: ignore[no-untyped-def]
    """Which byte the first mark is in, 0 to 7; 8 without any."""
    return np.int64(trailing_zeros(marks)) >> 3


@njit(cache=True, nogil=True)
def keep_bytes(word, count):  # type: ignore[no-untyped-def]
    """The word with all but its first ``count`` bytes, 1 to 8, set to 0."""
    # A shift by 64 is undefined, so this is not for 0 bytes; the shift is exact for all others.
    return word & (ALL >> (np.uint64(8) * (np.uint64(8) - np.uint64(count))))


@njit(cache=True, nogil=True)
def first_below(word, limit):  # type: ignore[no-untyped-def]
    """Marks the first byte that is less than ``limit`` (1 to 127)."""
    # Subtracting sets the high bit of the bytes below the limit, and of those from 0x80 on, which ~word takes out. A
    # borrow makes it 128 at most, which still has the high bit; with a limit of 128 it would be 129, which has not.
    return (word - ONES * np.uint64(limit)) & ~word & HIGH


@njit(cache=True, nogil=True)
def first_equal(word, byte):  # type: ignore[no-untyped-def]
    """Marks the first byte that is ``byte``."""
    return first_below(word ^ (ONES * np.uint64(byte)), 1)


@njit(cache=True, nogil=True)
def zeros(word):  # type: ignore[no-untyped-def]
    """Marks every byte that is 0, and no other."""
    # Adding 0x7F to the lower seven bits reaches the high bit unless they are 0, and never the next byte.
    return ~(((word & _LOW) + _LOW) | word | _LOW)


@njit(cache=True, nogil=True)
def ascii_above(word, limit):  # type: ignore[no-untyped-def]
    """Marks every byte that is more than ``limit`` (0 to 126); all bytes must be below 0x80.

    With other bytes the marks below the first of these are still exact.
    """
    return (word + ONES * np.uint64(0x7F - limit)) & HIGH
