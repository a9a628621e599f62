"""Hashes of lines as CCNet compares them: normalised, then the first eight bytes of SHA-1, little-endian.

Normalised means (cc_net/text_normalizer.py, normalize_for_dedup): strip; lower; every Unicode decimal digit becomes
``0``; 34 non-ASCII punctuation marks and the control characters U+0000-001F and U+007F-009F are deleted. Accents,
ASCII punctuation and inner spaces stay. The kernel reads UTF-8 once, writes the normalised lines as padded SHA-1
blocks, and digests sixteen lines side by side, so that the compiler can use vector instructions.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.code_points import changed_by, characters, forms_of, utf8_words
from llama_data.pipeline.kernels.memory import address, load_word, padded, store_word
from llama_data.pipeline.kernels.sha1 import digest_messages
from llama_data.pipeline.kernels.swar import HIGH, ascii_above, first_place, swap_bytes
from llama_data.pipeline.kernels.utf8 import Bytes, decode_checked_at, is_surrogate, strip

PUNCTUATION = "，。、„”“«»１」「《》´∶：？！（）；–—．～’…━〈〉【】％►"  # noqa: RUF001
"""The marks that CCNet deletes before it compares lines (and maps to ASCII before its language model)."""

CONTROLS = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
_DIGIT = re.compile(r"\d")
_GONE = re.compile(f"[{PUNCTUATION}{CONTROLS}]")
_LIMIT = 0x20000
# An entry of the table is the bytes of the normal form, and in its high byte how many they are or one of these.
_SIZE = np.uint32(24)
_SAME, _ASK_PYTHON = 4, 255
_SIGMA = "\u03a3"
_NEWLINE, _DELETE, _SPACE = 10, 0x7F, 0x20
_MARK = 0x80  # the byte that SHA-1 puts behind a message, before zeros and the message's length in bits
_BLOCK = 64
_PYTHON = -1
"""Said of a line instead of its end: let Python make its normal form."""


class Lines(NamedTuple):
    """The lines of a text: where each begins and ends in its bytes (as they stand there), and its hash."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    hashes: NDArray[np.uint64]


def normalise_line(line: str) -> str:
    """The line as CCNet compares it (cc_net/text_normalizer.py, normalize_for_dedup)."""
    return _GONE.sub("", _DIGIT.sub("0", line.strip().lower()))


def hash_line(line: str) -> int:
    """Hash of one line: the first eight bytes of the SHA-1 of its normal form, as a little-endian number."""
    return _digest(normalise_line(line).encode("utf-8", "surrogatepass"))


def _digest(data: bytes) -> int:
    return int.from_bytes(hashlib.sha1(data, usedforsecurity=False).digest()[:8], "little")


@cache
def _table() -> NDArray[np.uint32]:
    """For each code point below 0x20000 the UTF-8 of what it becomes, and in the high byte how many bytes these are.

    _SAME: four bytes that do not change. _ASK_PYTHON: characters that become several or depend on what is around them.
    Nothing above the table changes (a test says so).
    """
    chars = characters(_LIMIT)
    words, sizes = utf8_words(_LIMIT)
    table = np.where(sizes < _SAME, words | sizes << _SIZE, np.uint32(_SAME) << _SIZE).astype(np.uint32)
    lowered = set(changed_by(str.lower, chars))
    asked = {char for char in lowered if len(char.lower()) > 1} | {_SIGMA}
    table[[ord(char) for char in asked]] = np.uint32(_ASK_PYTHON) << _SIZE
    changed = list((lowered - asked).union(_DIGIT.findall(chars), _GONE.findall(chars)))
    for char, form in zip(changed, forms_of(changed, normalise_line), strict=True):
        kept = form.encode()
        if len(kept) < _SAME:
            table[ord(char)] = int.from_bytes(kept, "little") | len(kept) << 24
        else:
            table[ord(char)] = np.uint32(_ASK_PYTHON) << _SIZE
    return table


@njit(cache=True, nogil=True)
def _special(word):  # type: ignore[no-untyped-def]
    """Marks the first byte that is not printable ASCII, and some that follow it."""
    return (word | ~ascii_above(word, 0x1F) | ascii_above(word, 0x7E)) & HIGH


@njit(cache=True, nogil=True)
def _lower_word(word):  # type: ignore[no-untyped-def]
    """Printable ASCII bytes, capitals lowered and digits zeroed; bytes after one that is special are anything."""
    capitals = ascii_above(word, ord("A") - 1) & ~ascii_above(word, ord("Z"))
    digits = ascii_above(word, ord("0") - 1) & ~ascii_above(word, ord("9"))
    # The mark of a capital, moved down by two, is the 0x20 that makes it small; a digit's low four bits are its value.
    word |= capitals >> np.uint64(2)
    return word & ~((digits >> np.uint64(7)) * np.uint64(0x0F))


@njit(cache=True, nogil=True, inline="always")
def _normalise(src, start, end, out, at, table):  # type: ignore[no-untyped-def]
    """Write the normal form of ``src[start:end]`` to ``out`` from ``at`` on; its end, or _PYTHON."""
    i, end = strip(src, start, end)
    while i < end:
        word = load_word(src, i)
        special = _special(word)
        store_word(out, at, _lower_word(word))
        # All eight bytes are stored, whatever they are: what is not plain is written over.
        plain = first_place(special)
        if plain >= end - i:
            return at + end - i
        i += plain
        at += plain
        while i < end:
            if src[i] < 0x80:
                if src[i] >= _SPACE and src[i] != _DELETE:
                    break
                i += 1  # control characters are deleted
                continue
            point, size = decode_checked_at(address(src) + i)
            if point < 0 or is_surrogate(point):
                return _PYTHON
            changed = table[point] if point < _LIMIT else np.uint32(_SAME) << _SIZE
            wide = np.int64(changed >> _SIZE)
            if wide < _SAME:
                store_word(out, at, np.uint64(changed))
            elif wide == _SAME:
                store_word(out, at, load_word(src, i))
            else:
                return _PYTHON
            at += wide
            i += size
    return at


@njit(cache=True, nogil=True)
def _blocks(src, starts, ends, table, buffer, first, count):  # type: ignore[no-untyped-def]
    """Write every line's normal form as padded SHA-1 blocks.

    ``first[n]`` is the block at which line n begins, ``count[n]`` its blocks (0: ask Python).
    """
    block = 0
    for line in range(starts.size):
        begin = block * _BLOCK
        at = _normalise(src, starts[line], ends[line], buffer, begin, table)
        first[line] = block
        count[line] = 0
        if at >= 0:
            length = at - begin
            # Behind the message come its mark and the eight bytes of its length, at the end of a block.
            blocks = (length + 1 + 8 + _BLOCK - 1) // _BLOCK
            stop = begin + blocks * _BLOCK
            buffer[at] = _MARK
            for k in range(9):  # always as many as may be needed: what is beyond the message is written later
                store_word(buffer, at + 1 + 8 * k, np.uint64(0))
            store_word(buffer, stop - 8, swap_bytes(np.uint64(length << 3)))
            count[line] = blocks
            block += blocks


def line_bounds(text: Bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the lines of a text, cut at ``\\n``, begin and end."""
    breaks = np.flatnonzero(text == _NEWLINE)
    starts = np.empty(breaks.size + 1, np.int64)
    ends = np.empty(breaks.size + 1, np.int64)
    starts[0], ends[-1] = 0, text.size
    starts[1:], ends[:-1] = breaks + 1, breaks
    return starts, ends


def hash_lines(data: bytes) -> Lines:
    """Split UTF-8 text at ``\\n`` and hash every line; a blank line has the hash of the empty string."""
    source: Bytes = padded(data)
    starts, ends = line_bounds(source[: len(data)])
    return Lines(starts, ends, hash_spans(source, starts, ends))


def hash_spans(source: Bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The hashes of the lines that begin and end there in a text that has 8 bytes more."""
    size = int((ends - starts).sum())
    first = np.empty_like(starts)
    count = np.empty_like(starts)
    # Lower-casing lengthens UTF-8 by half at most; padding takes up to 72 bytes a line.
    buffer = np.empty((size + size // 2 + 72 * (starts.size + 2)) // _BLOCK * _BLOCK + 2 * _BLOCK, np.uint8)
    _blocks(source, starts, ends, _table(), buffer, first, count)
    hashes = np.empty(starts.size, np.uint64)
    digest_messages(buffer.view("<u4"), first, count, hashes)
    for line in np.flatnonzero(count == 0).tolist():
        hashes[line] = hash_line(source[starts[line] : ends[line]].tobytes().decode("utf-8", "surrogatepass"))
    return hashes
