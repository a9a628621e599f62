"""How much of a text repeats: its lines, its paragraphs, and its n-grams of words.

Every count is that of a loop over a dictionary, made with a table of hashes that is as large as the text needs.
Segments are compared byte by byte behind their hash; n-grams by a 64-bit hash.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from llama_data.pipeline.kernels.hashing import GOLDEN, mix64
from llama_data.pipeline.kernels.memory import address, load_byte_at, load_word_at
from llama_data.pipeline.kernels.utf8 import strip
from llama_data.pipeline.kernels.word_table import hash_at
from llama_data.stages.steps.kernels.word_chunks import BASE

LATER, ALL = 0, 1
"""Which copies are duplicates: the second and those after it, or the first one too."""
_LF = 10
_EMPTY = np.uint64(0)
# Their products are 1 modulo 2 ** 64.
_BASE_BACK = np.uint64(pow(int(BASE), -1, 1 << 64))
_WORD_BASE = np.uint64(0xD6E8FEB86659FD93)
_WORD_BACK = np.uint64(pow(int(_WORD_BASE), -1, 1 << 64))
_POWERS = np.array([pow(int(BASE), k, 1 << 64) for k in range(64)], np.uint64)
_POWERS_BACK = np.array([pow(int(_BASE_BACK), k, 1 << 64) for k in range(64)], np.uint64)


@njit(cache=True, nogil=True)
def _characters(src, start, end, as_bytes):  # type: ignore[no-untyped-def]
    if as_bytes:
        return end - start
    count = 0
    for at in range(start, end):
        count += (src[at] & 0xC0) != 0x80
    return count


@njit(cache=True, nogil=True)
def _equal(one, other, length):  # type: ignore[no-untyped-def]
    at = 0
    while at + 8 <= length:
        if load_word_at(one + at) != load_word_at(other + at):
            return False
        at += 8
    while at < length:
        if load_byte_at(one + at) != load_byte_at(other + at):
            return False
        at += 1
    return True


@njit(cache=True, nogil=True)
def find_segments(src, start, end, least, most, stripped, keep_empty, starts, ends):  # type: ignore[no-untyped-def]
    """Cut ``src[start:end]`` where ``least`` newlines or more stand together, of which one cut takes at most ``most``.

    ``stripped``: without the spaces around each; ``keep_empty``: also those of no bytes. How many there are.
    """
    count, at, begin = 0, start, start
    while at <= end:
        run = 0
        if at < end:
            if src[at] != _LF:
                at += 1
                continue
            while at + run < end and src[at + run] == _LF and run < most:
                run += 1
            if run < least:
                at += run
                continue
        left, right = (strip(src, begin, at)) if stripped else (begin, at)
        if keep_empty or left < right:
            starts[count], ends[count] = left, right
            count += 1
        if at == end:
            break
        at += run
        begin = at
    return count


@njit(cache=True, nogil=True)
def count_copies(src, count, starts, ends, copies, as_bytes, keys, firsts, seen, out):  # type: ignore[no-untyped-def]
    """Into ``out``: duplicate segments, their characters, and the characters of all segments.

    ``keys``, ``firsts``, ``seen``: room for a table of a power of two of slots, more than there are segments.
    """
    text = address(src)
    mask = keys.size - 1
    keys[:] = 0
    duplicates, characters, total = 0, 0, 0
    for number in range(count):
        start, length = starts[number], ends[number] - starts[number]
        if copies == ALL:
            total += _characters(src, start, start + length, as_bytes)
        key = hash_at(text + start, length) if length else np.uint64(1)
        slot = np.int64(key >> np.uint64(20)) & mask
        while keys[slot] != _EMPTY:
            first = firsts[slot]
            if (
                keys[slot] == key
                and ends[first] - starts[first] == length
                and _equal(text + starts[first], text + start, length)
            ):
                break
            slot = (slot + 1) & mask
        if keys[slot] == _EMPTY:
            keys[slot], firsts[slot], seen[slot] = key, number, 1
            continue
        seen[slot] += 1
        times = 2 if copies == ALL and seen[slot] == 2 else 1
        duplicates += times
        characters += times * _characters(src, start, start + length, as_bytes)
    out[0], out[1], out[2] = duplicates, characters, total


@njit(cache=True, nogil=True)
def join_words(n, hashes, lengths, by_characters, sums, backs, ends):  # type: ignore[no-untyped-def]
    """Running sums from which ``_gram`` makes the hash of any n-gram; ``ends``: characters before each word.

    ``by_characters``: n-grams are compared as words written without spaces; otherwise word by word.
    """
    total, power, back, characters = np.uint64(0), np.uint64(1), np.uint64(1), np.int64(0)
    for number in range(n):
        sums[number], backs[number], ends[number] = total, back, characters
        characters += lengths[number]
        if by_characters:
            total += hashes[number] * power
            left = lengths[number]
            while left > 63:
                power *= _POWERS[63]
                back *= _POWERS_BACK[63]
                left -= 63
            power *= _POWERS[left]
            back *= _POWERS_BACK[left]
        else:
            total += mix64(hashes[number]) * power
            power *= _WORD_BASE
            back *= _WORD_BACK
    sums[n], ends[n] = total, characters


@njit(cache=True, nogil=True, inline="always")
def _gram(sums, backs, at, size):  # type: ignore[no-untyped-def]
    key = (sums[at + size] - sums[at]) * backs[at]
    key = (key ^ (key >> np.uint64(32))) * GOLDEN
    return key | np.uint64(1)


@njit(cache=True, nogil=True)
def repeated_characters(n, size, sums, backs, ends, keys, shift):  # type: ignore[no-untyped-def]
    """Characters of n-grams that came before, from left to right, where a copy is stepped over whole (datatrove)."""
    mask = keys.size - 1
    keys[:] = 0
    total, at = 0, 0
    while at < n - size + 1:
        key = _gram(sums, backs, at, size)
        slot = np.int64(key >> shift)
        while keys[slot] != _EMPTY and keys[slot] != key:
            slot = (slot + 1) & mask
        if keys[slot] == key:
            total += ends[at + size] - ends[at]
            at += size
        else:
            keys[slot] = key
            at += 1
    return total


@njit(cache=True, nogil=True)
def most_common(n, size, sums, backs, ends, keys, shift, counts, firsts, longest):  # type: ignore[no-untyped-def]
    """The n-gram that comes most often: how often, and where it is first.

    Of several the first one; ``longest``: the one with the most characters, and of these the first.
    """
    mask = keys.size - 1
    keys[:] = 0
    best, where = 0, 0
    for at in range(n - size + 1):
        key = _gram(sums, backs, at, size)
        slot = np.int64(key >> shift)
        while keys[slot] != _EMPTY and keys[slot] != key:
            slot = (slot + 1) & mask
        if keys[slot] == _EMPTY:
            keys[slot], counts[slot], firsts[slot] = key, 0, at
        counts[slot] += 1
        count, first = counts[slot], firsts[slot]
        if count < best:
            continue
        better = count > best
        if not better:
            more = (ends[first + size] - ends[first]) - (ends[where + size] - ends[where]) if longest else 0
            better = more > 0 or (more == 0 and first < where)
        if better:
            best, where = count, first
    return best, where


@njit(cache=True, nogil=True)
def covered_by(n, size, where, sums, backs, ends):  # type: ignore[no-untyped-def]
    """Characters of the words that lie in a copy of the n-gram at ``where``, each word once."""
    key = _gram(sums, backs, where, size)
    total, done = 0, 0
    for at in range(n - size + 1):
        if _gram(sums, backs, at, size) == key:
            total += ends[at + size] - ends[max(at, done)]
            done = at + size
    return total


@njit(cache=True, nogil=True)
def mark_repeated(n, size, sums, backs, keys, shift, firsts, marked, known):  # type: ignore[no-untyped-def]
    """Mark where an n-gram begins that is there more than once.

    ``known``: ``marked`` has the same of n-grams that are a word shorter, outside of which none can repeat.
    """
    mask = keys.size - 1
    keys[:] = 0
    last = n - size
    for at in range(last + 1):
        if known and not (marked[at] and marked[at + 1]):
            marked[at] = False
            continue
        marked[at] = False
        key = _gram(sums, backs, at, size)
        slot = np.int64(key >> shift)
        while keys[slot] != _EMPTY and keys[slot] != key:
            slot = (slot + 1) & mask
        if keys[slot] == _EMPTY:
            keys[slot], firsts[slot] = key, at
        else:
            marked[at] = True
            marked[firsts[slot]] = True


@njit(cache=True, nogil=True)
def covered_by_marked(n, size, ends, marked):  # type: ignore[no-untyped-def]
    """Characters of the words that lie in a marked n-gram, each word once."""
    total, done = 0, 0
    for at in range(n - size + 1):
        if marked[at]:
            total += ends[at + size] - ends[max(at, done)]
            done = at + size
    return total
