"""Hashes of lines as CCNet compares them: normalised, then the first eight bytes of SHA-1, little-endian.

Normalised means (cc_net/text_normalizer.py, normalize_for_dedup): strip; lower; every Unicode decimal digit becomes
``0``; 34 non-ASCII punctuation marks and the control characters U+0000-001F and U+007F-009F are deleted. Accents,
ASCII punctuation and inner spaces stay. The kernel reads UTF-8 once, writes the normalised lines as padded SHA-1
blocks, and digests sixteen lines side by side, so that the compiler can use vector instructions.
"""

from __future__ import annotations

import hashlib
import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit  # type: ignore[import-untyped]
from numpy.typing import NDArray

from llama_data.stages.shared.utf8 import Bytes, strip_left, strip_right

PUNCTUATION = "，。、„”“«»１」「《》´∶：？！（）；–—．～’…━〈〉【】％►"  # noqa: RUF001
"""The marks that CCNet deletes before it compares lines (and maps to ASCII before its language model)."""

CONTROLS = frozenset([*range(0x20), *range(0x7F, 0xA0)])
_LIMIT = 0x20000
_DELETE = 0x7FFFFFFF
_ASK_PYTHON = 0x7FFFFFFE
_LANES = 16
_LOAD = np.uint32(0)


class Lines(NamedTuple):
    """The lines of a text: where each begins and ends in its bytes (as they stand there), and its hash."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    hashes: NDArray[np.uint64]


def normalise_line(line: str) -> str:
    """The line as CCNet compares it (cc_net/text_normalizer.py, normalize_for_dedup)."""
    lowered = line.strip().lower()
    return "".join(_kept(char) for char in lowered)


def _kept(char: str) -> str:
    if unicodedata.category(char) == "Nd":
        return "0"
    return "" if char in PUNCTUATION or ord(char) in CONTROLS else char


def hash_line(line: str) -> int:
    """Hash of one line: the first eight bytes of the SHA-1 of its normal form, as a little-endian number."""
    return _digest(normalise_line(line).encode("utf-8", "surrogatepass"))


def _digest(data: bytes) -> int:
    return int.from_bytes(hashlib.sha1(data, usedforsecurity=False).digest()[:8], "little")


@cache
def _table() -> NDArray[np.int32]:
    """For each code point below 0x20000 what it becomes; nothing above it changes (a test says so)."""
    table = np.empty(_LIMIT, np.int32)
    for point in range(_LIMIT):
        lowered = chr(point).lower()
        if len(lowered) > 1 or point == 0x3A3:  # capital sigma depends on what is around it
            table[point] = _ASK_PYTHON
        else:
            kept = _kept(lowered)
            table[point] = ord(kept) if kept else _DELETE
    return table


@njit(cache=True, nogil=True)
def _normalise(src, start, end, out, at, table):  # type: ignore[no-untyped-def]
    """Write the normal form of ``src[start:end]`` to ``out`` from ``at`` on; its end, or -1 to ask Python."""
    start = strip_left(src, start, end)
    end = strip_right(src, start, end)
    i = start
    while i < end:
        byte = src[i]
        if byte < 0x80:
            point = np.int64(byte)
            i += 1
            changed = table[point]
            if changed < 0x80:
                out[at] = changed
                at += 1
            continue
        if byte < 0xE0:
            point = (np.int64(byte & 0x1F) << 6) | np.int64(src[i + 1] & 0x3F)
            size = 2
        elif byte < 0xF0:
            point = (np.int64(byte & 0x0F) << 12) | (np.int64(src[i + 1] & 0x3F) << 6) | np.int64(src[i + 2] & 0x3F)
            size = 3
        else:
            point = (
                (np.int64(byte & 0x07) << 18)
                | (np.int64(src[i + 1] & 0x3F) << 12)
                | (np.int64(src[i + 2] & 0x3F) << 6)
                | np.int64(src[i + 3] & 0x3F)
            )
            size = 4
        changed = np.int64(table[point]) if point < 0x20000 else point
        if changed == 0x7FFFFFFE:
            return -1
        if changed == point:
            for k in range(size):
                out[at + k] = src[i + k]
            at += size
        elif changed < 0x80:
            out[at] = changed
            at += 1
        elif changed < 0x800:
            out[at] = 0xC0 | (changed >> 6)
            out[at + 1] = 0x80 | (changed & 0x3F)
            at += 2
        elif changed < 0x10000:
            out[at] = 0xE0 | (changed >> 12)
            out[at + 1] = 0x80 | ((changed >> 6) & 0x3F)
            out[at + 2] = 0x80 | (changed & 0x3F)
            at += 3
        elif changed < 0x7FFFFFFE:
            out[at] = 0xF0 | (changed >> 18)
            out[at + 1] = 0x80 | ((changed >> 12) & 0x3F)
            out[at + 2] = 0x80 | ((changed >> 6) & 0x3F)
            out[at + 3] = 0x80 | (changed & 0x3F)
            at += 4
        i += size
    return at


@njit(cache=True, nogil=True)
def _blocks(src, breaks, starts, ends, table, buffer, first, count):  # type: ignore[no-untyped-def]
    """Cut ``src`` at newlines; write every line's normal form as padded SHA-1 blocks. Returns the number of lines.

    ``first[n]`` is the block at which line n begins, ``count[n]`` its blocks (0: ask Python).
    """
    size = src.size
    line = 0
    block = 0
    start = 0
    for number in range(breaks + 1):
        end = start
        while end < size and src[end] != 10:
            end += 1
        begin = block * 64
        at = _normalise(src, start, end, buffer, begin, table)
        starts[line] = start
        ends[line] = end
        first[line] = block
        count[line] = 0
        if at >= 0:
            length = at - begin
            blocks = (length + 9 + 63) >> 6
            stop = begin + blocks * 64
            buffer[at] = 0x80
            for k in range(at + 1, stop - 8):
                buffer[k] = 0
            bits = np.uint64(length) << np.uint64(3)
            for k in range(8):
                buffer[stop - 1 - k] = np.uint8((bits >> np.uint64(8 * k)) & np.uint64(0xFF))
            count[line] = blocks
            block += blocks
        line += 1
        start = end + 1
    return line


@njit(cache=True, nogil=True, inline="always")
def _turn(x, n):  # type: ignore[no-untyped-def]
    return np.uint32((x << np.uint32(n)) | (x >> np.uint32(32 - n)))


@njit(cache=True, nogil=True)
def _compress(state, w):  # type: ignore[no-untyped-def]
    """One SHA-1 block (FIPS 180-4) in each of sixteen lanes; ``w`` has the block's words in its first 16 rows."""
    for t in range(16, 80):
        for lane in range(16):
            x = w[t - 3, lane] ^ w[t - 8, lane] ^ w[t - 14, lane] ^ w[t - 16, lane]
            w[t, lane] = _turn(x, 1)
    a = state[0].copy()
    b = state[1].copy()
    c = state[2].copy()
    d = state[3].copy()
    e = state[4].copy()
    for t in range(80):
        if t < 20:
            for lane in range(16):
                f = (b[lane] & c[lane]) | (~b[lane] & d[lane])
                e[lane] = np.uint32(_turn(a[lane], 5) + f + e[lane] + np.uint32(0x5A827999) + w[t, lane])
                b[lane] = _turn(b[lane], 30)
        elif t < 40:
            for lane in range(16):
                f = b[lane] ^ c[lane] ^ d[lane]
                e[lane] = np.uint32(_turn(a[lane], 5) + f + e[lane] + np.uint32(0x6ED9EBA1) + w[t, lane])
                b[lane] = _turn(b[lane], 30)
        elif t < 60:
            for lane in range(16):
                f = (b[lane] & c[lane]) | (b[lane] & d[lane]) | (c[lane] & d[lane])
                e[lane] = np.uint32(_turn(a[lane], 5) + f + e[lane] + np.uint32(0x8F1BBCDC) + w[t, lane])
                b[lane] = _turn(b[lane], 30)
        else:
            for lane in range(16):
                f = b[lane] ^ c[lane] ^ d[lane]
                e[lane] = np.uint32(_turn(a[lane], 5) + f + e[lane] + np.uint32(0xCA62C1D6) + w[t, lane])
                b[lane] = _turn(b[lane], 30)
        a, b, c, d, e = e, a, b, c, d
    for lane in range(16):
        state[0, lane] = np.uint32(state[0, lane] + a[lane])
        state[1, lane] = np.uint32(state[1, lane] + b[lane])
        state[2, lane] = np.uint32(state[2, lane] + c[lane])
        state[3, lane] = np.uint32(state[3, lane] + d[lane])
        state[4, lane] = np.uint32(state[4, lane] + e[lane])


@njit(cache=True, nogil=True)
def _swap(word):  # type: ignore[no-untyped-def]
    word = ((word & np.uint32(0x00FF00FF)) << np.uint32(8)) | ((word >> np.uint32(8)) & np.uint32(0x00FF00FF))
    return np.uint32((word << np.uint32(16)) | (word >> np.uint32(16)))


@njit(cache=True, nogil=True)
def _digest_all(words, order, first, count, hashes):  # type: ignore[no-untyped-def]
    """Digest the lines in ``order`` (by number of blocks), sixteen at a time."""
    state = np.empty((5, 16), np.uint32)
    w = np.zeros((80, 16), np.uint32)
    for begin in range(0, order.size, 16):
        lanes = min(16, order.size - begin)
        for lane in range(16):
            state[0, lane] = 0x67452301
            state[1, lane] = 0xEFCDAB89
            state[2, lane] = 0x98BADCFE
            state[3, lane] = 0x10325476
            state[4, lane] = 0xC3D2E1F0
        for block in range(count[order[begin + lanes - 1]]):
            for lane in range(lanes):
                line = order[begin + lane]
                if block < count[line]:
                    base = (first[line] + block) * 16
                    for k in range(16):
                        w[k, lane] = _swap(words[base + k])
            _compress(state, w)
            for lane in range(lanes):
                line = order[begin + lane]
                if block + 1 == count[line]:
                    low = np.uint64(_swap(state[0, lane]))
                    high = np.uint64(_swap(state[1, lane]))
                    hashes[line] = low | (high << np.uint64(32))


def hash_lines(data: bytes) -> Lines:
    """Split UTF-8 text at ``\\n`` and hash every line; a blank line has the hash of the empty string."""
    source: Bytes = np.frombuffer(data, np.uint8)
    breaks = data.count(b"\n")
    starts = np.empty(breaks + 1, np.int64)
    ends = np.empty(breaks + 1, np.int64)
    first = np.empty(breaks + 1, np.int64)
    count = np.empty(breaks + 1, np.int64)
    # Lower-casing lengthens UTF-8 by half at most; padding takes up to 72 bytes a line.
    buffer = np.empty((len(data) + len(data) // 2 + 72 * (breaks + 2)) // 64 * 64 + 64, np.uint8)
    _blocks(source, breaks, starts, ends, _table(), buffer, first, count)
    hashes = np.empty(breaks + 1, np.uint64)
    order = np.argsort(count, kind="stable")
    order = order[np.searchsorted(count[order], 1) :]
    _digest_all(buffer.view("<u4"), order, first, count, hashes)
    for line in np.flatnonzero(count == 0).tolist():
        hashes[line] = hash_line(data[starts[line] : ends[line]].decode("utf-8", "surrogatepass"))
    return Lines(starts, ends, hashes)
